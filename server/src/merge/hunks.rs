//! Search/replace blocks and diff hunks: exact text is looked for, and only where it stands nowhere exactly the lines
//! are compared without regard to trailing blanks, then to indentation, then to any whitespace and quotes.

use similar::{Algorithm, DiffOp};

use super::lines::Line;
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
    /// Most lines match, the rest differ.
    Near,
}

/// Where a hunk goes.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    len: usize,
    kind: Match,
    /// How many other places fit as well.
    others: usize,
    /// The file reads there as the hunk wants it already.
    done: bool,
}

/// Replaces every hunk where its text stands.
pub(super) fn merge(file: &File<'_>, hunks: &[Hunk]) -> Result<Vec<Merge>, MergeError> {
    let exact = |done: &Result<Done, MergeError>| {
        done.as_ref().is_ok_and(|done| done.places.iter().all(|place| place.kind < Match::Near))
    };
    // Blocks may show each other's new lines: then each is meant for the file as the ones before it leave it.
    let mut done = together(file, hunks);
    if !exact(&done) {
        let later = in_turn(file, hunks);
        if exact(&later) {
            done = later;
        }
    }
    let Done { lines, places } = done?;
    let worst = places.iter().map(confidence).fold(0.995, f64::min);
    let reason = if places.iter().any(|place| place.kind == Match::Near) {
        "a block's text is not in the file as it stands; the nearest place was taken"
    } else if places.iter().any(|place| place.others > 0) {
        "a block's text stands at several places in the file; the first free one was taken"
    } else {
        "each block's text was found in the file"
    };
    Ok(vec![Merge {
        lines,
        reason: reason.into(),
        confidence: worst,
        standing: 0.0,
        evidence: Evidence { agreement: 1.0, readings: 1, ..Evidence::default() },
    }])
}

/// The edited file, and where each hunk went.
struct Done {
    lines: Vec<OutputLine>,
    places: Vec<Place>,
}

fn not_found(number: usize, hunk: &Hunk) -> MergeError {
    MergeError::NotFound {
        block: number + 1,
        first_line: hunk.old().first().map_or(String::new(), |line| (*line).to_string()),
    }
}

/// The first row of each hunk, counted over the whole suggestion.
fn first_rows(hunks: &[Hunk]) -> Vec<usize> {
    let count = |row: &mut usize, hunk: &Hunk| {
        let first = *row;
        *row += hunk.lines.len();
        Some(first)
    };
    hunks.iter().scan(0, count).collect()
}

/// Finds every hunk in the file as it is.
fn together(file: &File<'_>, hunks: &[Hunk]) -> Result<Done, MergeError> {
    let mut places: Vec<(Place, usize)> = Vec::with_capacity(hunks.len());
    let mut cursor = 0;
    for (number, hunk) in hunks.iter().enumerate() {
        let free = |place: &Place| {
            places
                .iter()
                .all(|(other, _)| place.at + place.len <= other.at || other.at + other.len <= place.at)
        };
        let place = find(file, hunk, cursor)
            .or_else(|| find(file, hunk, 0).filter(free))
            .or_else(|| near(file, &hunk.old()).filter(free))
            .ok_or_else(|| not_found(number, hunk))?;
        cursor = cursor.max(place.at + place.len);
        places.push((place, number));
    }
    places.sort_by_key(|(place, _)| place.at);
    let first_rows = first_rows(hunks);
    let mut lines: Vec<OutputLine> = Vec::with_capacity(file.text.len());
    let keep = |range: std::ops::Range<usize>| range.map(|index| OutputLine::kept(index, file.text[index]));
    let mut cursor = 0;
    for (place, number) in &places {
        lines.extend(keep(cursor..place.at));
        if place.done {
            lines.extend(keep(place.at..place.at + place.len));
        } else {
            lines.extend(replace(file, &hunks[*number], place, first_rows[*number]));
        }
        cursor = place.at + place.len;
    }
    lines.extend(keep(cursor..file.text.len()));
    Ok(Done { lines, places: places.into_iter().map(|(place, _)| place).collect() })
}

/// Finds every hunk in the file as the hunks before it leave it.
fn in_turn(file: &File<'_>, hunks: &[Hunk]) -> Result<Done, MergeError> {
    let keep = |(index, text): (usize, &&str)| OutputLine::kept(index, text);
    let mut lines: Vec<OutputLine> = file.text.iter().enumerate().map(keep).collect();
    let mut places = Vec::with_capacity(hunks.len());
    for ((number, hunk), first_row) in hunks.iter().enumerate().zip(first_rows(hunks)) {
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let now = File::new(&text);
        let place = find(&now, hunk, 0).ok_or_else(|| not_found(number, hunk))?;
        if !place.done {
            // A line that the hunk keeps stays what it was before.
            let own = |line: OutputLine| line.original.map_or(line.clone(), |index| lines[index].clone());
            let new: Vec<OutputLine> = replace(&now, hunk, &place, first_row).into_iter().map(own).collect();
            lines.splice(place.at..place.at + place.len, new);
        }
        places.push(place);
    }
    Ok(Done { lines, places })
}

