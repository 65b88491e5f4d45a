//! Blank lines in a careless suggestion. What is copied through a chat loses blank lines and seldom gains one, so that
//! between unchanged lines the file's own distance holds, and an item stands as far from the line above it as the items
//! of the file do.

use std::collections::HashMap;
use std::ops::Range;

use super::OutputLine;
use super::align::Step;
use super::lines::Line;
use super::outline::is_head;
use super::snippet::{File, Piece};

/// One line of the edited file with text in it.
struct Entry<'a> {
    /// What is known of it.
    line: &'a Line,
    /// The file's line that it is, or stands in place of.
    at: Option<usize>,
    /// The suggestion's row.
    row: Option<usize>,
    /// It starts an item, or is the first comment or attribute above one.
    starts_item: bool,
    /// It is a comment or an attribute.
    head: bool,
    /// It closes a block.
    closes: bool,
}

/// Sets the distances in `output`, written down from `steps`.
pub(super) fn settle(
    file: &File<'_>,
    pieces: &[Piece],
    steps: &[Step],
    output: Vec<OutputLine>,
) -> Vec<OutputLine> {
    let Some(entries) = entries_of(file, pieces, steps, &output) else { return output };
    let usual = usual_distances(file);
    let mut settled: Vec<OutputLine> = Vec::with_capacity(output.len());
    let mut blanks: Vec<OutputLine> = Vec::new();
    let mut number = 0_usize;
    // The last line that stands in the file, and the distance after it.
    let mut anchor: Option<(usize, usize)> = None;
    for line in output {
        if is_blank(&line) {
            blanks.push(line);
            continue;
        }
        let (before, entry) = (number.checked_sub(1).map(|before| &entries[before]), &entries[number]);
        if let Some(before) = before {
            let wanted = distance(file, pieces, &usual, before, entry, blanks.len(), anchor);
            if let Some(at) = before.at {
                anchor = Some((at, wanted));
            }
            blanks.truncate(wanted);
            // The file's own blank lines keep their endings.
            let own = entry.at.map_or(0..0, |at| at - above(file, at)..at);
            let mut missing = wanted - blanks.len();
            let kept: Vec<usize> = blanks.iter().filter_map(|blank| blank.original).collect();
            for at in own.filter(|at| !kept.contains(at)) {
                if missing > 0 {
                    blanks.push(OutputLine::kept(at, file.text[at]));
                    missing -= 1;
                }
            }
            blanks.extend((0..missing).map(|_| OutputLine::added(entry.row.unwrap_or(0), "")));
        }
        settled.append(&mut blanks);
        settled.push(line);
        number += 1;
    }
    settled.append(&mut blanks);
    settled
}

/// For each line of the file, whether it is one of several blank lines that set things apart there as they do elsewhere
/// in the file: two in that one place only are hardly its way, unless they set apart an item of a language without braces.
pub(super) fn doubled(file: &File<'_>) -> Vec<bool> {
    let usual = usual_distances(file);
    let braces = file.text.iter().any(|line| line.trim_end() == "}");
    let mut doubled = vec![false; file.lines.len()];
    let mut runs: Vec<(Range<usize>, bool)> = Vec::new();
    for (at, line) in file.lines.iter().enumerate().filter(|(_, line)| !line.blank) {
        let run = at - above(file, at)..at;
        if run.len() > 1 {
            let item = starts_item(file.lines[at..].iter().zip(file.text[at..].iter().copied()));
            let single = usual.get(&line.indent).is_some_and(|usual| *usual < 2);
            runs.push((run, item && !single && !braces));
        }
    }
    let several = runs.len() > 1;
    for (run, item) in runs {
        doubled[run].fill(item || several);
    }
    doubled
}

