//! Merging snippets: from elements to a priced alignment, and from its steps to the edited file.

use std::collections::HashMap;

use super::align::{FAR, Gap, Pair, PairKind, Problem, Row, Step};
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
    let edges = edge_rows(pieces);
    let mut names: HashMap<(u32, usize), usize> = HashMap::new();
    for line in &file.lines {
        if let Some(name) = line.name {
            *names.entry((name, line.indent)).or_insert(0) += 1;
        }
    }
    for (row, piece) in pieces.iter().enumerate() {
        if piece.marker {
            rows.push(Row::Gap(marker_gap(file, pieces, row, costs)));
            continue;
        }
        let pairs = cache.entry(piece.line.exact).or_insert_with(|| pairs(file, &piece.line, sloppy, costs));
        let mut insert =
            costs.insert * piece.line.weight + costs.insert_blank * f32::from(u8::from(piece.line.blank));
        if piece.line.weight > 0.8 && let Some(count) = counts.get(&piece.line.key) {
            insert += (costs.insert_known + costs.edge_known * edges[row]) / *count as f32;
        }
        if let Some(name) = piece.line.name
            && names.get(&(name, piece.line.indent)) == Some(&1)
        {
            insert += costs.insert_defined;
        }
        rows.push(Row::Line { insert, blank: piece.line.blank, pairs: pairs.clone() });
    }
    let jumps = (0..=pieces.len()).map(|row| jump(file, pieces, row, has_markers, costs)).collect();
    let delete = file
        .lines
        .iter()
        .map(|line| if line.blank { costs.delete_blank } else { costs.delete * line.weight })
        .collect();
    Problem {
        size: file.lines.len(),
        rows,
        jumps,
        delete,
        blank: file.lines.iter().map(|line| line.blank).collect(),
        blank_drift: if sloppy { costs.blank_sloppy } else { costs.blank_drift },
        open: costs.open,
        open_edit: costs.open_edit,
        one_sided: costs.one_sided * if has_markers { 1.0 } else { costs.edge_bare },
        edge: costs.edge * if has_markers { 1.0 } else { costs.edge_bare },
        weak_edge: costs.weak_edge,
        end_edit: costs.end_edit,
    }
}

/// How near each row stands to a gap: what stands there is context as a rule, so that a line of the file found there is
/// unlikely to be a new copy.
fn edge_rows(pieces: &[Piece]) -> Vec<f32> {
    let mut edges = vec![0.0_f32; pieces.len()];
    let mut mark = |order: &mut dyn Iterator<Item = usize>| {
        let mut near = 1.0_f32;
        for row in order {
            if pieces[row].marker {
                near = 1.0;
            } else if !pieces[row].line.blank {
                edges[row] = edges[row].max(near);
                near = if near > 0.9 { 0.5 } else { 0.0 };
            }
        }
    };
    mark(&mut (0..pieces.len()));
    mark(&mut (0..pieces.len()).rev());
    edges
}

/// The file's lines that a snippet's line can stand for.
fn pairs(file: &File<'_>, line: &Line, sloppy: bool, costs: &Costs) -> Vec<Pair> {
    let alike = file.alike(line);
    let exact = alike.iter().filter(|&&at| file.lines[at as usize].exact == line.exact).count();
    let strong = line.weight >= costs.strong || (line.weight > 0.0 && exact == 1);
    let mut pairs: Vec<Pair> = alike
        .iter()
        .map(|&at| {
            let exact = file.lines[at as usize].exact == line.exact;
            let drift = if sloppy { costs.drift_sloppy } else { costs.drift };
            let kind = if strong { PairKind::Strong } else { PairKind::Weak };
            Pair { at, cost: if exact { 0.0 } else { drift }, kind }
        })
        .collect();
    if line.weight >= 0.6 {
        for (at, other) in file.lines.iter().enumerate() {
            if other.key == line.key {
                continue;
            }
            let similarity = line.similarity(other);
            let named = line.name.is_some() && line.name == other.name && line.indent == other.indent;
            if similarity >= costs.change_least || named {
                let cost = costs.change + (1.0 - similarity) * costs.change_slope;
                let (kind, cost) =
                    if named { (PairKind::Renewed, cost * 0.5) } else { (PairKind::Changed, cost) };
                pairs.push(Pair { at: at as u32, cost, kind });
            }
        }
        pairs.sort_by_key(|pair| pair.at);
    }
    pairs
}

