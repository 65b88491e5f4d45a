//! Merging snippets: from elements to a priced alignment, and from its steps to the edited file.

use std::collections::HashMap;

use super::align::{Gap, Pair, Problem, Row, Step};
use super::lines::{Line, occurrences};
use super::{Costs, OutputLine};
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

/// Prices the alignment of `pieces` with `file`.
pub(super) fn problem(file: &File<'_>, pieces: &[Piece], sloppy: bool, costs: &Costs) -> Problem {
    let counts = occurrences(&file.lines);
    let has_markers = pieces.iter().any(|piece| piece.marker);
    let mut rows = Vec::with_capacity(pieces.len());
    let mut cache: HashMap<u64, Vec<Pair>> = HashMap::new();
    for piece in pieces {
        if piece.marker {
            rows.push(Row::Gap(marker_gap(file, &piece.line, costs)));
            continue;
        }
        let pairs = cache.entry(piece.line.exact).or_insert_with(|| pairs(file, &piece.line, sloppy, costs));
        let mut insert =
            costs.insert * piece.line.weight + costs.insert_blank * f32::from(u8::from(piece.line.blank));
        if piece.line.weight > 0.8 && counts.get(&piece.line.key) == Some(&1) {
            insert += costs.insert_known;
        }
        rows.push(Row::Line { insert, pairs: pairs.clone() });
    }
    let jumps = (0..=pieces.len()).map(|row| jump(file, pieces, row, has_markers, costs)).collect();
    let delete = file
        .lines
        .iter()
        .map(|line| if line.blank { costs.delete_blank } else { costs.delete * line.weight })
        .collect();
    Problem { size: file.lines.len(), rows, jumps, delete, open: costs.open }
}

/// The file's lines that a snippet's line can stand for.
fn pairs(file: &File<'_>, line: &Line, sloppy: bool, costs: &Costs) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = file
        .alike(line)
        .iter()
        .map(|&at| {
            let exact = file.lines[at as usize].exact == line.exact;
            let drift = if sloppy { costs.drift_sloppy } else { costs.drift };
            Pair { at, cost: if exact { 0.0 } else { drift }, same: true }
        })
        .collect();
    if line.weight >= 0.6 {
        for (at, other) in file.lines.iter().enumerate() {
            if other.key == line.key {
                continue;
            }
            let similarity = line.similarity(other);
            if similarity >= costs.change_least {
                let cost = costs.change + (1.0 - similarity) * costs.change_slope;
                pairs.push(Pair { at: at as u32, cost, same: false });
            }
        }
        pairs.sort_by_key(|pair| pair.at);
    }
    pairs
}

/// A marker's gap is free; it is a little likelier to start at a line indented like the marker.
fn marker_gap(file: &File<'_>, marker: &Line, costs: &Costs) -> Gap {
    let size = file.lines.len();
    let mut start = vec![0.0; size + 1];
    let mut next_indent = None;
    for at in (0..size).rev() {
        if !file.lines[at].blank {
            next_indent = Some(file.lines[at].indent);
        }
        if next_indent != Some(marker.indent) {
            start[at] = costs.marker_indent;
        }
    }
    Gap { start, end: vec![0.0; size + 1], empty: costs.marker_empty }
}

/// A gap that no marker shows: free at the ends and between fenced blocks, dear inside a block.
fn jump(file: &File<'_>, pieces: &[Piece], row: usize, has_markers: bool, costs: &Costs) -> Option<Gap> {
    let size = file.lines.len();
    let marker_at = |row: usize| pieces.get(row).is_some_and(|piece| piece.marker);
    if row == 0 || row == pieces.len() {
        let beside = if row == 0 { 0 } else { row - 1 };
        return (!marker_at(beside)).then(|| Gap {
            start: vec![0.0; size + 1],
            end: vec![0.0; size + 1],
            empty: 0.0,
        });
    }
    if marker_at(row) || marker_at(row - 1) {
        return None;
    }
    if pieces[row].starts_block {
        return Some(Gap { start: vec![0.0; size + 1], end: vec![0.0; size + 1], empty: 0.0 });
    }
    let (before, after) = (&pieces[row - 1].line, &pieces[row].line);
    let seam = before.blank || after.blank;
    if has_markers || !seam {
        return None;
    }
    // Complete items are left out: the gap starts after and ends before a line that is not deeper than the seam.
    let level = pieces[row..].iter().find(|piece| !piece.line.blank).map_or(0, |piece| piece.line.indent);
    let edge = |at: usize| {
        let neighbour = |line: Option<&Line>| line.is_none_or(|line| line.blank || line.indent <= level);
        let inside = at < size && !file.lines[at].blank && file.lines[at].indent > level;
        if inside || !neighbour(at.checked_sub(1).map(|at| &file.lines[at])) {
            costs.jump_inside
        } else {
            0.0
        }
    };
    let start: Vec<f32> = (0..=size).map(|at| costs.jump + edge(at)).collect();
    let end = (0..=size).map(edge).collect();
    Some(Gap { start, end, empty: 0.0 })
}

/// Writes the edited file down from the alignment's steps.
pub(super) fn assemble(file: &File<'_>, pieces: &[Piece], steps: &[Step], sloppy: bool) -> Vec<OutputLine> {
    let mut output = Vec::with_capacity(file.text.len());
    let kept = |at: usize| OutputLine::kept(at, file.text[at]);
    for step in steps {
        match *step {
            Step::Same { row, at } => {
                let drifted = pieces[row].line.exact != file.lines[at].exact;
                if drifted && !sloppy && !pieces[row].line.blank {
                    output.push(OutputLine::added(row, &pieces[row].text));
                } else {
                    output.push(kept(at));
                }
            }
            Step::Change { row, .. } | Step::Insert { row } => {
                output.push(OutputLine::added(row, pieces[row].text.trim_end()));
            }
            Step::Delete { .. } => {}
            Step::Keep { start, end, .. } => output.extend((start..end).map(kept)),
        }
    }
    output
}