/// A suggestion that is not careless shows one blank line between a marker and a new item, however far apart the file's
/// items stand: such an item gets the file's usual distance to what the marker stands for.
pub(super) fn set_apart(
    file: &File<'_>,
    pieces: &[Piece],
    steps: &[Step],
    output: Vec<OutputLine>,
) -> Vec<OutputLine> {
    let Some(entries) = entries_of(file, pieces, steps, &output) else { return output };
    let usual = usual_distances(file);
    let mut apart: Vec<OutputLine> = Vec::with_capacity(output.len());
    let (mut number, mut blanks) = (0_usize, 0_usize);
    for line in output {
        if is_blank(&line) {
            blanks += 1;
            apart.push(line);
            continue;
        }
        let entry = &entries[number];
        if let Some(before) = number.checked_sub(1).map(|before| &entries[before])
            && blanks > 0
            && entry.starts_item
            && before.line.indent >= entry.line.indent
        {
            let new = |entry: &Entry<'_>| entry.at.is_none();
            let unseen = |entry: &Entry<'_>| entry.row.is_none();
            if (new(entry) && unseen(before)) || (new(before) && unseen(entry)) {
                let least = usual.get(&entry.line.indent).copied().unwrap_or(0);
                let row = entry.row.or(before.row).unwrap_or(0);
                apart.extend((blanks..least).map(|_| OutputLine::added(row, "")));
            }
        }
        apart.push(line);
        (number, blanks) = (number + 1, 0);
    }
    apart
}

/// How many times two lines that the suggestion shows one after the other stand elsewhere apart in the edited file.
pub(super) fn respaced(file: &File<'_>, pieces: &[Piece], steps: &[Step], output: &[OutputLine]) -> usize {
    let Some(entries) = entries_of(file, pieces, steps, output) else { return 0 };
    let mut found: Vec<usize> = Vec::with_capacity(entries.len());
    let mut blanks = 0;
    for line in output {
        if is_blank(line) {
            blanks += 1;
        } else {
            found.push(std::mem::take(&mut blanks));
        }
    }
    (1..entries.len())
        .filter(|&number| {
            let rows = entries[number - 1].row.zip(entries[number].row);
            let shown = rows.filter(|(from, to)| from < to).and_then(|(from, to)| shown(pieces, from, to));
            shown.is_some_and(|shown| shown != found[number])
        })
        .count()
}

/// What is known of each line of `output` that is not blank; nothing if `steps` do not account for all of them.
fn entries_of<'a>(
    file: &'a File<'_>,
    pieces: &'a [Piece],
    steps: &[Step],
    output: &[OutputLine],
) -> Option<Vec<Entry<'a>>> {
    let entries = entries(file, pieces, steps);
    (entries.len() == output.iter().filter(|line| !is_blank(line)).count()).then_some(entries)
}

fn is_blank(line: &OutputLine) -> bool {
    line.text.trim().is_empty()
}

/// How many blank lines belong between two lines that follow each other in the edited file and have `found` there.
fn distance(
    file: &File<'_>,
    pieces: &[Piece],
    usual: &HashMap<usize, usize>,
    before: &Entry<'_>,
    entry: &Entry<'_>,
    found: usize,
    anchor: Option<(usize, usize)>,
) -> usize {
    let shown = before.row.zip(entry.row).and_then(|(from, to)| shown(pieces, from, to));
    // Lines shown side by side may belong together, such as an attribute and its item.
    let ended = before.closes || (before.line.indent > entry.line.indent && !before.head);
    let apart = shown != Some(0) || ended;
    let item = entry.starts_item && apart;
    let opened = before.line.indent < entry.line.indent;
    let least = usual.get(&entry.line.indent).filter(|_| item && !opened).copied().unwrap_or(0);
    let Some(at) = entry.at else {
        // A new line: what the suggestion shows, and between items at least what is usual.
        return match shown {
            None => found,
            Some(0) => least,
            Some(shown) => shown.max(found).max(least),
        };
    };
    let own = above(file, at);
    match before.at {
        Some(from) if at == from + 1 + own => own.max(shown.unwrap_or(0)),
        // Lines between them go.
        Some(_) if item => own.max(shown.unwrap_or(0)),
        Some(from) => found.min(own.max(below(file, from))),
        // New lines stand in a gap of the file: its blank lines are before or after them.
        None => match anchor {
            Some((from, distance)) if at == from + 1 + own => {
                let rest = own.saturating_sub(distance);
                found.max(if item && distance < own { own } else { rest.max(least) })
            }
            _ if item => own.max(shown.unwrap_or(0)),
            _ => found,
        },
    }
}