/// The same line at the same depth.
fn same_place(a: &Line, b: &Line) -> bool {
    a.key == b.key && a.indent == b.indent
}

/// The first line that is not blank at or after each line of the file, as its indentation.
fn next_indents(file: &File<'_>) -> Vec<Option<usize>> {
    let mut indents = vec![None; file.lines.len() + 1];
    for at in (0..file.lines.len()).rev() {
        indents[at] = if file.lines[at].blank { indents[at + 1] } else { Some(file.lines[at].indent) };
    }
    indents
}

/// What it costs to leave the snippet after row `row` for a gap: text that is deeper than the row and does not follow
/// it in the file would hang in the air.
fn leaving(file: &File<'_>, pieces: &[Piece], row: usize, costs: &Costs) -> Vec<f32> {
    let mut prices = vec![0.0; file.lines.len() + 1];
    let Some(last) = pieces[..row].iter().rev().find(|piece| !piece.line.blank) else { return prices };
    if last.marker || last.text.trim_end().ends_with(['{', '(', '[', ':', ',', '=', '\\', '|', '&', '+', '>']) {
        return prices;
    }
    let mut before: Option<&Line> = None;
    let next = next_indents(file);
    for (at, price) in prices.iter_mut().enumerate() {
        let follows = before.is_some_and(|line| same_place(line, &last.line));
        if !follows && next[at].is_some_and(|indent| indent > last.line.indent) {
            *price = costs.hanging;
        }
        let past_blank = at > 0 && file.lines[at - 1].blank && file.lines.get(at).is_some_and(|line| !line.blank);
        if past_blank && !pieces[row - 1].line.blank {
            *price += costs.slide;
        }
        if at < file.lines.len() && !file.lines[at].blank {
            before = Some(&file.lines[at]);
        }
    }
    prices
}

/// What it costs to come back from a gap to row `row` before each line of the file: new text that follows deeper text
/// at once, or that stands before a blank line or a closing bracket of its own level, would split what belongs together.
fn entering(file: &File<'_>, pieces: &[Piece], row: usize, costs: &Costs) -> Vec<f32> {
    let size = file.lines.len();
    let mut prices = vec![0.0; size + 1];
    let Some(first) = pieces.get(row).filter(|piece| !piece.marker && !piece.line.blank) else { return prices };
    let closer = first.text.trim_start().starts_with(['}', ')', ']']) || first.text.trim_start().starts_with("end");
    for at in 1..size {
        let (before, next) = (&file.lines[at - 1], &file.lines[at]);
        if next.key == first.line.key {
            continue;
        }
        if !closer && !before.blank && before.indent > first.line.indent {
            prices[at] += costs.hanging;
        }
        if next.blank || (next.weight < 0.5 && first.line.indent <= next.indent) {
            prices[at] += costs.slide;
        }
    }
    prices
}

/// A marker's gap is free; it is likelier to start at a line indented like the marker.
fn marker_gap(file: &File<'_>, pieces: &[Piece], row: usize, costs: &Costs) -> Gap {
    let marker = &pieces[row].line;
    let mut start = leaving(file, pieces, row, costs);
    for (at, indent) in next_indents(file).into_iter().enumerate() {
        start[at] += match indent {
            Some(indent) if indent > marker.indent => costs.marker_deeper,
            Some(indent) if indent == marker.indent => 0.0,
            _ => costs.marker_indent,
        };
    }
    Gap { start, end: entering(file, pieces, row + 1, costs), empty: costs.marker_empty }
}

