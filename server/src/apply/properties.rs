//! Properties of the deterministic route on random files.

use proptest::prelude::*;
use similar::TextDiff;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::merge;

fn edit(original: &str, suggestion: &str) -> Result<Applied, ApplyError> {
    let request = ApplyRequest {
        original: original.into(),
        suggestion: suggestion.into(),
        path: Some("notes.txt".into()),
        ..ApplyRequest::default()
    };
    let options = ApplyOptions { route: Route::Deterministic, ..ApplyOptions::default() };
    apply(&request, &options, None, &CancellationToken::new(), &mut |_| {})
}

/// A file of lines that all differ, in one of the line endings.
fn lines() -> impl Strategy<Value = Vec<String>> {
    (5..40_usize, any::<u32>()).prop_map(|(count, seed)| {
        (0..count)
            .map(|n| format!("{}call_{n}(value_{})", " ".repeat(n % 3 * 4), seed.rotate_left(n as u32) % 97))
            .collect()
    })
}

/// Replaces some lines, drops some, adds some; never the first two and the last two, so that every edit has context.
fn edited(before: &[String], choices: &[u8]) -> Vec<String> {
    let mut after = Vec::new();
    for (at, line) in before.iter().enumerate() {
        let choice = choices[at % choices.len()];
        if at < 2 || at + 2 >= before.len() || choice > 80 {
            after.push(line.clone());
        } else if choice < 25 {
            after.push(format!("changed_{at}({choice})"));
        } else if choice < 50 {
            after.push(line.clone());
            after.push(format!("added_{at}({choice})"));
        }
    }
    after
}

fn joined(lines: &[String], ending: &str) -> String {
    lines.iter().map(|line| format!("{line}{ending}")).collect()
}

fn unified(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header("a/notes.txt", "b/notes.txt")
        .to_string()
}

