//! `check(before, suggestion, after)`: one case for every rule of the merge.

use super::*;
use crate::apply::FileText;
use crate::suggestion::parse;

/// The best merge of `suggestion` into `before`, as text.
pub(super) fn merged(before: &str, suggestion: &str, language: &str) -> Result<(String, f64), String> {
    let file = FileText::new(before);
    let suggestion = parse(suggestion, Some(language), None).map_err(|error| error.to_string())?;
    let merges =
        merge(&file.lines(), &suggestion, Language::by_name(language)).map_err(|error| error.to_string())?;
    Ok((file.rebuild(&merges[0].lines), merges[0].confidence))
}

/// Asserts what the best merge is.
#[track_caller]
pub(super) fn check(language: &str, before: &str, suggestion: &str, after: &str) {
    match merged(before, suggestion, language) {
        Ok((output, _)) => assert_eq!(output, after, "\n--- merged\n{output}\n--- wanted\n{after}"),
        Err(error) => panic!("{error}"),
    }
}

const SHAPES: &str = "\
use std::fmt;

struct Circle {
    radius: f64,
}

impl Circle {
    fn area(&self) -> f64 {
        let r = self.radius;
        r * r * 3.14
    }

    fn name(&self) -> &str {
        \"circle\"
    }
}

fn main() {
    let circle = Circle { radius: 1.0 };
    println!(\"{}\", circle.area());
}
";

#[test]
fn a_marker_between_two_anchors_keeps_the_gap() {
    let after = SHAPES.replace("r * r * 3.14", "r * r * std::f64::consts::PI");
    let suggestion = "\
// ... existing code ...
    fn area(&self) -> f64 {
        let r = self.radius;
        r * r * std::f64::consts::PI
    }
// ... existing code ...
";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn lines_shown_side_by_side_take_out_what_lies_between() {
    let after = SHAPES
        .replace("    fn name(&self) -> &str {\n        \"circle\"\n    }\n", "")
        .replace("    }\n\n}", "    }\n}");
    let suggestion = "\
// ...
        r * r * 3.14
    }
}

