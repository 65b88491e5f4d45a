//! Pricing a snippet against a file: what each row may stand for, where gaps may start and end, and at what price.

use std::collections::HashMap;
use std::rc::Rc;

use super::align::{FAR, Gap, Pair, PairKind, Problem, Row};
use super::costs::Costs;
use super::lines::{Line, occurrences};
use super::outline::Binding;
use super::snippet::{File, Piece};

/// What a stretch is of the whole suggestion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// It starts the suggestion.
    pub(super) first: bool,
    /// It ends the suggestion.
    pub(super) last: bool,
    /// The suggestion has markers, here or elsewhere.
    pub(super) has_markers: bool,
}

/// Prices the alignment of `pieces` with `file`.
pub(super) fn problem(
    file: &File<'_>,
    pieces: &[Piece],
    likenesses: &[Rc<[Likeness]>],
    binding: &Binding,
    sloppy: bool,
    costs: &Costs,
    ends: &Ends,
) -> Problem {
    let counts = occurrences(&file.lines);
    let has_markers = ends.has_markers;
    let mut rows = Vec::with_capacity(pieces.len());
    let edges = edge_rows(pieces);
    let mut names: HashMap<(u32, usize), usize> = HashMap::new();
    for line in &file.lines {
        if let Some(name) = line.name {
            *names.entry((name, line.indent)).or_insert(0) += 1;
        }
    }
    for (row, piece) in pieces.iter().enumerate() {
        if piece.marker {
            rows.push(Row::Gap(marker_gap(file, pieces, row, binding, costs)));
            continue;
        }
        let mut pairs = pairs(&piece.line, &likenesses[row], sloppy, costs);
        against_binding(&mut pairs, file, piece, binding, row, costs);
        let mut insert =
            costs.insert * piece.line.weight + costs.insert_blank * f32::from(u8::from(piece.line.blank));
        if piece.line.weight > 0.8
            && let Some(count) = counts.get(&piece.line.key)
        {
            insert += (costs.insert_known + costs.edge_known * edges[row]) / *count as f32;
        }
        if let Some(name) = piece.line.name
            && names.get(&(name, piece.line.indent)) == Some(&1)
        {
            insert += costs.insert_defined;
        }
        if binding.bound[row].is_some() {
            insert += costs.bind;
        }
        if binding.fresh[row] {
            insert *= costs.insert_fresh;
        }
        let beside =
            |row: Option<usize>| row.and_then(|row| pieces.get(row)).is_some_and(|piece| piece.marker);
        let spare = match (beside(row.checked_sub(1)) || beside(Some(row + 1)), sloppy) {
            (true, _) => costs.blank_marker,
            (false, true) => costs.blank_sloppy,
            (false, false) => costs.blank_drift,
        };
        let extra = piece.line.blank.then_some(spare);
        rows.push(Row::Line { insert, extra, pairs });
    }
    let jumps = (0..=pieces.len())
        .map(|row| {
            let inner = (row > 0 || ends.first) && (row < pieces.len() || ends.last);
            let mut gap = inner.then(|| jump(file, pieces, row, has_markers, costs)).flatten()?;
            if let Some(span) = binding.ended[row].as_ref().filter(|_| row > 0) {
                let size = gap.start.len() - 1;
                let inside = &mut gap.start[span.start.min(size)..span.end.min(size)];
                let price = if has_markers { costs.scope_tail_jump } else { costs.scope_tail_bare };
                inside.iter_mut().for_each(|start| *start += price);
            }
            // An item shown without a marker is shown whole.
            let same = |row: usize| binding.span.get(row).is_some_and(Option::is_some);
            if row > 0 && same(row - 1) && same(row) && binding.ended[row].is_none() {
                gap.start.iter_mut().for_each(|start| *start += costs.jump_item);
            }
            Some(gap)
        })
        .collect();
    let blank = if sloppy { costs.delete_blank.max(costs.blank_sloppy * 1.2) } else { costs.delete_blank };
    let is_blank = |at: usize| file.lines.get(at).is_some_and(|line| line.blank);
    let spare = |at: usize| {
        let double = is_blank(at + 1) || at.checked_sub(1).is_some_and(is_blank);
        let price = match (sloppy, double) {
            (true, _) => costs.blank_sloppy,
            (false, true) => costs.blank_double,
            (false, false) => costs.blank_drift,
        };
        is_blank(at).then_some(price)
    };
    let delete = |(at, line): (usize, &Line)| match line {
        line if line.blank => blank,
        _ if binding.unnamed[at] => costs.delete * line.weight + costs.delete_unnamed,
        line if line.item => costs.delete * line.weight + costs.delete_item,
        line => costs.delete * line.weight,
    };
    let delete = file.lines.iter().enumerate().map(delete).collect();
    Problem {
        size: file.lines.len(),
        rows,
        jumps,
        delete,
        spare: (0..file.lines.len()).map(spare).collect(),
        open: costs.open,
        open_edit: costs.open_edit,
        one_sided: costs.one_sided * if has_markers { 1.0 } else { costs.edge_bare },
        edge: costs.edge * if has_markers { 1.0 } else { costs.edge_bare },
        weak_edge: costs.weak_edge,
        end_edit: costs.end_edit,
    }
}

