//! `check(before, suggestion, after)` for items: what a marker hides stays, however cheap it would be to take it out.

use tokio_util::sync::CancellationToken;

use super::tests::{check, merged};
use crate::apply::{ApplyOptions, ApplyRequest, Route, apply};

const STORE: &str = "\
use std::collections::BTreeMap;

/// Counts of articles, by name.
pub struct Store {
    counts: BTreeMap<String, u32>,
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self { counts: BTreeMap::new() }
    }

    /// Puts some in.
    pub fn add(&mut self, name: &str, count: u32) {
        *self.counts.entry(name.to_owned()).or_insert(0) += count;
    }

    /// Takes some out.
    pub fn remove(&mut self, name: &str, count: u32) {
        let have = self.counts.get_mut(name).unwrap();
        *have -= count;
    }

    /// How many there are.
    pub fn count(&self, name: &str) -> u32 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// How many there are in all.
    pub fn total(&self) -> u32 {
        self.counts.values().sum()
    }
}
";

const REMOVE: &str = "        let have = self.counts.get_mut(name).unwrap();\n        *have -= count;\n";

/// New bodies of `remove`: like the old one, unlike it, and like those of its neighbours.
const BODIES: [&str; 4] = [
    "        let have = self.counts.get_mut(name).expect(\"an article\");\n        *have = have.saturating_sub(count);\n",
    "        todo!()\n",
    "        let have = self.counts.entry(name.to_owned()).or_insert(0);\n        *have = have.saturating_sub(count);\n",
    "        let have = self.counts.get(name).copied().unwrap_or(0);\n        self.counts.insert(name.to_owned(), have - count);\n",
];

#[test]
fn methods_before_and_after_a_changed_one_stay_behind_their_markers() {
    for body in BODIES {
        let after = STORE.replace(REMOVE, body);
        for docs in ["", "    /// Takes some out.\n"] {
            for (blank, marker) in
                [("", "    // ..."), ("\n", "    // ..."), ("\n", "// ... existing code ...")]
            {
                let suggestion = format!(
                    "impl Store {{\n{marker}\n{blank}{docs}    pub fn remove(&mut self, name: &str, count: u32) {{\n{body}    }}\n{blank}{marker}\n}}\n"
                );
                check("rust", STORE, &suggestion, &after);
                check("rust", STORE, &format!("Like this:\n\n```rust\n{suggestion}```\n"), &after);
            }
        }
    }
}

#[test]
fn a_changed_head_still_names_its_item() {
    let new = "    pub fn remove(&mut self, name: &str, count: u32) -> Option<u32> {\n        let have = self.counts.get_mut(name)?;\n        *have = have.checked_sub(count)?;\n        Some(*have)\n";
    let old = format!("    pub fn remove(&mut self, name: &str, count: u32) {{\n{REMOVE}");
    let after = STORE.replace(&old, new);
    let suggestion = format!("// ...\n\nimpl Store {{\n    // ...\n\n{new}    }}\n\n    // ...\n}}\n");
    check("rust", STORE, &suggestion, &after);
}

#[test]
fn two_changed_methods_and_the_ones_between_them() {
    let after = STORE
        .replace("Self { counts: BTreeMap::new() }", "Self::default()")
        .replace("self.counts.values().sum()", "self.counts.values().copied().sum()");
    let suggestion = "\
impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    // ... existing methods ...

    pub fn total(&self) -> u32 {
        self.counts.values().copied().sum()
    }
}
";
    check("rust", STORE, suggestion, &after);
}

#[test]
fn what_is_left_out_without_a_marker_asks_first() {
    let request = ApplyRequest {
        path: Some("store.rs".into()),
        original: STORE.into(),
        suggestion: "impl Store {\n    /// Takes some out.\n    pub fn remove(&mut self, name: &str, count: u32) {\n        todo!()\n    }\n}\n".into(),
        ..ApplyRequest::default()
    };
    let options = ApplyOptions { route: Route::Deterministic, ..ApplyOptions::default() };
    let applied = apply(&request, &options, None, &CancellationToken::new(), &mut |_| {}).expect("an edit");
    assert!(
        applied.output == STORE.replace(REMOVE, "        todo!()\n") || applied.asks,
        "{}",
        applied.output
    );
}

#[test]
fn an_item_whose_neighbours_are_shown_side_by_side_goes() {
    let count = "    /// How many there are.\n    pub fn count(&self, name: &str) -> u32 {\n        self.counts.get(name).copied().unwrap_or(0)\n    }\n\n";
    let suggestion = "// ...\n        *have -= count;\n    }\n\n    /// How many there are in all.\n    pub fn total(&self) -> u32 {\n        self.counts.values().sum()\n// ...\n";
    check("rust", STORE, suggestion, &STORE.replace(count, ""));
}

