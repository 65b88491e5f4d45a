//! Search/replace blocks and diff hunks: exact text is looked for, and only where it stands nowhere exactly the lines
//! are compared without regard to whitespace, then indentation.

use super::snippet::File;
use super::{Merge, MergeError, OutputLine};
use crate::suggestion::{Hunk, HunkLine};

/// How a hunk's old lines match the file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Exact,
    TrailingBlanks,
    Indented,
    Whitespace,
}

/// Replaces every hunk, in order.
pub(super) fn merge(file: &File<'_>, hunks: &[Hunk]) -> Result<Vec<Merge>, MergeError> {
    let mut output: Vec<OutputLine> = Vec::with_capacity(file.text.len());
    let mut cursor = 0;
    let mut row = 0;
    let mut sure = true;
    for (number, hunk) in hunks.iter().enumerate() {
        let old = hunk.old();
        let (at, _) =
            find(file, &old, cursor, hunk.line_hint, &mut sure).ok_or_else(|| MergeError::NotFound {
                block: number + 1,
                first_line: old.first().map_or(String::new(), |line| (*line).to_string()),
            })?;
        output.extend((cursor..at).map(|index| OutputLine::kept(index, file.text[index])));
        let mut position = at;
        for line in &hunk.lines {
            match line {
                HunkLine::Context(_) => {
                    output.push(OutputLine::kept(position, file.text[position]));
                    position += 1;
                }
                HunkLine::Removed(_) => position += 1,
                HunkLine::Added(text) => output.push(OutputLine::added(row, text)),
            }
            row += 1;
        }
        cursor = position;
    }
    output.extend((cursor..file.text.len()).map(|index| OutputLine::kept(index, file.text[index])));
    let confidence = if sure { 0.99 } else { 0.6 };
    Ok(vec![Merge { lines: output, reason: "each block's text was found in the file".into(), confidence }])
}

fn find(
    file: &File<'_>,
    old: &[&str],
    cursor: usize,
    hint: Option<usize>,
    sure: &mut bool,
) -> Option<(usize, Match)> {
    let size = file.text.len();
    if old.is_empty() {
        return Some((hint.unwrap_or(size).clamp(cursor, size), Match::Exact));
    }
    for kind in [Match::Exact, Match::TrailingBlanks, Match::Indented, Match::Whitespace] {
        let same = |at: usize| {
            old.iter().enumerate().all(|(offset, line)| matches(kind, file.text[at + offset], line))
        };
        let places: Vec<usize> = (cursor..=size.saturating_sub(old.len()))
            .filter(|at| at + old.len() <= size && same(*at))
            .collect();
        if places.is_empty() {
            continue;
        }
        *sure &= places.len() == 1;
        return places.first().map(|at| (*at, kind));
    }
    None
}

fn matches(kind: Match, file: &str, wanted: &str) -> bool {
    match kind {
        Match::Exact => file == wanted,
        Match::TrailingBlanks => file.trim_end() == wanted.trim_end(),
        Match::Indented => file.trim() == wanted.trim(),
        Match::Whitespace => {
            let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
            plain(file) == plain(wanted)
        }
    }
}