fn main() {
// ...
";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn a_function_without_markers_replaces_its_namesake() {
    let after = SHAPES.replace(
        "fn name(&self) -> &str {\n        \"circle\"",
        "fn name(&self) -> String {\n        String::from(\"circle\")",
    );
    let suggestion = "    fn name(&self) -> String {\n        String::from(\"circle\")\n    }\n";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn lost_indentation_is_given_back() {
    let after = SHAPES.replace("        let r = self.radius;\n", "        let r = self.radius.abs();\n");
    let suggestion = "fn area(&self) -> f64 {\n    let r = self.radius.abs();\n    r * r * 3.14\n}\n";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn imports_and_items_in_blocks_of_their_own_find_their_places() {
    let after =
        SHAPES.replace("use std::fmt;\n", "use std::f64::consts::PI;\nuse std::fmt;\n").replace("3.14", "PI");
    let suggestion = "\
Update the imports:

```rust
use std::f64::consts::PI;
use std::fmt;
```

```rust
fn area(&self) -> f64 {
    let r = self.radius;
    r * r * PI
}
```
";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn new_lines_with_context_on_one_side_stand_beside_it() {
    let after = SHAPES.replace("    radius: f64,\n", "    radius: f64,\n    colour: u32,\n");
    check("rust", SHAPES, "// ...\nstruct Circle {\n    radius: f64,\n    colour: u32,\n// ...\n", &after);
}

/// Three look-alike tests; the suggestion speaks of the last.
const REPEATED: &str = "\
def test_one():
    client = make_client()
    answer = client.get(\"/one\")
    assert answer.ok


def test_two():
    client = make_client()
    answer = client.get(\"/two\")
    assert answer.ok


def test_three():
    client = make_client()
    answer = client.get(\"/three\")
    assert answer.ok
";

#[test]
fn repeated_code_is_not_aligned_with_an_earlier_look_alike() {
    let after = REPEATED.replace(
        "\"/three\")\n    assert answer.ok",
        "\"/three\")\n    assert answer.ok\n    assert answer.json()",
    );
    let suggestion = "\
# ... existing code ...
    client = make_client()
    answer = client.get(\"/three\")
    assert answer.ok
    assert answer.json()
";
    check("python", REPEATED, suggestion, &after);
}

#[test]
fn a_new_copy_of_known_code_takes_nothing_out() {
    let new = "def test_four():\n    client = make_client()\n    answer = client.get(\"/four\")\n    assert answer.ok\n";
    let after = format!("{REPEATED}\n\n{new}");
    let suggestion = format!("# ...\n    answer = client.get(\"/three\")\n    assert answer.ok\n\n\n{new}");
    check("python", REPEATED, &suggestion, &after);
}

#[test]
fn careless_whitespace_quotes_and_blank_lines_are_no_edit() {
    let before = "def greet( name ):\n    text = 'hello'\n\n    print(text, name)\n    return text\n";
    let suggestion = "\
Here is the change you asked for:

```python
def greet(name):
    text = \"hello\"  
    print(text, name)
    return text + name
```

That should do it.
";
    let after = before.replace("return text", "return text + name");
    check("python", before, suggestion, &after);
}

#[test]
fn without_prose_a_change_of_whitespace_is_an_edit() {
    let before = "def f(x):\n    a = g( x )\n    b = h(x)\n    return a + b\n";
    let suggestion = "def f(x):\n    a = g(x)\n    b = h(x)\n    return a + b\n";
    check("python", before, suggestion, suggestion);
}

#[test]
fn tabs_that_became_spaces_become_tabs_again() {
    let before = "func f() {\n\tif ok {\n\t\trun()\n\t}\n}\n";
    let suggestion = "func f() {\n    if ok {\n        run()\n        stop()\n    }\n}\n";
    check("go", before, suggestion, "func f() {\n\tif ok {\n\t\trun()\n\t\tstop()\n\t}\n}\n");
}

#[test]
fn attributes_above_an_item_give_way_to_the_ones_shown() {
    let before = "mod a;\n\n#[derive(Debug)]\nstruct Point {\n    x: i32,\n}\n\nstruct Other;\n";
    let suggestion = "#[derive(Debug, Clone)]\nstruct Point {\n    x: i32,\n    y: i32,\n}\n";
    let after = before
        .replace("#[derive(Debug)]", "#[derive(Debug, Clone)]")
        .replace("    x: i32,\n", "    x: i32,\n    y: i32,\n");
    check("rust", before, suggestion, &after);
}

#[test]
fn a_whole_file_replaces_the_file() {
    let after = SHAPES.replace("1.0", "2.0").replace("\"circle\"", "\"disc\"");
    check("rust", SHAPES, &after, &after);
    check("rust", SHAPES, &format!("```rust\n{after}```\n"), &after);
}

#[test]
fn an_ellipsis_as_a_body_is_code() {
    let before = "def f(): ...\n\n\ndef g():\n    return 1\n";
    let after = "def f():\n    ...\n\n\ndef g():\n    return 2\n";
    check("python", before, after, after);
}

#[test]
fn a_file_that_holds_marker_like_lines_keeps_them() {
    let before = "a = 1\n# ... existing code ...\nb = 2\nc = 3\nd = 4\n";
    check("python", before, "# ...\nb = 2\nc = 30\nd = 4\n", &before.replace("c = 3\n", "c = 30\n"));
}

#[test]
fn an_empty_file_takes_the_suggestion() {
    check("python", "", "a = 1\nb = 2\n", "a = 1\nb = 2\n");
}

#[test]
fn a_suggestion_for_another_file_is_refused() {
    for suggestion in ["def unrelated():\n    return None\n", "    let unrelated = other(thing);\n"] {
        let error = merged(SHAPES, suggestion, "rust").expect_err("no place");
        assert!(error.contains("another one"), "{error}");
    }
}

#[test]
fn a_snippet_with_one_reading_is_surer_than_one_with_two() {
    let sure = "// ...\n    fn area(&self) -> f64 {\n        let r = self.radius;\n        r * r * 3.1415\n    }\n\n    fn name(&self) -> &str {\n// ...\n";
    let unsure = "// ...\n    }\n    one();\n// ...\n    two();\n    }\n// ...\n";
    let (_, high) = merged(SHAPES, sure, "rust").expect("a merge");
    assert!(high >= SURE, "{high}");
    if let Ok((_, low)) = merged(SHAPES, unsure, "rust") {
        assert!(low < SURE, "{low}");
    }
}

#[test]
fn search_and_replace_is_exact_in_every_spelling() {
    let after = SHAPES.replace("3.14", "3.1416");
    for (search, replace) in [
        ("<<<<<<< SEARCH", ">>>>>>> REPLACE"),
        ("------- SEARCH", "+++++++ REPLACE"),
        ("<<<<<<< ORIGINAL", ">>>>>>> UPDATED"),
    ] {
        let suggestion =
            format!("{search}\n        r * r * 3.14\n=======\n        r * r * 3.1416\n{replace}\n");
        check("rust", SHAPES, &suggestion, &after);
    }
}

#[test]
fn search_blocks_may_be_dedented_and_out_of_order() {
    let after = SHAPES.replace("3.14", "3.1416").replace("1.0", "2.0");
    let suggestion = "\
<<<<<<< SEARCH
let circle = Circle { radius: 1.0 };
=======
let circle = Circle { radius: 2.0 };
>>>>>>> REPLACE
<<<<<<< SEARCH
let r = self.radius;
r * r * 3.14
=======
let r = self.radius;
r * r * 3.1416
>>>>>>> REPLACE
";
    check("rust", SHAPES, suggestion, &after);
}

#[test]
fn search_blocks_may_show_what_the_ones_before_them_wrote() {
    let after =
        SHAPES.replace("let r = self.radius;", "let r = self.radius.abs();").replace("3.14", "3.1416");
    let suggestion = "\
<<<<<<< SEARCH
        let r = self.radius;
        r * r * 3.14
=======
        let r = self.radius.abs();
        r * r * 3.14
>>>>>>> REPLACE
<<<<<<< SEARCH
        let r = self.radius.abs();
        r * r * 3.14
    }
=======
        let r = self.radius.abs();
        r * r * 3.1416
    }
>>>>>>> REPLACE
";
    check("rust", SHAPES, suggestion, &after);
    // Context that is shown twice.
    let suggestion = suggestion.replace(
        "        let r = self.radius.abs();\n        r * r * 3.14\n    }\n=======\n        let r = self.radius.abs();\n",
        "        r * r * 3.14\n    }\n=======\n",
    );
    check("rust", SHAPES, &suggestion, &after);
}

#[test]
fn diffs_need_no_right_line_numbers() {
    let after = SHAPES
        .replace("    println!(\"{}\", circle.area());\n", "    println!(\"area {}\", circle.area());\n");
    for header in ["@@ -100,3 +7,3 @@", "@@ ... @@", "@@", "--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@ fn main()"] {
        let suggestion = format!(
            "{header}\n     let circle = Circle {{ radius: 1.0 }};\n-    println!(\"{{}}\", circle.area());\n+    println!(\"area {{}}\", circle.area());\n }}\n"
        );
        check("rust", SHAPES, &suggestion, &after);
    }
}

#[test]
fn text_that_stands_at_several_places_is_not_taken_for_sure() {
    let suggestion =
        "<<<<<<< SEARCH\n    assert answer.ok\n=======\n    assert answer.fine\n>>>>>>> REPLACE\n";
    let (_, confidence) = merged(REPEATED, suggestion, "python").expect("a merge");
    assert!(confidence < SURE, "{confidence}");
}

#[test]
fn text_that_is_not_there_is_named() {
    let suggestion = "<<<<<<< SEARCH\nnot there\n=======\nstill not\n>>>>>>> REPLACE\n";
    let error = merged(REPEATED, suggestion, "python").expect_err("not found");
    assert!(error.contains("block 1") && error.contains("not there"), "{error}");
}

#[test]
fn a_near_miss_is_a_proposal_not_a_certainty() {
    let suggestion = "<<<<<<< SEARCH\ndef test_two():\n    client = make_client()\n    answer = client.get(\"/2\")\n    assert answer.ok\n=======\ndef test_two():\n    client = make_client()\n    answer = client.get(\"/two\", follow=True)\n    assert answer.ok\n>>>>>>> REPLACE\n";
    let (output, confidence) = merged(REPEATED, suggestion, "python").expect("a merge");
    assert_eq!(output, REPEATED.replace("\"/two\"", "\"/two\", follow=True"));
    assert!(confidence < SURE, "{confidence}");
}

#[test]
fn a_large_file_is_merged_without_blowing_up() {
    let before: String = (0..3000).map(|n| format!("fn item_{n}() {{\n    call({n});\n}}\n")).collect();
    let after = before.replace("call(2500)", "call(25)");
    check("rust", &before, "// ...\nfn item_2500() {\n    call(25);\n}\n// ...\n", &after);
    check("rust", &before, &after, &after);
}

#[test]
fn dots_alone_are_text_where_markers_are_comments() {
    let before = "def f():\n    one()\n    two()\n\n\ndef g():\n    pass\n";
    let new = "def h():\n    \"\"\"\n    >>> h()\n    ...\n    \"\"\"\n    three()\n";
    let suggestion = format!("# ...\n    two()\n\n\n{new}\n\ndef g():\n# ...\n");
    check("python", before, &suggestion, &before.replace("def g()", &format!("{new}\n\ndef g()")));
}

const PARSER: &str = "\
import io


def read(text):
    lines = text.split()

    return lines


def write(lines):
    return \" \".join(lines)


def check(lines):
    return bool(lines)
";

/// As chat assistants say it: with prose around, and careless about blank lines.
fn said(code: &str) -> String {
    format!("Here is the change:\n\n```python\n{code}```\n\nThat should do it.\n")
}

#[test]
fn blank_lines_lost_between_unchanged_lines_are_the_files() {
    let code = "import io\ndef read(text):\n    lines = text.split()\n    return lines\ndef write(lines):\n    return \",\".join(lines)\n# ...\n";
    check("python", PARSER, &said(code), &PARSER.replace("\" \".join", "\",\".join"));
}

#[test]
fn an_item_that_stays_keeps_its_distance_beside_new_and_removed_lines() {
    let code = "import io\n# ...\n    lines = text.split()\n    return lines\n\ndef check(lines):\n    return bool(lines)\n";
    let after = PARSER.replace("def write(lines):\n    return \" \".join(lines)\n\n\n", "");
    check("python", PARSER, &said(code), &after);
    let code = "import io\nfrom os import path\n\ndef read(text):\n# ...\n";
    check("python", PARSER, &said(code), &PARSER.replace("import io\n", "import io\nfrom os import path\n"));
}

#[test]
fn a_new_item_stands_as_far_off_as_the_files_items_do() {
    let new = "def count(lines):\n    return len(lines)\n";
    let code = format!("# ...\n    return \" \".join(lines)\n\n{new}\ndef check(lines):\n# ...\n");
    check("python", PARSER, &said(&code), &PARSER.replace("def check", &format!("{new}\n\ndef check")));
}

#[test]
fn a_blank_line_more_is_an_edit_however_careless_the_suggestion() {
    let before = "a = first()\nb = second()\nc = third()\nd = fourth()\ne = last()\n";
    let code = "a = first()\nb = second()\n\nc = third()\nd = fifth()\ne = last()\n";
    check("python", before, &said(code), code);
}

const ORDERS: &str = "\
import json
import os

from shop.prices import price_of, tax_of

LIMIT = 3


def load(path):
    with open(os.path.join(path, 'orders.json')) as file:
        return json.load(file)


def total(order):
    return price_of(order) + tax_of(order)
";

#[test]
fn an_import_that_is_not_shown_goes_if_the_edit_takes_its_last_use() {
    let suggestion = "\
```python
import json

from shop.prices import price_of, tax_of
```

```python
def load(path):
    with open(f'{path}/orders.json') as file:
        return json.load(file)
```
";
    let after = ORDERS
        .replace("import os\n", "")
        .replace("os.path.join(path, 'orders.json')", "f'{path}/orders.json'");
    check("python", ORDERS, suggestion, &after);
}

#[test]
fn an_import_that_is_not_shown_stays_if_it_is_still_used() {
    let suggestion = "\
```python
import json

from shop.prices import price_of, tax_of

LIMIT = 5
```
";
    check("python", ORDERS, suggestion, &ORDERS.replace("LIMIT = 3", "LIMIT = 5"));
}

#[test]
fn a_value_at_the_top_of_a_file_is_replaced_although_nothing_stands_beside_it() {
    check("python", ORDERS, "LIMIT = 5\n", &ORDERS.replace("LIMIT = 3", "LIMIT = 5"));
}
