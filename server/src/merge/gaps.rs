//! Where the gaps of a snippet may start and end in the file, and at what price: gaps that a marker shows, and gaps that
//! nothing shows.

use super::align::{FAR, Gap};
use super::costs::Costs;
use super::lines::Line;
use super::outline::{Binding, is_head};
use super::snippet::{File, Piece};

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
        let heads = heads_next(&last.text);
        let joins = heads || file.lines.get(at).is_some_and(|line| line.first == last.line.first);
        // What follows closes the block: no item stands there that the blank line would set apart.
        let closes =
            file.lines.get(at).is_some_and(|line| line.weight < 0.5 && line.indent < last.line.indent);
        if past_blank && !pieces[row - 1].line.blank && !joins && !closes {
            *price += costs.slide;
        }
        if heads && !pieces[row - 1].line.blank && file.lines.get(at).is_some_and(|line| line.blank) {
            *price += costs.slide;
        }
        if at < file.lines.len() && !file.lines[at].blank {
            before = Some(&file.lines[at]);
        }
    }
    prices
}

/// An attribute, a decorator or a doc comment belongs to what follows it.
fn heads_next(text: &str) -> bool {
    ["#[", "@", "///", "*/"].iter().any(|start| text.trim_start().starts_with(start))
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
pub(super) fn marker_gap(
    file: &File<'_>,
    pieces: &[Piece],
    row: usize,
    binding: &Binding,
    costs: &Costs,
) -> Gap {
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
            end[at] += if opens_item(pieces, row + 1, binding) { costs.scope_item } else { costs.scope_far };
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

/// Whether the rows from `row` on start an item that the file does not have.
fn opens_item(pieces: &[Piece], row: usize, binding: &Binding) -> bool {
    let first = (row..pieces.len()).find(|row| !pieces[*row].line.blank && !is_head(&pieces[*row].text));
    first.is_some_and(|row| !pieces[row].marker && binding.fresh[row] && pieces[row].line.header.is_some())
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

/// A gap that no marker shows, priced by where the outline says it can be.
pub(super) fn unmarked_gap(
    file: &File<'_>,
    pieces: &[Piece],
    row: usize,
    has_markers: bool,
    binding: &Binding,
    costs: &Costs,
) -> Option<Gap> {
    let mut gap = jump(file, pieces, row, has_markers, costs)?;
    if let Some(span) = binding.ended[row].as_ref().filter(|_| row > 0) {
        let size = file.lines.len();
        let price = if has_markers { costs.scope_tail_jump } else { costs.scope_tail_bare };
        for start in &mut gap.start[span.start.min(size)..span.end.min(size)] {
            *start += price;
        }
    }
    // An item shown without a marker is shown whole.
    let shown = |row: usize| binding.span.get(row).is_some_and(Option::is_some);
    if row > 0 && shown(row - 1) && shown(row) && binding.ended[row].is_none() {
        for start in &mut gap.start {
            *start += costs.jump_item;
        }
    }
    Some(gap)
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