/// What it costs that a row stands for a line although the outline says otherwise.
fn against_binding(
    pairs: &mut [Pair],
    file: &File<'_>,
    piece: &Piece,
    binding: &Binding,
    row: usize,
    costs: &Costs,
) {
    for pair in pairs {
        let at = pair.at as usize;
        if let Some(own) = binding.bound[row] {
            pair.cost += if own == at { 0.0 } else { costs.bind };
        } else if let (Some(old), Some(new)) = (file.lines[at].header, piece.line.header)
            && old != new
        {
            pair.cost += costs.rename;
        }
        if binding.fresh[row] && (binding.depth[at].is_some() || file.lines[at].header.is_some()) {
            pair.cost += costs.scope_fresh * piece.line.weight;
        }
        if let Some(span) = &binding.span[row]
            && !span.contains(&at)
            && piece.line.weight > 0.0
        {
            pair.cost += if binding.far[row] { costs.scope_far } else { costs.scope };
        }
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

/// What a row's line has in common with a line of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likeness {
    at: u32,
    similarity: f32,
    /// Equal but for whitespace and quotes.
    alike: bool,
    /// Equal byte for byte.
    exact: bool,
    /// Defines the same name at the same depth.
    named: bool,
}

/// Compares every row with every line of the file, once for all prices.
pub(super) fn likenesses(file: &File<'_>, pieces: &[Piece]) -> Vec<Rc<[Likeness]>> {
    let mut seen: HashMap<u64, Rc<[Likeness]>> = HashMap::new();
    pieces
        .iter()
        .map(|piece| {
            seen.entry(piece.line.exact).or_insert_with(|| likeness(file, &piece.line).into()).clone()
        })
        .collect()
}

fn likeness(file: &File<'_>, line: &Line) -> Vec<Likeness> {
    let alike = file.alike(line).iter().map(|&at| {
        let exact = file.lines[at as usize].exact == line.exact;
        Likeness { at, similarity: 1.0, alike: true, exact, named: false }
    });
    let mut found: Vec<Likeness> = alike.collect();
    if line.weight >= 0.6 {
        for (at, other) in file.lines.iter().enumerate().filter(|(_, other)| other.key != line.key) {
            let similarity = line.similarity(other);
            let named = line.name.is_some() && line.name == other.name && line.indent == other.indent;
            if similarity >= LEAST_SIMILARITY || named {
                found.push(Likeness { at: at as u32, similarity, alike: false, exact: false, named });
            }
        }
        found.sort_by_key(|likeness| likeness.at);
    }
    found
}

/// Lines less alike than this are never a changed line and its old one.
const LEAST_SIMILARITY: f32 = 0.5;

fn pairs(line: &Line, likenesses: &[Likeness], sloppy: bool, costs: &Costs) -> Vec<Pair> {
    let exact = likenesses.iter().filter(|likeness| likeness.exact).count();
    let strong = line.weight >= costs.strong || (line.weight > 0.0 && exact == 1);
    let pair = |likeness: &Likeness| {
        let at = likeness.at;
        if likeness.alike {
            let drift = if sloppy { costs.drift_sloppy } else { costs.drift };
            let kind = if strong { PairKind::Strong } else { PairKind::Weak };
            return Some(Pair { at, cost: if likeness.exact { 0.0 } else { drift }, kind });
        }
        let cost = costs.change + (1.0 - likeness.similarity) * costs.change_slope;
        if likeness.named {
            Some(Pair { at, cost: cost * 0.5, kind: PairKind::Renewed })
        } else {
            (likeness.similarity >= costs.change_least).then_some(Pair { at, cost, kind: PairKind::Changed })
        }
    };
    likenesses.iter().filter_map(pair).collect()
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
    if last.marker || last.text.trim_end().ends_with(['{', '(', '[', ':', ',', '=', '\\', '|', '&', '+', '>'])
    {
        return prices;
    }
    let mut before: Option<&Line> = None;
    let next = next_indents(file);
    for (at, price) in prices.iter_mut().enumerate() {
        let follows = before.is_some_and(|line| same_place(line, &last.line));
        if !follows && next[at].is_some_and(|indent| indent > last.line.indent) {
            *price = costs.hanging;
        }
        let past_blank =
            at > 0 && file.lines[at - 1].blank && file.lines.get(at).is_some_and(|line| !line.blank);
        let joins = file.lines.get(at).is_some_and(|line| line.first == last.line.first);
        if past_blank && !pieces[row - 1].line.blank && !joins {
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
    let Some(first) = pieces.get(row).filter(|piece| !piece.marker && !piece.line.blank) else {
        return prices;
    };
    let closer =
        first.text.trim_start().starts_with(['}', ')', ']']) || first.text.trim_start().starts_with("end");
    for (at, price) in prices.iter_mut().enumerate().take(size).skip(1) {
        let (before, next) = (&file.lines[at - 1], &file.lines[at]);
        if next.key == first.line.key {
            continue;
        }
        if !closer && !before.blank && before.indent > first.line.indent {
            *price += costs.hanging;
        }
        let joins = before.first == first.line.first;
        if (next.blank && !joins) || (next.weight < 0.5 && first.line.indent <= next.indent) {
            *price += costs.slide;
        }
    }
    prices
}

/// A marker's gap is free; it is likelier to start at a line indented like the marker.
fn marker_gap(file: &File<'_>, pieces: &[Piece], row: usize, binding: &Binding, costs: &Costs) -> Gap {
    let marker = &pieces[row].line;
    let size = file.lines.len();
    let mut start = leaving(file, pieces, row, costs);
    for (at, indent) in next_indents(file).into_iter().enumerate() {
        start[at] += match indent {
            Some(indent) if indent > marker.indent => costs.marker_deeper,
            Some(indent) if indent == marker.indent => 0.0,
            _ => costs.marker_indent,
        };
    }
    let mut end = entering(file, pieces, row + 1, costs);
    if let Some(span) = &binding.span[row] {
        for at in (0..start.len()).filter(|at| *at <= span.start || *at > span.end) {
            let first = row == 0 || !binding.far[row - 1];
            start[at] += if first { costs.scope_gap } else { costs.scope_far };
            end[at] += costs.scope_far;
        }
    }
    if let Some(span) = &binding.ended[row] {
        start[span.start.min(size)..span.end.min(size)]
            .iter_mut()
            .for_each(|price| *price += costs.scope_tail);
    }
    split_items(file, pieces, row, binding, costs, &mut start, &mut end);
    Gap { start, end, empty: costs.marker_empty }
}

/// A gap does not start or end in the middle of an item that is no deeper than the text beside the marker, unless the
/// text goes on there as the file does.
fn split_items(
    file: &File<'_>,
    pieces: &[Piece],
    row: usize,
    binding: &Binding,
    costs: &Costs,
    start: &mut [f32],
    end: &mut [f32],
) {
    let said = |piece: &&Piece| !piece.line.blank;
    let before = pieces[..row].iter().rev().find(said).filter(|piece| !piece.marker);
    let after = pieces[row + 1..].iter().find(said).filter(|piece| !piece.marker);
    let mut last: Option<&Line> = None;
    for at in 0..start.len() {
        let Some(depth) = binding.depth[at] else {
            last = file.lines.get(at).filter(|line| !line.blank).or(last);
            continue;
        };
        if let Some(piece) = before
            && depth >= piece.line.indent
            && !last.is_some_and(|line| same_place(line, &piece.line))
        {
            start[at] += costs.split_item;
        }
        if let Some(piece) = after {
            let next = file.lines[at..].iter().find(|line| !line.blank);
            let closes = piece.text.trim_start().starts_with(['}', ')', ']']);
            if (depth > piece.line.indent || (depth == piece.line.indent && !closes))
                && !next.is_some_and(|line| same_place(line, &piece.line))
            {
                end[at] += costs.split_item;
            }
        }
        last = file.lines.get(at).filter(|line| !line.blank).or(last);
    }
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
