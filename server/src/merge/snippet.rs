//! Snippets as rows of text, and from an alignment's steps to the edited file.

use std::collections::HashMap;

use super::align::Step;
use super::lines::Line;
use super::outline::is_head;
use super::{OutputLine, distances};
use crate::suggestion::Element;

/// One row as text, with what the aligner knows of it.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The line's text; a marker's own text for markers.
    pub(super) text: String,
    /// What the aligner knows of it.
    pub(super) line: Line,
    /// A marker, not code.
    pub(super) marker: bool,
    /// The first row of a fenced block after the first one.
    pub(super) starts_block: bool,
}

/// The file as the aligner sees it.
#[derive(Debug)]
pub(super) struct File<'a> {
    /// The lines.
    pub(super) text: &'a [&'a str],
    /// What the aligner knows of them.
    pub(super) lines: Vec<Line>,
    by_key: HashMap<u64, Vec<u32>>,
}

impl<'a> File<'a> {
    /// Looks at every line.
    pub(super) fn new(text: &'a [&'a str]) -> Self {
        let lines: Vec<Line> = text.iter().map(|line| Line::new(line)).collect();
        let mut by_key: HashMap<u64, Vec<u32>> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            by_key.entry(line.key).or_default().push(at as u32);
        }
        File { text, lines, by_key }
    }

    /// The lines that differ from `line` at most in whitespace and quotes.
    pub(super) fn alike(&self, line: &Line) -> &[u32] {
        self.by_key.get(&line.key).map_or(&[], Vec::as_slice)
    }
}