/// On the training edits every block that matches once was right, whatever its indentation.
fn confidence(place: &Place) -> f64 {
    match place.kind {
        Match::Near => 0.4,
        _ if place.others > 0 => 0.6,
        Match::Whitespace => 0.9,
        _ => 0.995,
    }
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
    if place.kind < Match::Indented || place.kind == Match::Near {
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

/// Looks for a hunk's old lines from `cursor` on; of several places the one nearest to the line that a diff names, else
/// the first. Where the file has the new lines already, that is the place.
fn find(file: &File<'_>, hunk: &Hunk, cursor: usize) -> Option<Place> {
    let size = file.text.len();
    let (old, new) = (hunk.old(), hunk.replacement());
    if old.is_empty() {
        let present = (cursor..size).find(|at| stands_at(file, Match::Exact, &new, *at));
        if let Some(at) = present.filter(|_| !new.is_empty()) {
            return Some(Place { at, len: new.len(), kind: Match::Exact, others: 0, done: true });
        }
        let at = hunk.line_hint.unwrap_or(size).clamp(cursor, size);
        let others = usize::from(size > 0);
        return Some(Place { at, len: 0, kind: Match::Exact, others, done: false });
    }
    for kind in [Match::Exact, Match::TrailingBlanks, Match::Indented, Match::Whitespace] {
        let places: Vec<usize> = (cursor..size).filter(|at| stands_at(file, kind, &old, *at)).collect();
        let near = |at: &&usize| hunk.line_hint.map_or(0, |hint| (**at + 1).abs_diff(hint));
        if let Some(&at) = places.iter().min_by_key(near) {
            let place = Place { at, len: old.len(), kind, others: places.len() - 1, done: false };
            return Some(applied_before(file, &old, &new, &place).unwrap_or(place));
        }
    }
    // Taken out or replaced before: the new lines stand where the old ones stood.
    let there: Vec<usize> = (cursor..size).filter(|at| stands_at(file, Match::Exact, &new, *at)).collect();
    match there[..] {
        [at] if new.iter().any(|line| !line.trim().is_empty()) => {
            Some(Place { at, len: new.len(), kind: Match::Exact, others: 0, done: true })
        }
        _ => None,
    }
}

/// The new lines contain the old ones, and stand around the place already.
fn applied_before(file: &File<'_>, old: &[&str], new: &[&str], place: &Place) -> Option<Place> {
    if new.len() <= old.len() {
        return None;
    }
    let offset = (0..=new.len() - old.len()).find(|offset| {
        new[*offset..*offset + old.len()] == *old
            && place.at >= *offset
            && stands_at(file, Match::Exact, new, place.at - offset)
    })?;
    Some(Place { at: place.at - offset, len: new.len(), done: true, ..*place })
}

fn stands_at(file: &File<'_>, kind: Match, wanted: &[&str], at: usize) -> bool {
    at + wanted.len() <= file.text.len()
        && wanted.iter().enumerate().all(|(offset, line)| matches(kind, file.text[at + offset], line))
}

/// The one stretch of the file of which at least three in four lines that say something are the wanted ones.
fn near(file: &File<'_>, old: &[&str]) -> Option<Place> {
    let wanted: Vec<Line> = old.iter().map(|line| Line::new(line)).collect();
    let total: f32 = wanted.iter().map(|line| line.weight).sum();
    let score = |at: usize| -> f32 {
        let pairs = wanted.iter().zip(&file.lines[at..at + old.len()]);
        pairs.filter(|(line, own)| line.key == own.key).map(|(line, _)| line.weight).sum()
    };
    let last = file.text.len().checked_sub(old.len())?;
    let mut scores: Vec<(usize, f32)> = (0..=last).map(|at| (at, score(at))).collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let &(at, best) = scores.first()?;
    let second = scores.get(1).map_or(0.0, |(_, score)| *score);
    (old.len() >= 3 && total > 0.0 && best >= 0.75 * total && second < best).then_some(Place {
        at,
        len: old.len(),
        kind: Match::Near,
        others: 0,
        done: false,
    })
}

fn matches(kind: Match, file: &str, wanted: &str) -> bool {
    match kind {
        Match::Exact => file == wanted,
        Match::TrailingBlanks => file.trim_end() == wanted.trim_end(),
        Match::Indented => file.trim() == wanted.trim(),
        Match::Whitespace | Match::Near => {
            let plain = |text: &str| -> String {
                text.chars().filter(|c| !c.is_whitespace()).map(|c| if c == '\'' { '"' } else { c }).collect()
            };
            plain(file) == plain(wanted)
        }
    }
}