/// The changed regions as search/replace blocks with three lines of context.
fn blocks(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let diff = TextDiff::from_slices(&old, &new);
    let mut text = String::new();
    for group in diff.grouped_ops(3) {
        let (first, last) = (group.first().expect("an op"), group.last().expect("an op"));
        let old_lines = &old[first.old_range().start..last.old_range().end];
        let new_lines = &new[first.new_range().start..last.new_range().end];
        text += &format!(
            "<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE\n",
            old_lines.join("\n"),
            new_lines.join("\n")
        );
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_suggestion_in_an_exact_style_gives_the_second_file(
        before in lines(), choices in prop::collection::vec(0..160_u8, 1..40), crlf in any::<bool>(),
    ) {
        let after = edited(&before, &choices);
        prop_assume!(before != after);
        let ending = if crlf { "\r\n" } else { "\n" };
        let (old, new) = (joined(&before, "\n"), joined(&after, "\n"));
        let original = joined(&before, ending);
        for suggestion in [unified(&old, &new), blocks(&old, &new), format!("```\n{new}```\n")] {
            let applied = edit(&original, &suggestion).expect("an edit");
            prop_assert_eq!(&applied.output, &joined(&after, ending), "{}", suggestion);
        }
    }

    #[test]
    fn applying_twice_changes_nothing(before in lines(), choices in prop::collection::vec(0..160_u8, 1..40)) {
        let after = edited(&before, &choices);
        prop_assume!(before != after);
        let (old, new) = (joined(&before, "\n"), joined(&after, "\n"));
        for suggestion in [unified(&old, &new), blocks(&old, &new), format!("```\n{new}```\n")] {
            let again = edit(&new, &suggestion).expect("nothing to do");
            prop_assert_eq!(&again.output, &new, "{}", suggestion);
        }
    }

    #[test]
    fn bytes_outside_the_touched_lines_never_change(
        before in lines(), at in 0..1000_usize, endings in prop::collection::vec(any::<bool>(), 40),
        mark in any::<bool>(), last in any::<bool>(),
    ) {
        let at = 2 + at % (before.len() - 4);
        let ending = |n: usize| match (n + 1 == before.len() && !last, endings[n]) {
            (true, _) => "",
            (_, true) => "\r\n",
            (_, false) => "\n",
        };
        let write = |line_at: &str| -> String {
            let text = |(n, line): (usize, &String)| format!("{}{}", if n == at { line_at } else { line }, ending(n));
            format!("{}{}", if mark { "\u{feff}" } else { "" }, before.iter().enumerate().map(text).collect::<String>())
        };
        let suggestion = format!(
            "// ...\n{}\n{}\nnew_text()\n{}\n{}\n// ...\n", before[at - 2], before[at - 1], before[at + 1], before[at + 2]
        );
        let output = edit(&write(&before[at]), &suggestion).expect("an edit").output;
        let wanted = write("new_text()");
        // The new line's own ending is the file's usual one; every other byte is the file's.
        let lines = |text: &str| text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != at).map(|(_, line)| line.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(lines(&output), lines(&wanted));
    }

    #[test]
    fn no_text_makes_the_parser_or_the_merge_panic(original in ".{0,200}", suggestion in "(?s).{0,300}") {
        let _ = edit(&original, &suggestion);
    }

    #[test]
    fn no_jumble_of_suggestion_lines_panics(
        picks in prop::collection::vec(0..16_usize, 0..24), original in prop::collection::vec(0..16_usize, 0..12),
    ) {
        const LINES: [&str; 16] = [
            "```rust", "```", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "@@ -1,2 +1,2 @@", "@@", "--- a/x", "+++ b/x",
            "+new", "-old", " same", "// ...", "fn a() {", "}", "",
        ];
        let text = |picks: &[usize]| picks.iter().map(|pick| LINES[*pick]).collect::<Vec<_>>().join("\n");
        let _ = edit(&text(&original), &text(&picks));
    }
}

#[test]
fn a_file_with_carriage_returns_alone_keeps_them() {
    let applied = edit("one()\rtwo()\rthree()\r", "one()\ntwo_and_a_half()\nthree()\n").expect("an edit");
    assert_eq!(applied.output, "one()\rtwo_and_a_half()\rthree()\r");
}

#[test]
fn a_suggestion_that_is_the_file_changes_nothing_and_asks_nothing() {
    let text = "first_line()\nsecond_line()\nthird_line()\n";
    let applied = edit(text, text).expect("no edit");
    assert_eq!(applied.output, text);
    assert!(!applied.asks, "{:?}", applied.why);
}

#[test]
fn conflict_marks_and_fences_of_the_file_itself_stay() {
    let original =
        "first_line()\n<<<<<<< HEAD\nours()\n=======\ntheirs()\n>>>>>>> branch\n```\nlast_line()\n";
    let suggestion = "<<<<<<< SEARCH\nfirst_line()\n=======\nfirst_line(1)\n>>>>>>> REPLACE\n";
    let applied = edit(original, suggestion).expect("an edit");
    assert_eq!(applied.output, original.replace("first_line()", "first_line(1)"));
    assert!(!applied.asks, "{:?}", applied.why);
}

#[test]
fn what_a_merge_cannot_carry_out_is_asked_and_nothing_of_it_is_lost() {
    let original = "first_line()\nsecond_line()\nthird_line()\nfourth_line()\n";
    let changed = original.replace("first_line()", "first_line(1)");
    let demand = "// same for the other lines";
    let applied = edit(original, &format!("first_line(1)\nsecond_line()\n{demand}\n")).expect("an edit");
    assert_eq!(applied.output, changed);
    assert!(applied.asks && applied.confidence < merge::SURE);
    assert!(applied.why[0].contains(demand) && applied.why[0].contains("not done"), "{:?}", applied.why);
    // Exact formats say what they mean: the text lands as it stands, after a question.
    let block = format!("<<<<<<< SEARCH\nfirst_line()\n=======\nfirst_line(1)\n{demand}\n>>>>>>> REPLACE\n");
    let applied = edit(original, &block).expect("an edit");
    assert!(applied.output.contains(demand) && applied.asks, "{:?}", applied.why);
    // A comment that the file has is the file's.
    let own = original.replace("third", &format!("{demand}\nthird"));
    let suggestion = format!("first_line(1)\nsecond_line()\n{demand}\nthird_line()\nfourth_line()\n");
    let applied = edit(&own, &suggestion).expect("an edit");
    assert_eq!(applied.output, own.replace("first_line()", "first_line(1)"));
    assert!(!applied.asks, "{:?}", applied.why);
}

#[test]
fn bad_input_is_named() {
    for (suggestion, part) in [
        ("", "empty"),
        ("  \n", "empty"),
        ("You should rename the function and call it twice.", "no code"),
        ("Here you go:\n\n```rust\n```\n", "code block is empty"),
        ("// ... existing code ...\n", "markers only"),
        ("<<<<<<< SEARCH\nfirst_line()\n=======\nfirst", "cut off"),
        ("<<<<<<< SEARCH\nfirst_line()\n", "cut off"),
        ("<<<<<<< SEARCH\nnowhere()\n=======\nfirst\n>>>>>>> REPLACE\n", "not in the file"),
    ] {
        let error = edit("first_line()\nsecond_line()\n", suggestion).expect_err(suggestion).to_string();
        assert!(error.contains(part), "{suggestion:?}: {error}");
    }
}

#[test]
fn the_models_route_without_a_model_says_so() {
    let request =
        ApplyRequest { original: "a()\n".into(), suggestion: "a(1)\n".into(), ..ApplyRequest::default() };
    let options = ApplyOptions { route: Route::Model, ..ApplyOptions::default() };
    let error = apply(&request, &options, None, &CancellationToken::new(), &mut |_| {});
    assert!(matches!(error, Err(ApplyError::NoModel)));
}

#[test]
fn cancelling_leaves_at_once() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let request =
        ApplyRequest { original: "a()\n".into(), suggestion: "a()\nb()\n".into(), ..ApplyRequest::default() };
    let error = apply(&request, &ApplyOptions::default(), None, &cancel, &mut |_| {});
    assert!(matches!(error, Err(ApplyError::Cancelled)));
}
