//! What speaks for and against a merge, counted: the base of its confidence.

use std::collections::{HashMap, HashSet};

use super::OutputLine;
use super::align::Step;
use super::distances;
use super::outline::is_head;
use super::snippet::{File, Piece};

/// Counts over one merge.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// The share of views (see `costs::Costs`) that lead to this merge.
    pub agreement: f64,
    /// The usual prices lead to this merge.
    pub usual: bool,
    /// How many different merges the views lead to.
    pub readings: usize,
    /// Bit i: the i-th further view leads to another merge than the usual prices.
    pub dissent: u32,
    /// The suggestion has elision markers.
    pub markers: bool,
    /// The suggestion is careless about whitespace and quotes.
    pub sloppy: bool,
    /// The suggestion came in several blocks.
    pub blocks: usize,
    /// Rows of the suggestion.
    pub rows: usize,
    /// Rows that are lines of the file and say something.
    pub anchors: usize,
    /// Rows taken as new lines.
    pub inserted: usize,
    /// Lines of the file taken out.
    pub deleted: usize,
    /// The longest stretch taken out that nothing replaces.
    pub longest_cut: usize,
    /// Stretches of new lines that touch a gap.
    pub one_sided: usize,
    /// Stretches of removed or changed lines that touch a gap.
    pub edge_edits: usize,
    /// New lines that stand in the edited file twice now.
    pub copied: usize,
    /// Of these, lines that stood in the file once: they may have been moved.
    pub copied_once: usize,
    /// Gaps at the start or end, or between items, that no marker shows.
    pub unmarked: usize,
    /// Rows that differ from the file's line in whitespace or quotes only.
    pub drifted: usize,
    /// Lines shown one after the other that stand closer together or further apart in the edited file.
    pub respaced: usize,
    /// Brackets that were balanced and no longer are.
    pub unbalanced: bool,
    /// A kept stretch begins deeper than the text before it, without reason.
    pub hanging: usize,
    /// Stretches of the suggestion with an edit but without a line that stands once in the file.
    pub floating: usize,
    /// Edited stretches with only brackets and blank lines between them and a gap.
    pub weak_edits: usize,
    /// Items of the file that go although the suggestion does not show both neighbours side by side.
    pub gone_unshown: usize,
    /// Headers that stand in place of another item's.
    pub renamed: usize,
    /// Lines that stand in place of another one.
    pub changed: usize,
    /// Items that would stand in the file twice.
    pub doubled: usize,
    /// Comments and attributes taken from above an item that stays, without any in their place.
    pub bared: usize,
    /// Places where the syntax tree is broken and was not before.
    pub broken: usize,
    /// Imports that are kept although the edit takes their last use.
    pub orphaned: usize,
    /// Names that are used although the edit takes their import.
    pub missing: usize,
    /// The price of the alignment.
    pub cost: f64,
}

/// Counts what one alignment did.
pub(super) fn count(file: &File<'_>, pieces: &[Piece], steps: &[Step], output: &[OutputLine]) -> Evidence {
    let mut evidence = Evidence {
        markers: pieces.iter().any(|piece| piece.marker),
        blocks: 1 + pieces.iter().filter(|piece| piece.starts_block).count(),
        rows: pieces.len(),
        respaced: distances::respaced(file, pieces, steps, output),
        unbalanced: balance(file.text.iter().copied())
            != balance(output.iter().map(|line| line.text.as_str())),
        ..Evidence::default()
    };
    let kept: HashSet<u64> =
        output.iter().filter_map(|line| line.original).map(|at| file.lines[at].key).collect();
    let is_edit =
        |step: &Step| matches!(step, Step::Insert { .. } | Step::Delete { .. } | Step::Change { .. });
    let mut index = 0;
    while index < steps.len() {
        match steps[index] {
            Step::Same { row, at } => {
                let (own, new) = (&file.lines[at], &pieces[row].line);
                evidence.anchors += usize::from(new.weight > 0.5);
                evidence.drifted += usize::from(own.exact != new.exact && !own.blank);
            }
            Step::Keep { start, end, marked } => {
                evidence.unmarked += usize::from(!marked && end > start + 1);
                evidence.hanging += usize::from(hangs(file, output, start, end));
            }
            _ => {}
        }
        if !is_edit(&steps[index]) {
            index += 1;
            continue;
        }
        let run = steps[index..].iter().take_while(|step| is_edit(step)).count();
        let stretch = &steps[index..index + run];
        let touches = index.checked_sub(1).is_some_and(|before| is_gap(&steps[before]))
            || steps.get(index + run).is_some_and(is_gap);
        let (mut added, mut removed) = (0, 0);
        for step in stretch {
            match step {
                Step::Insert { row } | Step::Change { row, .. } => {
                    let line = &pieces[*row].line;
                    added += usize::from(!line.blank);
                    let copied = line.weight > 0.8 && kept.contains(&line.key);
                    evidence.copied += usize::from(copied);
                    evidence.copied_once += usize::from(copied && file.alike(line).len() == 1);
                    removed += usize::from(matches!(step, Step::Change { .. }));
                }
                Step::Delete { at } => removed += usize::from(!file.lines[*at].blank),
                _ => {}
            }
        }
        evidence.inserted += added;
        evidence.deleted += removed;
        evidence.longest_cut = evidence.longest_cut.max(removed.saturating_sub(added));
        if touches && removed > 0 {
            evidence.edge_edits += 1;
        } else if touches && added > 0 {
            evidence.one_sided += 1;
        }
        index += run;
    }
    (evidence.floating, evidence.weak_edits) = places(file, pieces, steps);
    evidence.bared = steps
        .windows(2)
        .filter(|pair| match pair {
            [Step::Delete { at }, Step::Same { at: next, .. } | Step::Change { at: next, .. }] => {
                *next == at + 1 && file.lines[*next].header.is_some() && is_head(file.text[*at])
            }
            _ => false,
        })
        .count();
    let names = Names::count(file, pieces, output);
    evidence.doubled = names.doubled();
    evidence.gone_unshown = names.gone_unshown(file, pieces, steps);
    for step in steps {
        if let Step::Change { row, at } = *step {
            evidence.changed += 1;
            let (old, new) = (file.lines[at].header, pieces[row].line.header);
            evidence.renamed += usize::from(old.is_some() && new.is_some() && old != new);
        }
    }
    evidence
}

