//! Large problems in pieces: the aligner's table grows with file times suggestion, so that a long suggestion for a long
//! file is cut at lines that stand exactly once in both, and each stretch between them is aligned by itself.

use std::collections::HashMap;
use std::ops::Range;

use super::MergeError;
use super::align::Step;
use super::costs::Costs;
use super::outline::{self, Binding};
use super::prices::{self, Ends, Likeness};
use super::snippet::{File, Piece};
use std::rc::Rc;

/// Problems up to this many cells are aligned as one.
const WHOLE: usize = 1_200_000;
/// The size of the stretches that larger ones are cut into.
const STRETCH: usize = 60_000;
/// More than this in one stretch is refused: the table would take hundreds of megabytes.
const MOST: usize = 8_000_000;

/// One stretch of file and suggestion.
pub(super) struct Segment<'a> {
    rows: Range<usize>,
    at: Range<usize>,
    file: File<'a>,
    pieces: Vec<Piece>,
    likenesses: Vec<Rc<[Likeness]>>,
    binding: Binding,
    ends: Ends,
}

/// Cuts a problem; a small one stays whole.
pub(super) fn cut<'a>(
    text: &'a [&'a str],
    file: &File<'_>,
    pieces: &[Piece],
) -> Result<Vec<Segment<'a>>, MergeError> {
    let cells = |rows: &Range<usize>, at: &Range<usize>| rows.len() * at.len();
    let mut ranges: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let (mut row, mut at) = (0, 0);
    if pieces.len() * text.len() > WHOLE {
        let mut last: Option<(usize, usize)> = None;
        for anchor in anchors(file, pieces) {
            if let Some((cut_row, cut_at)) = last
                && cells(&(row..anchor.0), &(at..anchor.1)) > STRETCH
            {
                ranges.push((row..cut_row, at..cut_at));
                (row, at) = (cut_row, cut_at);
            }
            last = Some(anchor);
        }
        if let Some((cut_row, cut_at)) = last.filter(|(cut_row, _)| *cut_row > row) {
            ranges.push((row..cut_row, at..cut_at));
            (row, at) = (cut_row, cut_at);
        }
    }
    ranges.push((row..pieces.len(), at..text.len()));
    if ranges.iter().any(|(rows, at)| cells(rows, at) > MOST) {
        return Err(MergeError::TooLarge);
    }
    let count = ranges.len();
    let binding = outline::bind(file, pieces);
    let has_markers = pieces.iter().any(|piece| piece.marker);
    Ok(ranges
        .into_iter()
        .enumerate()
        .map(|(number, (rows, at))| {
            let file = File::new(&text[at.clone()]);
            let pieces = pieces[rows.clone()].to_vec();
            let likenesses = prices::likenesses(&file, &pieces);
            let ends = Ends { first: number == 0, last: number + 1 == count, has_markers };
            let binding = binding.part(rows.clone(), at.clone());
            Segment { rows, at, file, pieces, likenesses, binding, ends }
        })
        .collect())
}

/// Aligns every stretch; the steps speak of the whole file again.
pub(super) fn solve(segments: &[Segment<'_>], sloppy: bool, costs: &Costs) -> (Vec<Step>, f64) {
    let mut steps = Vec::new();
    let mut total = 0.0;
    for segment in segments {
        let problem = prices::problem(
            &segment.file,
            &segment.pieces,
            &segment.likenesses,
            &segment.binding,
            sloppy,
            costs,
            &segment.ends,
        );
        let table = problem.solve();
        total += f64::from(table.total());
        steps.extend(
            table.steps().into_iter().map(|step| shifted(step, segment.rows.start, segment.at.start)),
        );
    }
    (steps, total)
}

fn shifted(step: Step, rows: usize, lines: usize) -> Step {
    match step {
        Step::Same { row, at } => Step::Same { row: row + rows, at: at + lines },
        Step::Change { row, at } => Step::Change { row: row + rows, at: at + lines },
        Step::Insert { row } => Step::Insert { row: row + rows },
        Step::Delete { at } => Step::Delete { at: at + lines },
        Step::SpareBlank { at } => Step::SpareBlank { at: at + lines },
        Step::ExtraBlank { row } => Step::ExtraBlank { row: row + rows },
        Step::Keep { start, end, marked } => Step::Keep { start: start + lines, end: end + lines, marked },
    }
}

/// Rows and lines that are the same, stand once on either side, and follow each other on both.
fn anchors(file: &File<'_>, pieces: &[Piece]) -> Vec<(usize, usize)> {
    let mut rows: HashMap<u64, Option<usize>> = HashMap::new();
    for (row, piece) in
        pieces.iter().enumerate().filter(|(_, piece)| !piece.marker && piece.line.weight > 0.5)
    {
        rows.entry(piece.line.exact).and_modify(|row| *row = None).or_insert(Some(row));
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, line) in file.lines.iter().enumerate() {
        if file.alike(line).len() == 1
            && let Some(Some(row)) = rows.get(&line.exact)
        {
            pairs.push((*row, at));
        }
    }
    pairs.sort_unstable();
    longest_rising(&pairs)
}

/// The longest run of pairs whose second numbers rise.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; pairs.len()];
    for (index, pair) in pairs.iter().enumerate() {
        let place = tails.partition_point(|tail| pairs[*tail].1 < pair.1);
        before[index] = place.checked_sub(1).map(|place| tails[place]);
        if place == tails.len() {
            tails.push(index);
        } else {
            tails[place] = index;
        }
    }
    let mut run = Vec::with_capacity(tails.len());
    let mut next = tails.last().copied();
    while let Some(index) = next {
        run.push(pairs[index]);
        next = before[index];
    }
    run.reverse();
    run
}
