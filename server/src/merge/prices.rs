//! Pricing a snippet against a file: what each row may stand for, where gaps may start and end, and at what price.

use std::collections::HashMap;
use std::rc::Rc;

use super::align::{Pair, PairKind, Problem, Row};
use super::costs::Costs;
use super::gaps::{marker_gap, unmarked_gap};
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
            inner.then(|| unmarked_gap(file, pieces, row, has_markers, binding, costs)).flatten()
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