/// Counts edited stretches between two gaps that no unique line places, and those that end in a gap all but at once.
fn places(file: &File<'_>, pieces: &[Piece], steps: &[Step]) -> (usize, usize) {
    let (mut floating, mut weak) = (0, 0);
    for stretch in steps.split(is_gap) {
        let strong = |step: &Step| matches!(step, Step::Same { row, .. } if pieces[*row].line.weight > 0.5);
        let says = |step: &Step| match step {
            Step::Insert { row } | Step::Change { row, .. } => !pieces[*row].line.blank,
            Step::Delete { at } => !file.lines[*at].blank,
            _ => false,
        };
        let unique = |step: &Step| match step {
            Step::Same { at, .. } => file.lines[*at].weight > 0.5 && file.alike(&file.lines[*at]).len() == 1,
            _ => false,
        };
        if !stretch.iter().any(says) {
            continue;
        }
        floating += usize::from(!stretch.iter().any(unique));
        let first = stretch.iter().position(says).unwrap_or(0);
        let last = stretch.iter().rposition(says).unwrap_or(0);
        weak += usize::from(first > 0 && !stretch[..first].iter().any(strong));
        weak += usize::from(last + 1 < stretch.len() && !stretch[last..].iter().any(strong));
    }
    (floating, weak)
}

/// How often each item's name heads a line of the file, of the edited file, and of the suggestion.
struct Names(HashMap<u32, [usize; 3]>);

impl Names {
    fn count(file: &File<'_>, pieces: &[Piece], output: &[OutputLine]) -> Names {
        let mut counts: HashMap<u32, [usize; 3]> = HashMap::new();
        let mut add = |header: Option<u32>, column: usize| {
            if let Some(header) = header {
                counts.entry(header).or_default()[column] += 1;
            }
        };
        file.lines.iter().for_each(|line| add(line.header, 0));
        for line in output {
            match (line.original, line.row) {
                (Some(at), _) => add(file.lines[at].header, 1),
                (None, Some(row)) => add(pieces[row].line.header, 1),
                (None, None) => {}
            }
        }
        pieces.iter().filter(|piece| !piece.marker).for_each(|piece| add(piece.line.header, 2));
        Names(counts)
    }

    /// The items that the edited file has once more although the suggestion shows them once and the file had them.
    fn doubled(&self) -> usize {
        let twice = |[before, after, shown]: &[usize; 3]| *before > 0 && after > before && shown < after;
        self.0.values().filter(|counts| twice(counts)).count()
    }

    /// The items that go without a line that says something, on either side, before the next gap.
    fn gone_unshown(&self, file: &File<'_>, pieces: &[Piece], steps: &[Step]) -> usize {
        let goes = |step: &Step| match step {
            Step::Delete { at } | Step::Change { at, .. } => file.lines[*at]
                .header
                .and_then(|header| self.0.get(&header))
                .is_some_and(|[before, after, _]| after < before),
            _ => false,
        };
        let says = |step: &Step| matches!(step, Step::Same { row, .. } if pieces[*row].line.weight > 0.5);
        let mut unshown = 0;
        let stretches: Vec<&[Step]> = steps.split(is_gap).collect();
        for (number, stretch) in stretches.iter().enumerate() {
            // At either end of the file there is nothing more to be shown.
            let first = if number == 0 { Some(0) } else { stretch.iter().position(says) };
            let last = if number + 1 == stretches.len() {
                Some(stretch.len())
            } else {
                stretch.iter().rposition(says)
            };
            for index in (0..stretch.len()).filter(|index| goes(&stretch[*index])) {
                let shown =
                    first.is_some_and(|first| first <= index) && last.is_some_and(|last| index < last);
                unshown += usize::from(!shown);
            }
        }
        unshown
    }
}

/// The file's lines are kept unseen.
fn is_gap(step: &Step) -> bool {
    matches!(step, Step::Keep { start, end, .. } if end > start)
}

/// A kept stretch that starts deeper than the new text before it.
fn hangs(file: &File<'_>, output: &[OutputLine], start: usize, end: usize) -> bool {
    let Some(first) = (start..end).find(|at| !file.lines[*at].blank) else { return false };
    let Some(position) = output.iter().position(|line| line.original == Some(first)) else { return false };
    let Some(before) = output[..position].iter().rev().find(|line| !line.text.trim().is_empty()) else {
        return false;
    };
    let opens =
        before.text.trim_end().ends_with(['{', '(', '[', ':', ',', '=', '\\', '|', '&', '+', '>', '-']);
    before.original.is_none() && !opens && super::lines::indent_of(&before.text) < file.lines[first].indent
}

/// Opening minus closing brackets of each kind.
fn balance<'a>(lines: impl Iterator<Item = &'a str>) -> [i64; 3] {
    let mut sum = [0; 3];
    for c in lines.flat_map(str::bytes) {
        match c {
            b'{' => sum[0] += 1,
            b'}' => sum[0] -= 1,
            b'(' => sum[1] += 1,
            b')' => sum[1] -= 1,
            b'[' => sum[2] += 1,
            b']' => sum[2] -= 1,
            _ => {}
        }
    }
    sum
}
