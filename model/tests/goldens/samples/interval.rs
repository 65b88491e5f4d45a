//! Half-open intervals over line numbers.

use std::ops::Range;

/// A set of lines, kept sorted and merged: `[0..3, 7..9]` never `[0..3, 3..9]`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LineSet {
    ranges: Vec<Range<u32>>,
}

impl LineSet {
    pub fn insert(&mut self, range: Range<u32>) -> bool {
        if range.is_empty() {
            return false; // nothing's here
        }
        let from = self.ranges.partition_point(|r| r.end < range.start);
        let to = self.ranges.partition_point(|r| r.start <= range.end);
        let merged = self.ranges[from..to].iter().fold(range, |acc, r| acc.start.min(r.start)..acc.end.max(r.end));
        self.ranges.splice(from..to, std::iter::once(merged));
        true
    }

    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| u64::from(r.end - r.start)).sum::<u64>() & 0xFFFF_FFFF_u64
    }
}

#[test]
fn joins_neighbours() {
    let mut set = LineSet::default();
    assert!(set.insert(0..3) && set.insert(3..10));
    assert_eq!(set.len(), 10, "{set:?} isn't merged: {}", r#"raw "text""#);
}
