use proptest::prelude::*;

use super::*;
use crate::apply::FileText;
use crate::merge;
use crate::suggestion;

/// Twenty methods of ten lines in one implementation.
fn file() -> String {
    let method = |n: usize| {
        let body: String = (0..6).map(|at| format!("        step_{n}_{at}();\n")).collect();
        format!("    /// Does {n}.\n    fn method_{n}(&self) {{\n{body}    }}\n\n")
    };
    format!("use a::b;\n\nimpl Thing {{\n{}}}\n", (0..20).map(method).collect::<String>())
}

fn merges(text: &str, suggestion: &str) -> Vec<Merge> {
    let suggestion = suggestion::parse(suggestion, None, Some("a.rs")).expect("a suggestion");
    let lines: Vec<&str> = text.lines().collect();
    merge::merge(&lines, &suggestion, Language::by_name("rust")).expect("a merge")
}

fn scope(text: &str, merges: &[Merge]) -> Option<Scope> {
    let lines: Vec<&str> = text.lines().collect();
    Scope::of_items(&lines, merges, Language::by_name("rust"))
}

const EDIT: &str = "impl Thing {\n    // ...\n    fn method_9(&self) {\n        // ...\n        step_9_2();\n        step_new();\n        step_9_3();\n        // ...\n    }\n    // ...\n}\n";

#[test]
fn a_scope_shows_the_item_whole_the_headers_around_it_and_markers_for_the_rest() {
    let text = file();
    let merges = merges(&text, EDIT);
    let found = scope(&text, &merges).expect("a scope");
    let lines: Vec<&str> = text.lines().collect();
    let shown = found.excerpt(&lines);
    for part in [
        "impl Thing {\n",
        "    fn method_8(&self) {\n",
        "    /// Does 9.\n    fn method_9(&self) {\n        step_9_0();\n",
        "        step_9_5();\n    }\n",
        "\n}\n",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(!shown.contains("step_8_1()") && shown.lines().count() * 2 < lines.len(), "{shown}");
    let merged = found.excerpt_of(&merges[0].lines);
    assert_eq!(merged, shown.replace("step_9_2();\n", "step_9_2();\n        step_new();\n"));
    let restored = found.restore(&lines, &merged);
    let file = FileText::new(&text);
    assert_eq!(file.rebuild(&restored), file.rebuild(&merges[0].lines));
}

#[test]
fn an_edit_all_over_a_file_has_no_scope() {
    let text = file();
    let everywhere: String = text.lines().map(|line| format!("{line}\n")).collect::<String>();
    let everywhere = everywhere.replace("_3();", "_3(1);");
    assert!(scope(&text, &merges(&text, &everywhere)).is_none());
}

#[test]
fn an_answer_that_lost_or_moved_a_marker_loses_nothing_of_the_file() {
    let text = file();
    let merges = merges(&text, EDIT);
    let found = scope(&text, &merges).expect("a scope");
    let lines: Vec<&str> = text.lines().collect();
    let merged = found.excerpt_of(&merges[0].lines);
    let markers: Vec<&str> = found.markers().map(|(_, marker)| marker).collect();
    assert!(markers.len() > 1);
    let file = FileText::new(&text);
    let restored = |answer: &str| file.rebuild(&found.restore(&lines, answer));
    let wanted = file.rebuild(&merges[0].lines);
    for marker in &markers {
        assert_eq!(restored(&merged.replace(&format!("{marker}\n"), "")), wanted);
        assert_eq!(restored(&merged.replace(marker, marker.trim())), wanted);
        assert_eq!(restored(&format!("{merged}{marker}\n")), wanted);
    }
    assert_eq!(restored(&found.excerpt(&lines)), text);
}

#[test]
fn the_places_of_an_edit_are_what_it_changes_and_what_the_suggestion_quotes() {
    let text = file();
    let lines: Vec<&str> = text.lines().collect();
    let suggestion = EDIT.replace("impl Thing {\n", "use a::b;\n\nimpl Thing {\n");
    let merges = merges(&text, &suggestion);
    let found =
        Scope::of_edits(&lines, &merges[..1], &suggestion, Language::by_name("rust")).expect("a scope");
    let shown = found.excerpt(&lines);
    let place = "    fn method_9(&self) {\n        step_9_0();\n        step_9_1();\n        step_9_2();\n        \
                 step_9_3();\n        step_9_4();\n        step_9_5();\n";
    assert!(shown.starts_with("use a::b;\n\nimpl Thing {\n") && shown.contains(place), "{shown}");
    assert!(!shown.contains("method_8") && shown.lines().count() < 16, "{shown}");
    let restored = found.restore(&lines, &found.excerpt_of(&merges[0].lines));
    let file = FileText::new(&text);
    assert_eq!(file.rebuild(&restored), file.rebuild(&merges[0].lines));
    assert!(Scope::of_edits(&lines, &[], &suggestion, None).is_none(), "nothing fits: nothing is left out");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_are_not_shown_never_change(
        endings in prop::collection::vec(any::<bool>(), 8), choices in prop::collection::vec(0..6_u8, 1..60),
        pieces in prop::collection::vec(1..40_usize, 1..20), careless in any::<bool>(), places in any::<bool>(),
    ) {
        let plain = file();
        let merges = merges(&plain, EDIT);
        let found = if places {
            Scope::of_edits(&plain.lines().collect::<Vec<_>>(), &merges, EDIT, Language::by_name("rust"))
        } else {
            scope(&plain, &merges)
        };
        let found = found.expect("a scope");
        let ending = |at: usize| if endings[at % endings.len()] { "\r\n" } else { "\n" };
        let text: String =
            plain.lines().enumerate().map(|(at, line)| format!("{line}{}", ending(at))).collect();
        let original = FileText::new(&text);
        let lines = original.lines();
        // An answer that may do anything, to the markers too where `careless`.
        let mut answer = String::new();
        for (at, line) in found.excerpt(&lines).lines().enumerate() {
            let choice = if found.is_marker(line) && !careless { 5 } else { choices[at % choices.len()] };
            match choice {
                0 => {}
                1 => answer += "other();\n",
                2 => answer += &format!("{line}\nmore();\n"),
                _ => answer += &format!("{line}\n"),
            }
        }
        let output = original.rebuild(&found.restore(&lines, &answer));
        let hidden = |range: &Range<usize>| -> String {
            range.clone().map(|at| format!("{}{}", lines[at], ending(at))).collect()
        };
        let mut rest = output.as_str();
        for (range, _) in found.markers() {
            let at = rest.find(&hidden(range));
            prop_assert!(at.is_some(), "{range:?} of\n{output}");
            rest = &rest[at.unwrap_or(0) + hidden(range).len()..];
        }
        // What is told while the answer arrives is the file too, but for its line endings and unfinished last line.
        let (mut filling, mut told, mut left) = (Filling::new(&found, &lines), String::new(), answer.as_str());
        for piece in pieces.iter().cycle() {
            let cut = (*piece).min(left.len());
            told += &filling.push(&left[..cut]);
            left = &left[cut..];
            if left.is_empty() {
                break;
            }
        }
        prop_assert!(careless || told == output.replace("\r\n", "\n"));
    }
}
