//! The last look at an edited file before it lands: where each line comes from, and what a person should see first.
//!
//! The guard never changes text. It finds what is wrong with an output and says so in plain sentences; whoever called
//! it decides what to do. A clean review is no proof, only the absence of known signs of damage.

mod syntax;

use std::collections::HashMap;

use redraft_grammars::Language;

use crate::merge::{Evidence, item_name};
use crate::suggestion::{Body, Element, HunkLine, Marker, Suggestion, read_marker};

/// Where a line of an edited file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the file.
    Original,
    /// It stands in the suggestion.
    Suggestion,
    /// It stands in neither: a model wrote it.
    Model,
}

/// Says for every line of `output` where it comes from; a line that stands in both counts as the file's.
pub fn attribute(original: &[&str], suggestion: &Suggestion, output: &[&str]) -> Vec<Origin> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in original {
        *left.entry(line.trim_end()).or_insert(0) += 1;
    }
    let suggested = suggested_lines(suggestion);
    output
        .iter()
        .map(|line| {
            let line = line.trim_end();
            if line.is_empty() {
                return Origin::Original;
            }
            if let Some(count) = left.get_mut(line).filter(|count| **count > 0) {
                *count -= 1;
                return Origin::Original;
            }
            if suggested.contains_key(line.trim()) { Origin::Suggestion } else { Origin::Model }
        })
        .collect()
}

/// The lines that a suggestion shows, without indentation, and how often.
fn suggested_lines(suggestion: &Suggestion) -> HashMap<&str, usize> {
    let mut lines = HashMap::new();
    let mut add = |text| *lines.entry(str::trim(text)).or_insert(0) += 1;
    match &suggestion.body {
        Body::Snippets(blocks) => {
            for element in blocks.iter().flatten() {
                if let Element::Line(text) = element {
                    add(text.as_str());
                }
            }
        }
        Body::Hunks(hunks) => {
            for line in hunks.iter().flat_map(|hunk| &hunk.lines) {
                if let HunkLine::Context(text) | HunkLine::Added(text) = line {
                    add(text.as_str());
                }
            }
        }
    }
    lines
}

/// What makes a merge doubtful, in plain sentences.
pub fn doubts(evidence: &Evidence) -> Vec<String> {
    let mut why = Vec::new();
    if evidence.readings > 1 {
        why.push(format!("The suggestion can be read in {} ways; this is the likeliest.", evidence.readings));
    }
    if evidence.edge_edits > 0 {
        why.push("It changes lines without showing what stands next to them.".into());
    }
    if evidence.one_sided > 0 {
        why.push("It shows the place of new lines from one side only.".into());
    }
    if evidence.longest_cut > 3 {
        why.push(format!("A stretch of {} lines goes because it leaves them out.", evidence.longest_cut));
    }
    if evidence.copied > 2 {
        why.push(format!("{} lines would stand in the file twice.", evidence.copied));
    }
    if evidence.hanging > 0 {
        why.push("Kept text would be indented deeper than the new text before it.".into());
    }
    why
}

/// Looks at an edited file; every sentence is a reason to ask a person first.
pub fn review(
    original: &str,
    output: &str,
    suggestion: &Suggestion,
    language: Option<Language>,
) -> Vec<String> {
    let mut why = damage(original, output, suggestion, language);
    why.extend(invented(original, output, suggestion));
    why
}

/// What no edit should do to a file, whoever wrote it: new syntax errors, and text that belongs to the suggestion alone.
pub fn damage(
    original: &str,
    output: &str,
    suggestion: &Suggestion,
    language: Option<Language>,
) -> Vec<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (original.lines().collect(), output.lines().collect());
    let mut why = Vec::new();
    why.extend(syntax::new_error(original, output, language));
    why.extend(leftovers(&before, &after, suggestion));
    why
}

/// Lines that a model wrote of its own, in one sentence.
pub fn invented(original: &str, output: &str, suggestion: &Suggestion) -> Option<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (original.lines().collect(), output.lines().collect());
    let origins = attribute(&before, suggestion, &after);
    let invented: Vec<usize> = origins
        .iter()
        .enumerate()
        .filter(|(_, origin)| **origin == Origin::Model)
        .map(|(at, _)| at)
        .collect();
    let first = invented.first()?;
    Some(match invented.len() {
        1 => format!("Line {} stands neither in the file nor in the suggestion.", first + 1),
        count => format!(
            "{count} lines, the first of them line {}, stand neither in the file nor in the suggestion.",
            first + 1
        ),
    })
}

/// An item that goes although a snippet leaves the file with fewer items than it had, in one sentence: where the snippet
/// does not show its neighbours side by side, more often a stretch that was cut by mistake than one that was meant to
/// go. Diffs and search blocks show what they take out, and a renamed item leaves as many as there were.
pub fn gone_item(original: &str, output: &str, suggestion: &Suggestion) -> Option<String> {
    let Body::Snippets(_) = &suggestion.body else { return None };
    if items(output).len() >= items(original).len() {
        return None;
    }
    let gone = more_items(original, output).into_iter().next()?;
    Some(format!("`{gone}` would be gone from the file."))
}

fn items(text: &str) -> Vec<&str> {
    text.lines().filter_map(item_name).collect()
}

/// The names of the items that `text` has more often than `other`, in its order.
pub fn more_items<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let mut left = items(other);
    let is_more = |name: &&str| match left.iter().position(|kept| kept == name) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    items(text).into_iter().filter(is_more).collect()
}