/// Flattens fenced blocks into rows.
pub(super) fn pieces(blocks: &[Vec<Element>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (block, elements) in blocks.iter().enumerate() {
        for (position, element) in elements.iter().enumerate() {
            let (text, marker) = match element {
                Element::Line(text) => (text, false),
                Element::Marker(marker) => (&marker.text, true),
            };
            let starts_block = block > 0 && position == 0;
            pieces.push(Piece { text: text.clone(), line: Line::new(text), marker, starts_block });
        }
    }
    pieces
}

/// Items are shown whole: attributes and comments right above an item in the file give way to the ones that the
/// suggestion shows for it. Where it has markers, only to ones that read like them.
pub(super) fn replace_item_heads(file: &File<'_>, pieces: &[Piece], steps: &mut Vec<Step>) {
    let has_markers = pieces.iter().any(|piece| piece.marker);
    let alike = |old: usize, row: usize| file.lines[old].similarity(&pieces[row].line) >= 0.5;
    for index in 0..steps.len() {
        let Step::Keep { start, end, .. } = steps[index] else { continue };
        let rows: Vec<usize> = steps[index + 1..]
            .iter()
            .map_while(|step| match step {
                Step::Insert { row } if is_head(&pieces[*row].text) => Some(*row),
                _ => None,
            })
            .collect();
        let heads = rows.len();
        let same_line = match steps.get(index + 1 + heads) {
            Some(Step::Same { at, .. } | Step::Change { at, .. }) => *at == end,
            _ => false,
        };
        if heads == 0 || !same_line {
            continue;
        }
        let old = (start..end).rev().take_while(|at| is_head(file.text[*at])).count();
        let reads_like = (end - old..end).any(|old| rows.iter().any(|row| alike(old, *row)));
        if old > 0 && old <= heads + 1 && (!has_markers || reads_like) {
            steps[index] = Step::Keep { start, end: end - old, marked: false };
            let deleted = (end - old..end).map(|at| Step::Delete { at });
            steps.splice(index + 1..index + 1, deleted);
        }
    }
}

/// Blank lines that differ without anything else are no edit in a careless suggestion; and where a suggestion shows
/// fewer blank lines between two items than the file has, the file's stay.
pub(super) fn keep_blank_lines(
    file: &File<'_>,
    pieces: &[Piece],
    mut steps: Vec<Step>,
    sloppy: bool,
) -> Vec<Step> {
    let collapsed = collapses_blank_lines(file, pieces, &steps);
    let doubled = distances::doubled(file);
    let edits = |step: Option<&Step>| {
        matches!(step, Some(Step::Delete { .. } | Step::Insert { .. } | Step::Change { .. }))
    };
    let changes = |step: Option<&Step>| matches!(step, Some(Step::Change { .. }));
    let removes = |step: Option<&Step>| matches!(step, Some(Step::Delete { at }) if !file.lines[*at].blank);
    for index in 0..steps.len() {
        let (before, after) = (index.checked_sub(1).map(|before| &steps[before]), steps.get(index + 1));
        let beside_edit = edits(before) || edits(after);
        let beside_removal = removes(before) || removes(after);
        let is_blank = |step: Option<&Step>| matches!(step, Some(Step::Same { at, .. } | Step::Keep { start: at, .. }) if file.lines.get(*at).is_some_and(|line| line.blank));
        let beside_blank = is_blank(before) || is_blank(after);
        steps[index] = match steps[index] {
            Step::SpareBlank { at }
                if (sloppy && !beside_removal)
                    || (beside_blank && (collapsed || (doubled[at] && !beside_edit))) =>
            {
                Step::Keep { start: at, end: at + 1, marked: false }
            }
            Step::SpareBlank { at } => Step::Delete { at },
            // Beside a marker a changed line keeps the file's own distance.
            Step::ExtraBlank { row } | Step::Insert { row }
                if pieces[row].line.blank
                    && beside_marker(pieces, row)
                    && (changes(before) || changes(after)) =>
            {
                Step::ExtraBlank { row }
            }
            Step::ExtraBlank { row } if beside_edit || !beside_marker(pieces, row) => Step::Insert { row },
            step => step,
        };
    }
    let mut output: Vec<Step> = Vec::with_capacity(steps.len());
    let mut run: Vec<Step> = Vec::new();
    for step in steps {
        if edits(Some(&step)) {
            run.push(step);
        } else {
            let after = settle_distance(file, pieces, &mut run, &mut output, Some(&step), collapsed);
            settle_run(file, &mut run, &mut output, sloppy);
            output.extend(after);
            output.push(step);
        }
    }
    settle_run(file, &mut run, &mut output, sloppy);
    output
}

/// Blank lines around a marker belong to the marker.
fn beside_marker(pieces: &[Piece], row: usize) -> bool {
    let marker = |row: usize| pieces.get(row).is_some_and(|piece| piece.marker);
    marker(row + 1) || row.checked_sub(1).is_some_and(marker)
}

/// Whether a suggestion shows one blank line throughout where the file has two between its items.
fn collapses_blank_lines(file: &File<'_>, pieces: &[Piece], steps: &[Step]) -> bool {
    let distances = pieces.windows(3).filter(|three| three[1].line.blank && three[2].line.header.is_some());
    let single = distances.filter(|three| three[2].line.indent == 0 && !three[0].line.blank).count();
    let spare = steps.windows(2).any(|pair| match (pair[0], pair[1]) {
        (Step::Same { at, .. }, Step::SpareBlank { .. } | Step::Delete { .. })
        | (Step::SpareBlank { .. } | Step::Delete { .. }, Step::Same { at, .. }) => file.lines[at].blank,
        _ => false,
    });
    let usual =
        file.lines.windows(3).filter(|three| three[0].blank && three[1].blank && three[2].indent == 0);
    single > 0 && spare && usual.count() > 1
}

/// Blank lines at either end of a run of edits that are the distance between two items, which the suggestion does not
/// show as the file has it; the ones at its start are put out, the ones at its end returned.
fn settle_distance(
    file: &File<'_>,
    pieces: &[Piece],
    run: &mut Vec<Step>,
    output: &mut Vec<Step>,
    next: Option<&Step>,
    collapsed: bool,
) -> Vec<Step> {
    let keep = |at: usize| Step::Keep { start: at, end: at + 1, marked: false };
    let blank = |step: Option<&Step>| match step {
        Some(Step::Delete { at } | Step::Same { at, .. }) if file.lines[*at].blank => Some(*at),
        _ => None,
    };
    let same_blank = |step: Option<&Step>| matches!(step, Some(Step::Same { .. })) && blank(step).is_some();
    let new_block = match next {
        Some(Step::Same { row, .. } | Step::Change { row, .. }) => pieces[*row].starts_block,
        _ => false,
    };
    // The deletion of a certain blank line, taken out of the run.
    let mut take = |at: usize| {
        let found = run.iter().position(|step| *step == Step::Delete { at } && file.lines[at].blank)?;
        Some(run.remove(found))
    };
    if collapsed && same_blank(output.last()) {
        let mut at = blank(output.last()).map_or(0, |at| at + 1);
        while take(at).is_some() {
            output.push(keep(at));
            at += 1;
        }
    }
    let mut after = Vec::new();
    if let Some(Step::Same { at, .. } | Step::Change { at, .. }) = next
        && (new_block || (collapsed && same_blank(next)))
    {
        let mut at = *at;
        while at > 0 && take(at - 1).is_some() {
            at -= 1;
            after.insert(0, keep(at));
        }
    }
    after
}

fn settle_run(file: &File<'_>, run: &mut Vec<Step>, output: &mut Vec<Step>, sloppy: bool) {
    let removed_code = run.iter().any(|step| matches!(step, Step::Delete { at } if !file.lines[*at].blank));
    let keep = |at: usize| Step::Keep { start: at, end: at + 1, marked: false };
    for step in run.drain(..) {
        match step {
            Step::Delete { at } if sloppy && file.lines[at].blank && !removed_code => output.push(keep(at)),
            other => output.push(other),
        }
    }
}

/// Writes the edited file down from the alignment's steps.
pub(super) fn assemble(file: &File<'_>, pieces: &[Piece], steps: &[Step], sloppy: bool) -> Vec<OutputLine> {
    let mut output = Vec::with_capacity(file.text.len());
    let kept = |at: usize| OutputLine::kept(at, file.text[at]);
    for step in steps {
        match *step {
            Step::Same { row, at } => {
                let (own, new) = (&file.lines[at], &pieces[row].line);
                if own.exact == new.exact || own.blank || (sloppy && own.indent == new.indent) {
                    output.push(kept(at));
                } else if sloppy {
                    // The indentation is the edit, the rest is drift.
                    let text = format!("{}{}", leading(&pieces[row].text), file.text[at].trim_start());
                    output.push(OutputLine::added(row, &text));
                } else {
                    output.push(OutputLine::added(row, &pieces[row].text));
                }
            }
            Step::Change { row, .. } | Step::Insert { row } => {
                if pieces[row].starts_block {
                    separate(&mut output, pieces, row);
                }
                output.push(OutputLine::added(row, pieces[row].text.trim_end()));
            }
            Step::Delete { .. } | Step::SpareBlank { .. } | Step::ExtraBlank { .. } => {}
            Step::Keep { start, end, .. } => output.extend((start..end).map(kept)),
        }
    }
    if sloppy {
        distances::settle(file, pieces, steps, output)
    } else {
        distances::set_apart(file, pieces, steps, output)
    }
}

/// Two fenced blocks that end up side by side keep a blank line between their items.
fn separate(output: &mut Vec<OutputLine>, pieces: &[Piece], row: usize) {
    let Some(last) = output.last() else { return };
    if last.text.trim().is_empty() || pieces[row].line.blank {
        return;
    }
    output.push(OutputLine::added(row, ""));
}

fn leading(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}
