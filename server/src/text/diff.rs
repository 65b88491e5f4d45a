//! Minimal edits from one text to another.
//!
//! Lines are aligned first (Myers, as in most diff tools), then what differs is narrowed to the characters that do, so
//! that cursors, marks and folds elsewhere in an editor stay where they are.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::Algorithm;
use similar::algorithms::{DiffHook, diff_deadline};

use super::edits::Edits;

/// After this long the aligner stops looking for the shortest edit and takes one that is merely right.
const PATIENCE: Duration = Duration::from_millis(500);

/// The edits that turn `old` into `new`.
pub fn diff(old: &str, new: &str) -> Edits {
    let mut edits = Edits::none(old.len());
    diff_into(&mut edits, 0, old, new);
    edits
}

/// Lines that differ between two texts, in bytes of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineHunk {
    /// Whole lines of the old text; empty where lines were only added.
    pub old: Range<usize>,
    /// Whole lines of the new text; empty where lines were only removed.
    pub new: Range<usize>,
}

/// Where two texts differ, line by line, with at least one common line between any two places.
pub fn line_hunks(old: &str, new: &str) -> Vec<LineHunk> {
    let (old_lines, new_lines) = (lines(old), lines(new));
    let (old_at, new_at) = (offsets(&old_lines), offsets(&new_lines));
    differing(&old_lines, &new_lines)
        .into_iter()
        .map(|(old, new)| LineHunk {
            old: old_at[old.start]..old_at[old.end],
            new: new_at[new.start]..new_at[new.end],
        })
        .collect()
}

/// Adds the edits that turn `old`, which lies at `base` in the edited text, into `new`.
pub(super) fn diff_into(edits: &mut Edits, base: usize, old: &str, new: &str) {
    let (old_lines, new_lines) = (lines(old), lines(new));
    let old_at = offsets(&old_lines);
    for (gone, come) in differing(&old_lines, &new_lines) {
        let at = base + old_at[gone.start];
        narrow_lines(edits, at, &old_lines[gone], &new_lines[come]);
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The runs of lines that differ, none of them empty on both sides.
fn differing(old: &[&str], new: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let deadline = Some(Instant::now() + PATIENCE);
    let mut kept = KeptLines::default();
    // The hook cannot fail, so neither can the diff.
    let _ = diff_deadline(Algorithm::Myers, &mut kept, old, 0..old.len(), new, 0..new.len(), deadline);
    kept.runs.push((old.len(), new.len(), 0));
    let (mut old_line, mut new_line) = (0, 0);
    let mut found = Vec::new();
    for (old_kept, new_kept, len) in kept.runs {
        if old_line < old_kept || new_line < new_kept {
            found.push((old_line..old_kept, new_line..new_kept));
        }
        (old_line, new_line) = (old_kept + len, new_kept + len);
    }
    found
}

/// Gathers the runs of lines that stay. Only these are taken from the aligner: after its compaction (similar 2.7,
/// `capture_diff`) the indices of insertions and deletions can be those from before it.
#[derive(Default)]
struct KeptLines {
    runs: Vec<(usize, usize, usize)>,
}

impl DiffHook for KeptLines {
    type Error = std::convert::Infallible;

    fn equal(&mut self, old_index: usize, new_index: usize, len: usize) -> Result<(), Self::Error> {
        self.runs.push((old_index, new_index, len));
        Ok(())
    }
}

fn offsets(lines: &[&str]) -> Vec<usize> {
    let mut at = vec![0];
    at.extend(lines.iter().scan(0, |sum, line| {
        *sum += line.len();
        Some(*sum)
    }));
    at
}

/// Where as many lines come as go, each is narrowed for itself; otherwise all together.
fn narrow_lines(edits: &mut Edits, base: usize, old: &[&str], new: &[&str]) {
    if old.len() == new.len() {
        let mut at = base;
        for (old, new) in old.iter().zip(new) {
            narrow(edits, at, old, new);
            at += old.len();
        }
    } else {
        narrow(edits, base, &old.concat(), &new.concat());
    }
}

/// One replacement without the characters that both texts share at their start and end.
fn narrow(edits: &mut Edits, base: usize, old: &str, new: &str) {
    let mut head = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    while !keeps_whole(old, head) || !keeps_whole(new, head) {
        head -= 1;
    }
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let mut tail = old_rest.bytes().rev().zip(new_rest.bytes().rev()).take_while(|(a, b)| a == b).count();
    while !keeps_whole(old, old.len() - tail) || !keeps_whole(new, new.len() - tail) {
        tail -= 1;
    }
    edits.push(base + head..base + old.len() - tail, &new[head..new.len() - tail]);
}

/// Whether cutting here leaves every character and every CRLF whole.
fn keeps_whole(text: &str, at: usize) -> bool {
    text.is_char_boundary(at) && !(text[..at].ends_with('\r') && text[at..].starts_with('\n'))
}

#[cfg(test)]
mod tests {
    use super::super::edits::Hunk;
    use super::*;
    use std::ops::Range;

    use proptest::prelude::*;

    fn check(old: &str, new: &str, expected: &[(Range<usize>, &str)]) {
        let made = diff(old, new);
        let expected: Vec<Hunk> = expected
            .iter()
            .map(|(range, text)| Hunk { range: range.clone(), text: (*text).to_owned() })
            .collect();
        assert_eq!(made.hunks(), expected);
        assert_eq!(made.apply(old), new);
    }

    #[test]
    fn only_what_differs_is_replaced() {
        check("a\nb\nc\n", "a\nb\nc\n", &[]);
        check("a\nb\nc\n", "a\nx\nb\nc\n", &[(2..2, "x\n")]);
        check("a\nb\nc\n", "a\nc\n", &[(2..4, "")]);
        check("let a = 1;\nlet b = 2;\n", "let a = 1;\nlet b = 3;\n", &[(19..20, "3")]);
        check("f(a)\nf(b)\nend\n", "g(a)\ng(b)\nend\n", &[(0..1, "g"), (5..6, "g")]);
        check("", "new\n", &[(0..0, "new\n")]);
        check("old\n", "", &[(0..4, "")]);
        check("no newline", "no newline\n", &[(10..10, "\n")]);
    }

    #[test]
    fn characters_and_line_ends_stay_whole() {
        check("x = \"😀\";\n", "x = \"😁\";\n", &[(5..9, "😁")]);
        check("é\n", "è\n", &[(0..2, "è")]);
        check("a\r\nb\r\n", "a\nb\n", &[(1..3, "\n"), (4..6, "\n")]);
        check("a\nb\n", "a\r\nb\r\n", &[(1..2, "\r\n"), (3..4, "\r\n")]);
    }

    fn text() -> impl Strategy<Value = String> {
        let piece =
            prop::sample::select(vec!["a", "b", "é", "è", "😀", "😁", "\r\n", "\n", "\r", " ", "fn "]);
        prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn applying_the_diff_gives_the_new_text(old in text(), new in text()) {
            let made = diff(&old, &new);
            prop_assert_eq!(made.apply(&old), new);
            for pair in made.hunks().windows(2) {
                prop_assert!(pair[0].range.end < pair[1].range.start);
            }
            for hunk in made.hunks() {
                prop_assert!(keeps_whole(&old, hunk.range.start) && keeps_whole(&old, hunk.range.end));
                prop_assert!(old[hunk.range.clone()] != hunk.text);
            }
        }

        #[test]
        fn nothing_changes_when_nothing_differs(text in text()) {
            prop_assert!(diff(&text, &text).is_empty());
        }
    }
}
