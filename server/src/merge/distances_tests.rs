//! Blank lines: cases of what a suggestion shows of them and what they become.

use super::tests::{check, merged};

const PYTHON: &str = "\
import os
LIMIT = 3


def first_function(value):
    return value + 1


def second_function(value):
    return value + 2


def third_function(value):
    return value + 3
";

#[test]
fn an_attribute_before_a_marker_stands_right_above_what_follows() {
    let before =
        "use std::cell::Cell;\n\npub struct Lazy {\n    inner: Cell<u32>,\n}\n\nfn other_function() {}\n";
    let suggestion = "use std::cell::Cell;\n\n#[derive(Debug)]\n// ... existing code ...\n";
    check("rust", before, suggestion, &before.replace("pub struct", "#[derive(Debug)]\npub struct"));
}

#[test]
fn two_blank_lines_in_one_place_of_a_file_with_braces_go_where_one_is_shown() {
    let before = "\
fn first_function() {
    one_call();
}


fn second_function() {
    two_calls();
}

fn third_function() {
    three_calls();
}
";
    let suggestion = "\
// ... existing code ...
    one_call();
}

fn second_function() {
    two_calls();
    one_more_call();
}
// ... existing code ...
";
    let after =
        before.replace("\n\n\n", "\n\n").replace("two_calls();", "two_calls();\n    one_more_call();");
    check("rust", before, suggestion, &after);
}

#[test]
fn two_blank_lines_that_set_items_apart_stay_where_one_is_shown() {
    let suggestion = "\
# ... existing code ...
    return value + 1

def second_function(value):
    return value + 22
# ... existing code ...
";
    check("python", PYTHON, suggestion, &PYTHON.replace("value + 2", "value + 22"));
}

#[test]
fn a_new_item_after_a_marker_stands_as_far_off_as_the_items_of_the_file_do() {
    let suggestion = "\
# ... existing code ...

def new_function(value):
    return value + 12


def third_function(value):
    # ... existing code ...
";
    let after = PYTHON.replace(
        "def third_function",
        "def new_function(value):\n    return value + 12\n\n\ndef third_function",
    );
    check("python", PYTHON, suggestion, &after);
}

#[test]
fn lines_shown_closer_together_than_they_will_stand_make_a_merge_less_likely() {
    let shown = "\
# ... existing code ...
    return value + 1


def second_function(value):
    return value + 22
# ... existing code ...
";
    let likely = |suggestion: &str| merged(PYTHON, suggestion, "python").expect("a merge");
    let (same, closer) = (likely(shown), likely(&shown.replace("\n\n\n", "\n\n")));
    assert_eq!(same.0, closer.0);
    assert!(closer.1 < same.1, "{} {}", closer.1, same.1);
}