/// A gap that no marker shows: free at the ends and between fenced blocks, dear inside a block.
fn jump(file: &File<'_>, pieces: &[Piece], row: usize, has_markers: bool, costs: &Costs) -> Option<Gap> {
    let size = file.lines.len();
    let marker_at = |row: usize| pieces.get(row).is_some_and(|piece| piece.marker);
    let next = next_indents(file);
    // Complete items are left out: the gap starts and ends before a line that is not deeper than the item beside it,
    // unless it goes on where the file does.
    let inside = |level: usize, last: Option<&Piece>| {
        let mut before: Option<&Line> = None;
        let mut prices = Vec::with_capacity(size + 1);
        for (at, indent) in next.iter().enumerate() {
            let follows = last.is_some_and(|last| before.is_some_and(|line| same_place(line, &last.line)));
            let deeper = indent.is_some_and(|indent| indent > level);
            prices.push(if deeper && !follows { costs.jump_inside } else { 0.0 });
            if let Some(line) = file.lines.get(at).filter(|line| !line.blank) {
                before = Some(line);
            }
        }
        prices
    };
    let last_line = |row: usize| pieces[..row].iter().rev().find(|piece| !piece.line.blank);
    let plus = |prices: Vec<f32>, price: f32| prices.into_iter().map(|sum| sum + price).collect::<Vec<f32>>();
    if row == 0 {
        let price = if has_markers { costs.jump_end } else { costs.jump_end_bare };
        let gap = Gap { start: vec![price; size + 1], end: vec![0.0; size + 1], empty: FAR };
        return (!marker_at(0)).then_some(gap);
    }
    if row == pieces.len() {
        if marker_at(row - 1) {
            return None;
        }
        let start = plus(leaving(file, pieces, row, costs), costs.jump_end);
        if has_markers {
            return Some(Gap { start, end: vec![0.0; size + 1], empty: FAR });
        }
        let start = plus(inside(item_level(pieces, row), last_line(row)), costs.jump_end_bare);
        return Some(Gap { start, end: vec![0.0; size + 1], empty: FAR });
    }
    if marker_at(row) || marker_at(row - 1) {
        return None;
    }
    if pieces[row].starts_block {
        let start = if has_markers {
            leaving(file, pieces, row, costs)
        } else {
            inside(item_level(pieces, row), last_line(row))
        };
        return Some(Gap { start, end: vec![0.0; size + 1], empty: FAR });
    }
    let seam = pieces[row - 1].line.blank || pieces[row].line.blank;
    if has_markers || !seam {
        return None;
    }
    let depth = pieces[row..].iter().find(|piece| !piece.line.blank).map_or(0, |piece| piece.line.indent);
    let start = plus(inside(item_level(pieces, row), last_line(row)), costs.jump);
    Some(Gap { start, end: inside(depth, None), empty: FAR })
}

/// The indentation of the item that ends before `row`: its least indented lines start it, after a blank line.
fn item_level(pieces: &[Piece], row: usize) -> usize {
    let mut level = usize::MAX;
    for (index, piece) in pieces[..row].iter().enumerate().rev() {
        if piece.line.blank {
            continue;
        }
        level = level.min(piece.line.indent);
        let starts = index == 0 || piece.starts_block || pieces[index - 1].line.blank;
        let closes = piece.text.trim_start().starts_with(['}', ')', ']']);
        if piece.starts_block || (starts && piece.line.indent == level && !closes) {
            break;
        }
    }
    if level == usize::MAX { 0 } else { level }
}