/// Lines of `merged` that `output` has lost, in one sentence: used where a model rewrote what a merge had kept.
pub fn lost(merged: &str, output: &str) -> Option<String> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in output.lines() {
        *left.entry(line.trim()).or_insert(0) += 1;
    }
    let mut missing = merged.lines().enumerate().filter(|(_, line)| {
        let line = line.trim();
        match left.get_mut(line) {
            _ if line.is_empty() => false,
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        }
    });
    let (_, first) = missing.next()?;
    let count = missing.count() + 1;
    let lines = if count == 1 { "line is" } else { "lines are" };
    Some(format!("{count} {lines} gone that the suggestion does not speak of, first {:?}.", first.trim()))
}

/// Markers, conflict marks and fences that the edit brought in; what the suggestion has as code is none.
fn leftovers(before: &[&str], after: &[&str], suggestion: &Suggestion) -> Vec<String> {
    let is_new = |line: &&str| !before.iter().any(|old| old.trim() == line.trim());
    let code = suggested_lines(suggestion);
    let mut why = Vec::new();
    let mut find = |what: &str, test: &dyn Fn(&str) -> bool| {
        if let Some(at) = after.iter().position(|line| test(line) && is_new(line)) {
            why.push(format!("Line {} still holds {what} of the suggestion.", at + 1));
        }
    };
    find("an elision marker", &|line| {
        let is_code = |marker: &Marker| marker.bare && code.contains_key(line.trim());
        read_marker(line, Some("")).is_some_and(|marker| !marker.maybe_code && !is_code(&marker))
    });
    let demands = suggestion.demands();
    find("a request to you", &|line| demands.iter().any(|demand| demand.trim() == line.trim()));
    find("a conflict mark", &|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>"));
    find("a code fence", &|line| line.starts_with("```"));
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggestion::parse;

    fn why(before: &str, suggestion: &str, after: &str, path: &str) -> Vec<String> {
        let suggestion = parse(suggestion, None, Some(path)).expect("a readable suggestion");
        review(before, after, &suggestion, Language::from_path(path))
    }

    #[test]
    fn a_clean_edit_gives_no_reason_to_ask() {
        let after = "fn a() {}\nfn b() { 1; }\n";
        assert_eq!(why("fn a() {}\nfn b() {}\n", "fn b() { 1; }", after, "a.rs"), Vec::<String>::new());
    }

    #[test]
    fn a_new_syntax_error_is_found_and_an_old_one_is_not_blamed_on_the_edit() {
        let found = why("fn a() {}\n", "fn a() {", "fn a() {\n", "a.rs");
        assert!(found.iter().any(|why| why.contains("syntax")), "{found:?}");
        let found = why("fn a( {}\nfn b() {}\n", "fn b() { 1; }", "fn a( {}\nfn b() { 1; }\n", "a.rs");
        assert!(!found.iter().any(|why| why.contains("syntax")), "{found:?}");
    }

    #[test]
    fn unbalanced_brackets_are_found_without_a_grammar() {
        let found = why("void a() {\n}\n", "void a() {\n", "void a() {\n", "a.c");
        assert!(found.iter().any(|why| why.contains("brackets")), "{found:?}");
    }

    #[test]
    fn left_over_markers_conflict_marks_and_fences_are_found() {
        for line in ["// ... existing code ...", "<<<<<<< SEARCH", "```rust"] {
            let found = why("int a;\n", "int b;", &format!("int a;\n{line}\nint b;\n"), "a.c");
            assert!(found.iter().any(|why| why.contains("still holds")), "{line}: {found:?}");
        }
        let kept = "int a;\n// ... existing code ...\nint b;\n";
        assert_eq!(why(kept, "int b;", kept, "a.c"), Vec::<String>::new());
    }

    #[test]
    fn invented_lines_are_found() {
        let found = why("a = 1\n", "b = 2", "a = 1\nb = 2\nc = 3\n", "a.py");
        assert_eq!(found, ["Line 3 stands neither in the file nor in the suggestion."]);
    }

    #[test]
    fn an_item_that_a_snippet_leaves_out_is_missed_and_a_renamed_one_is_not() {
        let file = "fn a() {}\nfn count(n: u32) {}\nfn c() {}\n";
        let snippet = "// ...\nfn a() { count }\n// ...";
        let gone = |snippet: &str, after: &str| {
            gone_item(file, after, &parse(snippet, None, None).expect("a readable suggestion"))
        };
        let found = gone(snippet, "fn a() { count }\nfn c() {}\n");
        assert_eq!(found.as_deref(), Some("`count` would be gone from the file."));
        let renamed = "fn a() {}\nfn total(n: u32) {}\nfn c() {}\n";
        assert_eq!(gone("fn total(n: u32) {}", renamed), None);
        let diff = "@@ @@\n fn a() {}\n-fn count(n: u32) {}\n fn c() {}\n";
        assert_eq!(gone(diff, "fn a() {}\nfn c() {}\n"), None);
    }

    #[test]
    fn lost_lines_are_counted_with_repetition() {
        assert_eq!(lost("a\nb\nb\n", "b\na\nb\n"), None);
        assert!(lost("a\nb\nb\n", "a\nb\n").is_some_and(|why| why.starts_with("1 line is gone")));
    }
}