const ROBOT: &str = "\
class Robot:
    def start(self):
        self.motor.start()
        self.log(\"on\")

    def walk(self, steps):
        for step in range(steps):
            self.step()
        self.log(\"walked\")

    def stop(self):
        self.motor.stop()
        self.log(\"off\")


class Arm:
    def start(self):
        self.motor.start()
        self.log(\"on\")

    def grip(self):
        self.hand.close()


def main():
    robot = Robot()
    robot.start()
    robot.stop()
";

#[test]
fn a_python_method_shown_whole_is_replaced_whole() {
    let after = ROBOT.replace(
        "        for step in range(steps):\n            self.step()\n        self.log(\"walked\")\n",
        "        self.legs.walk(steps)\n",
    );
    let suggestion = "\
class Robot:
    # ... existing code ...

    def walk(self, steps):
        self.legs.walk(steps)

    # ... existing code ...
";
    check("python", ROBOT, suggestion, &after);
    check("python", ROBOT, &suggestion.replace("\n\n", "\n"), &after);
}

#[test]
fn of_two_namesakes_the_one_in_the_class_that_is_shown_is_meant() {
    let (before, arm) = ROBOT.split_at(ROBOT.find("class Arm").expect("a class"));
    let after = format!("{before}{}", arm.replace("self.log(\"on\")", "self.log(\"arm on\")"));
    let suggestion = "\
# ...
class Arm:
    def start(self):
        self.motor.start()
        self.log(\"arm on\")
    # ...
";
    check("python", ROBOT, suggestion, &after);
}

#[test]
fn look_alike_lines_belong_to_the_item_whose_head_is_shown() {
    let before = "fn a() {\n    start();\n    one();\n    stop();\n}\n\nfn b() {\n    start();\n    two();\n    stop();\n}\n\nfn c() {\n    start();\n    stop();\n}\n";
    let after = before.replace("    two();\n    stop();\n", "    two();\n    flush();\n    stop();\n");
    check(
        "rust",
        before,
        "// ...\nfn b() {\n    start();\n    two();\n    flush();\n    stop();\n}\n// ...\n",
        &after,
    );
    let after = before.replace("fn b() {\n    start();\n", "fn b() {\n    prepare();\n    start();\n");
    check("rust", before, "fn b() {\n    prepare();\n    start();\n    // ...\n}\n", &after);
}

#[test]
fn items_several_deep_stay() {
    let before = "\
describe('shop', () => {
  describe('basket', () => {
    it('is empty at first', () => {
      expect(basket.size).toBe(0);
    });

    it('takes an article', () => {
      basket.add('tea');
      expect(basket.size).toBe(1);
    });

    it('gives it back', () => {
      basket.add('tea');
      basket.remove('tea');
      expect(basket.size).toBe(0);
    });
  });

  it('opens', () => {
    expect(shop.open).toBe(true);
  });
});
";
    let after = before.replace(
        "basket.add('tea');\n      expect(basket.size).toBe(1);",
        "basket.add('tea', 2);\n      expect(basket.size).toBe(2);",
    );
    let suggestion = "\
describe('shop', () => {
  describe('basket', () => {
    // ... existing code ...

    it('takes an article', () => {
      basket.add('tea', 2);
      expect(basket.size).toBe(2);
    });

    // ... existing code ...
  });

  // ... existing code ...
});
";
    check("typescript", before, suggestion, &after);
}

#[test]
fn blank_lines_around_a_marker_are_not_the_files() {
    let before = "import alpha\nimport beta\nimport gamma\n\nfirst = alpha.call()\nsecond = beta.call()\nthird = gamma.call()\n";
    let after =
        before.replace("import beta\n", "import beta\nimport delta\n").replace("beta.call", "delta.call");
    let suggestion = "import alpha\n\n# ...\n\nimport beta\nimport delta\nimport gamma\n\n# ...\n\nfirst = alpha.call()\nsecond = delta.call()\nthird = gamma.call()\n";
    check("python", before, suggestion, &after);
}

#[test]
fn a_new_method_after_a_marker_stands_in_the_class_that_is_shown() {
    let before = "\
import net


def connect(host):
    return net.open(host)


class Client:
    def __init__(self, host):
        self.host = host

    def close(self):
        self.host.close()


def main():
    Client(0).close()


if __name__ == \"__main__\":
    main()
";
    let suggestion = "\
class Client:
    # ... existing code ...

    def is_open(self):
        return self.host.is_open
";
    let after = before.replace(
        "self.host.close()\n",
        "self.host.close()\n\n    def is_open(self):\n        return self.host.is_open\n",
    );
    check("python", before, suggestion, &after);
}

#[test]
fn a_new_item_does_not_come_between_another_and_its_comment() {
    let before = "\
struct Store;

impl Store {
    /// How many there are.
    fn count(&self) -> u32 {
        self.total
    }

    /// The first of them.
    fn first(&self) -> u32 {
        self.start
    }
}
";
    let new = "    fn is_empty(&self) -> bool {\n        self.total == 0\n    }\n";
    let suggestion =
        format!("impl Store {{\n    // ... existing code ...\n{new}    // ... existing code ...\n}}\n");
    let (output, _) = merged(before, &suggestion, "rust").expect("a merge");
    for comment in ["/// How many there are.\n    fn count", "/// The first of them.\n    fn first"] {
        assert!(output.contains(comment), "{output}");
    }
    assert!(output.contains(new), "{output}");
}
