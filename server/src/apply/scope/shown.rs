//! Which lines of a file a model is shown.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use redraft_grammars::Language;

use super::outline::Outline;
use crate::merge::{Merge, OutputLine};

/// Readings of the suggestion whose places are shown, the likeliest first.
const READINGS: usize = 4;
/// Lines around a change that is in no item.
const AROUND_ITEMS: usize = 12;
/// Longer items are shown only around the change.
const LONGEST_ITEM: usize = 120;
/// Lines around a change where items do not count.
const AROUND_EDITS: usize = 3;
/// Lines from a change within which all that the suggestion quotes is shown; further off, what stands once.
const QUOTED: usize = 25;
/// Shorter quoted lines say nothing about a place.
const SHORTEST_QUOTED: usize = 4;

/// The items that `merges` touch, and the headers of what is around them and beside them.
pub(super) fn items(lines: &[&str], merges: &[Merge], language: Option<Language>) -> Vec<bool> {
    let mut shown = vec![false; lines.len()];
    let outline = Outline::new(lines, language);
    let touched = all_touched(merges, lines.len());
    for range in &touched {
        let whole = outline.enclosing(range).filter(|item| item.len() <= LONGEST_ITEM);
        let around = whole.unwrap_or_else(|| widened(range, AROUND_ITEMS, lines.len()));
        shown[around.start.min(range.start)..around.end.max(range.end)].fill(true);
    }
    for header in outline.around(&touched) {
        shown[header].fill(true);
    }
    shown
}

/// What `merges` change with a few lines around it, and the lines that the suggestion quotes: whatever else the suggestion
/// shows is new.
pub(super) fn edits(lines: &[&str], merges: &[Merge], suggestion: &str) -> Vec<bool> {
    let mut shown = vec![false; lines.len()];
    let touched = all_touched(merges, lines.len());
    for range in &touched {
        shown[widened(range, AROUND_EDITS, lines.len())].fill(true);
    }
    // Diffs put a sign before a line.
    let forms = |line| [line, str::get(line, 1..).unwrap_or_default()].map(str::trim);
    let quoted: HashSet<&str> =
        suggestion.lines().flat_map(forms).filter(|line| line.len() >= SHORTEST_QUOTED).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    lines.iter().for_each(|line| *times.entry(line.trim()).or_default() += 1);
    for (at, line) in lines.iter().map(|line| line.trim()).enumerate() {
        let near = || touched.iter().any(|range| widened(range, QUOTED, lines.len()).contains(&at));
        shown[at] |= quoted.contains(line) && (times[line] == 1 || near());
    }
    shown
}

fn widened(range: &Range<usize>, by: usize, size: usize) -> Range<usize> {
    range.start.saturating_sub(by)..range.end.saturating_add(by).min(size)
}

fn all_touched(merges: &[Merge], size: usize) -> Vec<Range<usize>> {
    merges.iter().take(READINGS).flat_map(|merge| touched(&merge.lines, size)).collect()
}

/// The stretches of the file that a merge changes; of a place where it only adds lines, the line before and after.
fn touched(merged: &[OutputLine], size: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut close = |start: usize, end: usize, new: bool| {
        if start != end {
            ranges.push(start.min(end)..start.max(end));
        } else if new {
            ranges.push(start.saturating_sub(1)..(end + 1).min(size));
        }
    };
    // The line after the last kept one, and whether new lines stand there.
    let (mut next, mut new) = (0, false);
    for line in merged {
        match line.original {
            Some(at) => {
                close(next, at, new);
                (next, new) = (at + 1, false);
            }
            None => new = true,
        }
    }
    close(next, size, new);
    ranges
}
