//! Which lines an edit changes.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Changed regions with fewer unchanged lines between them are one.
const GAP: usize = 3;

/// One changed region: lines of the old text, and those of the new one that stand in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// The changed regions of `old` and `new`, in order.
pub(super) fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    // What is equal is told exactly; where between the rest stands is not.
    let equal = capture_diff_slices(Algorithm::Myers, old, new).into_iter().filter_map(|op| match op {
        DiffOp::Equal { old_index, new_index, len } => Some((old_index, new_index, len)),
        _ => None,
    });
    let (mut here, mut there) = (0, 0);
    for (old_start, new_start, len) in equal.chain([(old.len(), new.len(), 0)]) {
        if (here, there) != (old_start, new_start) {
            match hunks.last_mut() {
                Some(last) if here < last.old.end + GAP => {
                    (last.old.end, last.new.end) = (old_start, new_start);
                }
                _ => hunks.push(Hunk { old: here..old_start, new: there..new_start }),
            }
        }
        (here, there) = (old_start + len, new_start + len);
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::{Hunk, hunks};
    use crate::cli::bench::random::Random;

    #[test]
    fn near_changes_are_one() {
        let old: Vec<&str> = "a b c d e f g h".split(' ').collect();
        let new: Vec<&str> = "a B c D e f g h i".split(' ').collect();
        assert_eq!(hunks(&old, &new), [Hunk { old: 1..4, new: 1..4 }, Hunk { old: 8..8, new: 8..9 }]);
        assert_eq!(hunks(&old, &old), []);
        for seed in 0..2000u64 {
            let mut random = Random::new(&[&seed.to_le_bytes()]);
            let mut text =
                |len: usize| -> Vec<&str> { (0..len).map(|_| *random.one_of(&["a", "b", "c"])).collect() };
            let (old, new) = (text(12), text(12));
            let (mut here, mut there) = (0, 0);
            for hunk in hunks(&old, &new) {
                assert_eq!(old[here..hunk.old.start], new[there..hunk.new.start]);
                (here, there) = (hunk.old.end, hunk.new.end);
            }
            assert_eq!(old[here..], new[there..]);
        }
    }
}
