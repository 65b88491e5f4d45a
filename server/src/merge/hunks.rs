//! Search/replace blocks and diff hunks: exact text is looked for, and only where it stands nowhere exactly the lines
//! are compared without regard to trailing blanks, then to indentation, then to any whitespace and quotes.

use similar::{Algorithm, DiffOp};

use super::snippet::File;
use super::{Evidence, Merge, MergeError, OutputLine};
use crate::suggestion::{Hunk, HunkLine};

/// How a hunk's old lines match the file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Exact,
    TrailingBlanks,
    Indented,
    Whitespace,
}

/// Where a hunk goes.
struct Place {
    at: usize,
    kind: Match,
    others: usize,
}

/// Replaces every hunk, in order.
pub(super) fn merge(file: &File<'_>, hunks: &[Hunk]) -> Result<Vec<Merge>, MergeError> {
    let mut output: Vec<OutputLine> = Vec::with_capacity(file.text.len());
    let mut cursor = 0;
    let mut row = 0;
    let mut confidence: f64 = 0.995;
    for (number, hunk) in hunks.iter().enumerate() {
        let old = hunk.old();
        let place = find(file, &old, cursor, hunk.line_hint).ok_or_else(|| MergeError::NotFound {
            block: number + 1,
            first_line: old.first().map_or(String::new(), |line| (*line).to_string()),
        })?;
        if place.others > 0 {
            confidence = confidence.min(0.6);
        }
        if place.kind == Match::Whitespace {
            confidence = confidence.min(0.9);
        }
        output.extend((cursor..place.at).map(|index| OutputLine::kept(index, file.text[index])));
        output.extend(replace(file, hunk, &place, row));
        row += hunk.lines.len();
        cursor = place.at + old.len();
    }
    output.extend((cursor..file.text.len()).map(|index| OutputLine::kept(index, file.text[index])));
    Ok(vec![Merge {
        lines: output,
        reason: "each block's text was found in the file".into(),
        confidence,
        evidence: Evidence { agreement: 1.0, readings: 1, ..Evidence::default() },
    }])
}

/// The lines that stand for the hunk's place afterwards.
fn replace(file: &File<'_>, hunk: &Hunk, place: &Place, first_row: usize) -> Vec<OutputLine> {
    let old = hunk.old();
    let shift = shift(file, &old, place);
    let new: Vec<(usize, &str)> = hunk
        .lines
        .iter()
        .enumerate()
        .filter_map(|(row, line)| match line {
            HunkLine::Context(text) | HunkLine::Added(text) => Some((first_row + row, text.as_str())),
            HunkLine::Removed(_) => None,
        })
        .collect();
    let new_text: Vec<&str> = new.iter().map(|(_, text)| *text).collect();
    let added = |index: usize| OutputLine::added(new[index].0, &shift.apply(new[index].1));
    let mut lines = Vec::with_capacity(new.len());
    // Lines that the block repeats unchanged stay the file's own, bytes and endings included.
    for op in similar::capture_diff_slices(Algorithm::Myers, &old, &new_text) {
        match op {
            DiffOp::Equal { old_index, len, .. } => {
                lines.extend(
                    (0..len)
                        .map(|offset| place.at + old_index + offset)
                        .map(|at| OutputLine::kept(at, file.text[at])),
                );
            }
            DiffOp::Delete { .. } => {}
            DiffOp::Insert { new_index, new_len, .. } | DiffOp::Replace { new_index, new_len, .. } => {
                lines.extend((new_index..new_index + new_len).map(added));
            }
        }
    }
    lines
}

/// How a block's indentation differs from the file's.
enum Shift<'a> {
    None,
    Deeper(&'a str),
    Shallower(usize),
}

impl Shift<'_> {
    fn apply(&self, text: &str) -> String {
        match self {
            Shift::None => text.to_string(),
            Shift::Deeper(_) if text.trim().is_empty() => text.to_string(),
            Shift::Deeper(indent) => format!("{indent}{text}"),
            Shift::Shallower(columns) => {
                let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
                text[blanks.min(*columns)..].to_string()
            }
        }
    }
}

fn leading(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
}

fn shift<'a>(file: &File<'a>, old: &[&str], place: &Place) -> Shift<'a> {
    if place.kind < Match::Indented {
        return Shift::None;
    }
    for (offset, line) in old.iter().enumerate() {
        let own = file.text[place.at + offset];
        if line.trim().is_empty() {
            continue;
        }
        let (file_indent, indent) = (leading(own), leading(line));
        if let Some(deeper) = file_indent.strip_suffix(indent) {
            return if deeper.is_empty() { Shift::None } else { Shift::Deeper(deeper) };
        }
        if indent.ends_with(file_indent) {
            return Shift::Shallower(indent.len() - file_indent.len());
        }
        return Shift::None;
    }
    Shift::None
}

/// Looks for `old` from `cursor` on; of several places the one nearest to the line that a diff names, else the first.
fn find(file: &File<'_>, old: &[&str], cursor: usize, hint: Option<usize>) -> Option<Place> {
    let size = file.text.len();
    if old.is_empty() {
        let at = hint.map_or(size, |hint| if hint == 0 { 0 } else { hint }).clamp(cursor, size);
        return Some(Place { at, kind: Match::Exact, others: 0 });
    }
    for kind in [Match::Exact, Match::TrailingBlanks, Match::Indented, Match::Whitespace] {
        let same = |at: &usize| {
            at + old.len() <= size
                && old.iter().enumerate().all(|(offset, line)| matches(kind, file.text[at + offset], line))
        };
        let places: Vec<usize> = (cursor..=size.saturating_sub(old.len())).filter(same).collect();
        let near = |at: &&usize| hint.map_or(0, |hint| (**at + 1).abs_diff(hint));
        if let Some(&at) = places.iter().min_by_key(near) {
            return Some(Place { at, kind, others: places.len() - 1 });
        }
    }
    None
}

fn matches(kind: Match, file: &str, wanted: &str) -> bool {
    match kind {
        Match::Exact => file == wanted,
        Match::TrailingBlanks => file.trim_end() == wanted.trim_end(),
        Match::Indented => file.trim() == wanted.trim(),
        Match::Whitespace => {
            let plain = |text: &str| -> String {
                text.chars().filter(|c| !c.is_whitespace()).map(|c| if c == '\'' { '"' } else { c }).collect()
            };
            plain(file) == plain(wanted)
        }
    }
}
