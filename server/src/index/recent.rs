//! Where the user has just edited or looked: a short memory of regions, with their text as it was then.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ropey::Rope;

/// How many regions are remembered.
const REGIONS: usize = 24;
/// Lines around the place that are kept with it.
const AROUND: usize = 5;
/// Regions that touch become one up to this many lines.
const MAX_LINES: usize = 40;
const MAX_BYTES: usize = 4096;

/// What the user did at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visit {
    /// The cursor was there.
    Viewed,
    /// Text was changed there.
    Edited,
}

/// A region of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) path: PathBuf,
    pub(super) lines: Range<usize>,
    pub(super) text: String,
    pub(super) visit: Visit,
}

/// The regions, the newest first.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Region>);

impl Recent {
    /// Remembers what stands around some lines of a file.
    pub(super) fn note(&mut self, path: &Path, rope: &Rope, lines: &Range<usize>, mut visit: Visit) {
        let last = rope.len_lines();
        let clip =
            |lines: Range<usize>| lines.start.min(last)..lines.end.min(last).min(lines.start + MAX_LINES);
        let mut region = clip(lines.start.saturating_sub(AROUND)..lines.end + AROUND);
        // Lines may have moved since; a region that was near here is still the same place.
        self.0.retain(|other| {
            let touches = other.lines.start <= region.end && region.start <= other.lines.end;
            let union = other.lines.start.min(region.start)..other.lines.end.max(region.end);
            if other.path != path || !touches {
                return true;
            }
            visit = visit.max(other.visit);
            if union.len() <= MAX_LINES {
                region = clip(union);
            }
            false
        });
        let mut text =
            String::from(rope.slice(rope.line_to_char(region.start)..rope.line_to_char(region.end)));
        if text.trim().is_empty() || text.len() > MAX_BYTES {
            return;
        }
        text.truncate(text.trim_end().len());
        self.0.push_front(Region { path: path.to_owned(), lines: region, text, visit });
        self.0.truncate(REGIONS);
    }

    /// The regions, the newest first.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(notes: &[(&str, Range<usize>, Visit)], expected: &[(&str, Range<usize>, Visit)]) {
        let text: String = (0..200).map(|line| format!("line {line}\n")).collect();
        let rope = Rope::from_str(&text);
        let mut recent = Recent::default();
        for (path, lines, visit) in notes {
            recent.note(Path::new(path), &rope, lines, *visit);
        }
        let found: Vec<_> =
            recent.regions().map(|r| (r.path.to_str().unwrap(), r.lines.clone(), r.visit)).collect();
        assert_eq!(found, expected);
        for region in recent.regions() {
            assert!(region.text.starts_with(&format!("line {}\n", region.lines.start)));
            assert_eq!(region.text.lines().count(), region.lines.len());
        }
    }

    #[test]
    fn places_that_touch_are_one_and_the_newest_is_first() {
        use Visit::{Edited, Viewed};
        check(
            &[("a", 20..21, Edited), ("b", 0..1, Viewed), ("a", 24..25, Viewed), ("a", 100..101, Viewed)],
            &[("a", 95..106, Viewed), ("a", 15..30, Edited), ("b", 0..6, Viewed)],
        );
        check(&[("a", 20..90, Edited)], &[("a", 15..55, Edited)]);
        check(&[("a", 190..191, Edited), ("a", 150..185, Edited)], &[("a", 145..185, Edited)]);
    }

    #[test]
    fn the_memory_is_short() {
        let rope = Rope::from_str(&"x\n".repeat(2000));
        let mut recent = Recent::default();
        for at in 0..100 {
            recent.note(Path::new("a"), &rope, &(at * 20..at * 20 + 1), Visit::Edited);
        }
        assert_eq!(recent.regions().count(), REGIONS);
        recent.note(Path::new("b"), &Rope::from_str("\n\n"), &(0..1), Visit::Edited);
        recent.note(Path::new("b"), &Rope::from_str("one"), &(7..9), Visit::Edited);
        assert!(recent.regions().all(|region| region.path == Path::new("a")));
    }
}