/// The blank lines between two rows; nothing if a marker, another line or the start of a block is between them.
fn shown(pieces: &[Piece], from: usize, to: usize) -> Option<usize> {
    let between = pieces.get(from + 1..to).filter(|_| !pieces[to].starts_block)?;
    between.iter().all(|piece| piece.line.blank && !piece.marker).then_some(between.len())
}

/// How many blank lines stand right above a line of the file.
fn above(file: &File<'_>, at: usize) -> usize {
    file.lines[..at].iter().rev().take_while(|line| line.blank).count()
}

fn below(file: &File<'_>, at: usize) -> usize {
    file.lines[at + 1..].iter().take_while(|line| line.blank).count()
}

fn is_header(line: &Line) -> bool {
    line.item && line.header.is_some()
}

/// Whether a line heads an item, itself or after comments and attributes of its own depth.
fn starts_item<'a>(mut lines: impl Iterator<Item = (&'a Line, &'a str)>) -> bool {
    let Some((first, text)) = lines.next() else { return false };
    if is_header(first) {
        return true;
    }
    is_head(text)
        && lines
            .take_while(|(line, _)| line.indent == first.indent && !line.blank)
            .find(|(line, text)| is_header(line) || !is_head(text))
            .is_some_and(|(line, _)| is_header(line))
}

fn entries<'a>(file: &'a File<'_>, pieces: &'a [Piece], steps: &[Step]) -> Vec<Entry<'a>> {
    let own = |at: usize, row: Option<usize>| Entry {
        line: &file.lines[at],
        at: Some(at),
        row,
        starts_item: starts_item(file.lines[at..].iter().zip(file.text[at..].iter().copied())),
        head: is_head(file.text[at]),
        closes: closes(file.text[at]),
    };
    let shown = |row: usize, at: Option<usize>| Entry {
        line: &pieces[row].line,
        at,
        row: Some(row),
        starts_item: starts_item(pieces[row..].iter().map(|piece| (&piece.line, piece.text.as_str()))),
        head: is_head(&pieces[row].text),
        closes: closes(&pieces[row].text),
    };
    let mut entries = Vec::new();
    for step in steps {
        match *step {
            Step::Same { row, at } => entries.push(own(at, Some(row))),
            Step::Change { row, at } => entries.push(shown(row, Some(at))),
            Step::Insert { row } => entries.push(shown(row, None)),
            Step::Keep { start, end, .. } => entries.extend((start..end).map(|at| own(at, None))),
            Step::Delete { .. } | Step::SpareBlank { .. } | Step::ExtraBlank { .. } => {}
        }
    }
    entries.retain(|entry| !entry.line.blank);
    entries
}

fn closes(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('}') || text.strip_prefix("end").is_some_and(|rest| rest.trim().is_empty())
}

/// For each depth, the distance from which nearly all items of the file stand to what is above them, if there are
/// several.
pub(super) fn usual_distances(file: &File<'_>) -> HashMap<usize, usize> {
    let mut counts: HashMap<usize, HashMap<usize, usize>> = HashMap::new();
    let mut last: Option<(usize, bool)> = None;
    for (at, line) in file.lines.iter().enumerate().filter(|(_, line)| !line.blank) {
        let heads = starts_item(file.lines[at..].iter().zip(file.text[at..].iter().copied()));
        let goes_on = last.is_some_and(|(last, is_head)| is_head && last + 1 == at);
        if heads && !goes_on && last.is_some_and(|(last, _)| file.lines[last].indent >= line.indent) {
            *counts.entry(line.indent).or_default().entry(above(file, at)).or_default() += 1;
        }
        last = Some((at, is_head(file.text[at])));
    }
    let mode = |(indent, counts): (usize, HashMap<usize, usize>)| {
        let all: usize = counts.values().sum();
        let (distance, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        (count >= 2 && count * 5 >= all * 4).then_some((indent, distance))
    };
    counts.into_iter().filter_map(mode).collect()
}
