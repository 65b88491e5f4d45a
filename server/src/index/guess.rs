//! What stands before the dot: a guess at its type from how it was declared.
//!
//! No type checker: the nearest declaration above the cursor that names a type is believed. A wrong guess costs a few
//! lines of context, no more.

use super::scope::is_word_char;
use super::symbol::base_name;

/// Types that are looked through to what they hold.
const WRAPPERS: [&str; 14] = [
    "Option",
    "Box",
    "Arc",
    "Rc",
    "Ref",
    "RefMut",
    "Cow",
    "Optional",
    "Annotated",
    "Final",
    "Result",
    "Promise",
    "unique_ptr",
    "shared_ptr",
];
/// Words before a type or value that say nothing about it.
const FILLERS: [&str; 12] =
    ["mut", "dyn", "impl", "const", "new", "await", "ref", "readonly", "final", "static", "async", "move"];

/// What an expression may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// A value of this type, or the type itself.
    Type(String),
    /// What this function gives.
    ReturnOf(String),
    /// What a field of a type holds.
    FieldOf {
        /// The type.
        owner: String,
        /// The field.
        field: String,
    },
    /// A module, by the last name of its path.
    Module(String),
}

/// What the cursor stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    /// What it may be.
    pub(super) guess: Guess,
    /// Whether it is a value; otherwise the type or module itself.
    pub(super) of_value: bool,
    /// What of the member's name is there.
    pub(super) prefix: String,
}

/// What stands before the dot that the cursor is behind. `start` is where the scope begins, `container` the type whose
/// member the cursor is in, `is_imported` says whether an import names something.
pub(super) fn receiver(
    text: &str,
    start: usize,
    cursor: usize,
    container: Option<&str>,
    is_imported: &dyn Fn(&str) -> bool,
) -> Option<Receiver> {
    let before = text.get(start..cursor)?;
    let prefix_at = word_start(before);
    let (prefix, before) = (before[prefix_at..].to_owned(), &before[..prefix_at]);
    let path = before.trim_end().ends_with("::");
    let before = strip_access(before)?;
    let name = last_word(before);
    let is_name = !name.is_empty() && !is_type(name) && !["self", "this", "Self", "cls"].contains(&name);
    let undeclared = || declared(name, &before[..before.len() - name.len()]).is_none();
    if is_name && (path || is_imported(name) && undeclared()) {
        return Some(Receiver { guess: Guess::Module(name.to_owned()), of_value: false, prefix });
    }
    let of_value = !path && !is_type(name);
    let guess = if before.ends_with(')') {
        let called = before[..matching_open(before)?].trim_end();
        let name = &called[word_start(called)..];
        match strip_access(&called[..word_start(called)]) {
            // `Queue::new().`
            Some(owner) if is_type(last_word(owner)) => Guess::Type(last_word(owner).to_owned()),
            _ if is_type(name) => Guess::Type(name.to_owned()),
            _ => Guess::ReturnOf(name.to_owned()),
        }
    } else {
        let name = last_word(before);
        let rest = &before[..before.len() - name.len()];
        match strip_access(rest) {
            Some(owner) if !is_type(name) => {
                let owner = type_of(last_word(owner), rest, container)?;
                let Guess::Type(owner) = owner else { return None };
                Guess::FieldOf { owner, field: name.to_owned() }
            }
            _ => type_of(name, rest, container)?,
        }
    };
    let empty = matches!(&guess, Guess::Type(name) | Guess::ReturnOf(name) if name.is_empty());
    (!empty).then_some(Receiver { guess, of_value, prefix })
}

/// Takes the dot, arrow or colons off the end, with a question mark before them.
fn strip_access(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let access = ["?.", "!.", ".", "->", "::"].into_iter().find_map(|access| text.strip_suffix(access))?;
    Some(access.trim_end().trim_end_matches('?').trim_end())
}

fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.chars().any(char::is_lowercase)
}

fn word_start(text: &str) -> usize {
    text.len() - text.chars().rev().take_while(|c| is_word_char(*c)).map(char::len_utf8).sum::<usize>()
}

fn last_word(text: &str) -> &str {
    &text[word_start(text)..]
}