/// A suggestion without markers shows whole items: attributes and comments right above an item in the file give way to
/// the ones that the suggestion shows for it.
pub(super) fn replace_item_heads(file: &File<'_>, pieces: &[Piece], steps: &mut Vec<Step>) {
    if pieces.iter().any(|piece| piece.marker) {
        return;
    }
    let is_head = |text: &str| {
        let text = text.trim_start();
        ["#[", "@", "///", "/**", "*", "//"].iter().any(|start| text.starts_with(start))
    };
    for index in 0..steps.len() {
        let Step::Keep { start, end, .. } = steps[index] else { continue };
        let heads = steps[index + 1..]
            .iter()
            .take_while(|step| matches!(step, Step::Insert { row } if is_head(&pieces[*row].text)))
            .count();
        let same_line = match steps.get(index + 1 + heads) {
            Some(Step::Same { at, .. } | Step::Change { at, .. }) => *at == end,
            _ => false,
        };
        if heads == 0 || !same_line {
            continue;
        }
        let old = (start..end).rev().take_while(|at| is_head(file.text[*at])).count();
        if old > 0 && old <= heads + 1 {
            steps[index] = Step::Keep { start, end: end - old, marked: false };
            let deleted = (end - old..end).map(|at| Step::Delete { at });
            steps.splice(index + 1..index + 1, deleted);
        }
    }
}

/// Blank lines that differ without anything else are no edit in a careless suggestion; and where a suggestion shows
/// fewer blank lines between two items than the file has, the file's stay.
pub(super) fn keep_blank_lines(file: &File<'_>, pieces: &[Piece], mut steps: Vec<Step>, sloppy: bool) -> Vec<Step> {
    let collapsed = collapses_blank_lines(file, pieces, &steps);
    let edits = |step: Option<&Step>| {
        matches!(step, Some(Step::Delete { .. } | Step::Insert { .. } | Step::Change { .. }))
    };
    let removes = |step: Option<&Step>| matches!(step, Some(Step::Delete { at }) if !file.lines[*at].blank);
    for index in 0..steps.len() {
        let (before, after) = (index.checked_sub(1).map(|before| &steps[before]), steps.get(index + 1));
        let beside_edit = edits(before) || edits(after);
        let beside_removal = removes(before) || removes(after);
        let beside_blank = matches!(before, Some(Step::Same { at, .. } | Step::Keep { start: at, .. }) if file.lines.get(*at).is_some_and(|line| line.blank));
        steps[index] = match steps[index] {
            Step::SpareBlank { at } if (sloppy && !beside_removal) || (beside_blank && (collapsed || !beside_edit)) => {
                Step::Keep { start: at, end: at + 1, marked: false }
            }
            Step::SpareBlank { at } => Step::Delete { at },
            Step::ExtraBlank { row } if !sloppy || beside_edit => Step::Insert { row },
            step => step,
        };
    }
    let mut output: Vec<Step> = Vec::with_capacity(steps.len());
    let mut run: Vec<Step> = Vec::new();
    for step in steps {
        if edits(Some(&step)) {
            run.push(step);
        } else {
            settle_run(file, pieces, &mut run, &mut output, sloppy);
            output.push(step);
        }
    }
    settle_run(file, pieces, &mut run, &mut output, sloppy);
    output
}

/// Whether a suggestion shows one blank line throughout where the file has two between its items.
fn collapses_blank_lines(file: &File<'_>, pieces: &[Piece], steps: &[Step]) -> bool {
    let doubled = pieces.windows(2).any(|pair| pair[0].line.blank && pair[1].line.blank);
    let spare = steps.windows(2).any(|pair| match (pair[0], pair[1]) {
        (Step::Same { at, .. }, Step::SpareBlank { .. }) | (Step::SpareBlank { .. }, Step::Same { at, .. }) => file.lines[at].blank,
        _ => false,
    });
    !doubled && spare
}

fn settle_run(file: &File<'_>, pieces: &[Piece], run: &mut Vec<Step>, output: &mut Vec<Step>, sloppy: bool) {
    let removed_code = run.iter().any(|step| matches!(step, Step::Delete { at } if !file.lines[*at].blank));
    let new_code = run.iter().any(|step| match step {
        Step::Insert { row } | Step::Change { row, .. } => !pieces[*row].line.blank,
        _ => false,
    });
    for step in run.drain(..) {
        match step {
            Step::Delete { at } if sloppy && file.lines[at].blank && !removed_code => {
                output.push(Step::Keep { start: at, end: at + 1, marked: false });
            }
            Step::Insert { row } if sloppy && !new_code && !removed_code && pieces[row].line.blank => {}
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
    output
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