/// Where the parenthesis opens that the last one closes.
fn matching_open(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn type_of(name: &str, above: &str, container: Option<&str>) -> Option<Guess> {
    match name {
        "self" | "this" | "Self" | "cls" => container.map(|name| Guess::Type(name.to_owned())),
        _ if is_type(name) => Some(Guess::Type(name.to_owned())),
        "" => None,
        _ => declared(name, above),
    }
}

/// How a name was declared, by the last declaration in a text.
pub(super) fn declared(name: &str, text: &str) -> Option<Guess> {
    let mut end = text.len();
    while let Some(at) = text[..end].rfind(name) {
        end = at;
        let after = &text[at + name.len()..];
        if text[..at].ends_with(is_word_char) || after.starts_with(is_word_char) {
            continue;
        }
        let after = after.trim_start();
        let annotated = after.strip_prefix('?').unwrap_or(after).trim_start();
        if let Some(value) = after.strip_prefix(":=") {
            if let Some(guess) = of_value(value) {
                return Some(guess);
            }
        } else if let Some(annotation) = annotated.strip_prefix(':').filter(|rest| !rest.starts_with(':')) {
            if let Some(found) = of_annotation(annotation) {
                return Some(Guess::Type(found));
            }
        } else if let Some(value) = after.strip_prefix('=').filter(|rest| !rest.starts_with(['=', '>'])) {
            if let Some(guess) = typed_before(&text[..at]).map(Guess::Type).or_else(|| of_value(value)) {
                return Some(guess);
            }
        } else if let Some(found) = typed_before(&text[..at]).or_else(|| typed_after(after)) {
            return Some(Guess::Type(found));
        }
    }
    None
}

/// `Queue<T> name`, `Queue *name`: the type before a name.
fn typed_before(before: &str) -> Option<String> {
    if !before.ends_with([' ', '*', '&']) {
        return None;
    }
    let mut before = before.trim_end_matches([' ', '*', '&']);
    if before.ends_with('>') {
        before = &before[..before.rfind('<')?];
    }
    let name = last_word(before);
    is_type(name).then(|| name.to_owned())
}

/// `name Queue`, `name *pkg.Queue`: Go's parameters.
fn typed_after(after: &str) -> Option<String> {
    let line = after.lines().next()?.trim_start_matches(['*', '[', ']']);
    let path = &line[..line.find(|c| !is_word_char(c) && c != '.')?];
    let name = base_name(path);
    is_type(name).then(|| name.to_owned())
}

/// The type that an annotation names, seen through references and wrappers.
pub(super) fn of_annotation(text: &str) -> Option<String> {
    let mut text = text.trim_start();
    loop {
        text = text.trim_start_matches(['&', '*', ' ', '"', '[', '(']);
        if let Some(rest) = text.strip_prefix('\'') {
            // A lifetime, or a type in quotes.
            text = rest;
            let name = &rest[..rest.find(|c| !is_word_char(c)).unwrap_or(rest.len())];
            if rest[name.len()..].starts_with(' ') {
                text = &rest[name.len()..];
            }
            continue;
        }
        let end = text.find(|c| !is_word_char(c) && c != '.' && c != ':').unwrap_or(text.len());
        let (path, rest) = text.split_at(end);
        if FILLERS.contains(&path) {
            text = rest.trim_start();
            continue;
        }
        let name = base_name(path.trim_end_matches([':', '.']));
        if WRAPPERS.contains(&name) && rest.starts_with(['<', '[']) {
            text = &rest[1..];
            continue;
        }
        return is_type(name).then(|| name.to_owned());
    }
}

/// What a value is: `Queue::new(1)`, `Queue { .. }`, `new Queue()`, `&mut queue.Queue(x)`, or what a function gives.
fn of_value(text: &str) -> Option<Guess> {
    let mut text = text.trim_start();
    loop {
        text = text.trim_start_matches(['&', '*', ' ', '(']);
        let end = text.find(|c| !is_word_char(c) && c != '.' && c != ':').unwrap_or(text.len());
        let (path, rest) = text.split_at(end);
        if FILLERS.contains(&path) {
            text = rest.trim_start();
            continue;
        }
        let mut parts = path.split(['.', ':']).filter(|part| !part.is_empty());
        if let Some(name) = parts.clone().rev().find(|part| is_type(part)) {
            return (!WRAPPERS.contains(&name)).then(|| Guess::Type(name.to_owned()));
        }
        let name = parts.next_back()?;
        return rest.trim_start().starts_with('(').then(|| Guess::ReturnOf(name.to_owned()));
    }
}

/// What a signature says that a function gives.
pub(super) fn returned(signature: &str) -> Option<String> {
    let after = signature.rfind("->").map(|at| at + 2).or_else(|| {
        let close = signature.rfind(')')?;
        let colon = signature[close..].find(':')?;
        Some(close + colon + 1)
    });
    match after {
        Some(after) => of_annotation(&signature[after..]),
        // `Queue make(...)` and Go's `func make(...) Queue`
        None => {
            let open = signature.find('(')?;
            let name = last_word(signature[..open].trim_end());
            let before = &signature[..open.saturating_sub(name.len())];
            typed_before(before).or_else(|| typed_after(signature[signature.rfind(')')? + 1..].trim_start()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(Guess, &str)>) {
        let cursor = text.find("$0").unwrap();
        let text = text.replacen("$0", "", 1);
        let found = receiver(&text, 0, cursor, Some("Own"), &|name| name == "things");
        let found = found.map(|found| (found.guess, found.prefix));
        assert_eq!(found, expected.map(|(guess, prefix)| (guess, prefix.to_owned())), "{text}");
    }

    fn of_type(name: &str) -> Guess {
        Guess::Type(name.to_owned())
    }

    #[test]
    fn declarations_tell_the_type() {
        for text in [
            "let q = Queue::new(3);\nq.$0",
            "let mut q: &'a mut Queue<T> = make();\nq.$0",
            "fn f(q: &mut Option<Arc<a::Queue<u8>>>) {\n q.$0",
            "let q = Queue { a: 1 };\nif q.$0",
            "q = Queue(3)\nq.$0",
            "def f(q: \"Queue\", b: int):\n  q.$0",
            "q: Optional[things.Queue] = None\nq.$0",
            "q = await things.Queue.make(1)\nq.$0",
            "const q = new Queue();\nq?.$0",
            "Queue<Integer> q = other();\nq.$0",
            "void f(const Queue *q) { q->$0",
            "func f(q *pkg.Queue) {\n\tq.$0",
            "q := pkg.Queue{}\nq.$0",
            "Queue::$0",
            "Queue::new(a(1), 2).$0",
            "x = Queue(1).$0",
            "let q = Other::new();\nlet q = Queue::new();\nq.$0",
        ] {
            check(text, Some((of_type("Queue"), "")));
        }
        check("self.pu$0", Some((of_type("Own"), "pu")));
        check("this.$0", Some((of_type("Own"), "")));
        check("Self::pu$0", Some((of_type("Own"), "pu")));
    }

    #[test]
    fn a_module_is_named_by_its_path_or_an_import() {
        for text in ["a::things::$0", "x = things.$0"] {
            check(text, Some((Guess::Module("things".to_owned()), "")));
        }
        check("things = Queue()\nthings.$0", Some((of_type("Queue"), "")));
        check("other.$0", None);
    }

    #[test]
    fn what_cannot_be_known_here_says_what_would_tell() {
        check("let q = make_queue(1);\nq.$0", Some((Guess::ReturnOf("make_queue".to_owned()), "")));
        check("make_queue(a, b(2)).le$0", Some((Guess::ReturnOf("make_queue".to_owned()), "le")));
        let items = Guess::FieldOf { owner: "Own".to_owned(), field: "items".to_owned() };
        check("self.items.$0", Some((items.clone(), "")));
        check("let o = Own::new();\no.items.pu$0", Some((items, "pu")));
        for text in ["q.$0", "1 + $0", "$0", "foo $0", "a = 3\na.$0", ").$0", "é.$0", "if a == Queue {\na.$0"]
        {
            check(text, None);
        }
    }

    #[test]
    fn signatures_say_what_they_give() {
        for (signature, expected) in [
            ("pub fn make(a: u8) -> Result<Queue<T>, Error>", Some("Queue")),
            ("def make(a) -> Queue:", Some("Queue")),
            ("function make(a: number): Promise<Queue>", Some("Queue")),
            ("public static Queue make(int a)", Some("Queue")),
            ("func make(a int) *Queue {", Some("Queue")),
            ("fn make(a: Queue)", None),
            ("def make():", None),
            ("", None),
        ] {
            assert_eq!(returned(signature).as_deref(), expected, "{signature}");
        }
    }
}
