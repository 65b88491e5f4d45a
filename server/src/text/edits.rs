//! A set of replacements on one text, with the algebra that applying them needs.

use std::ops::Range;

/// One replacement: the bytes `range` of the old text become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Bytes of the old text.
    pub range: Range<usize>,
    /// What stands there afterwards.
    pub text: String,
}

/// Replacements on a text of known length, sorted, with at least one untouched byte between any two.
///
/// The gap matters: editors disagree about the order of two edits at one place, so there never are two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    old_len: usize,
    hunks: Vec<Hunk>,
}

/// Edits cannot be moved over other edits because both touch the same place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the same place was changed meanwhile")]
pub struct Conflict {
    /// Bytes of the common old text where they meet.
    pub range: Range<usize>,
}

impl Edits {
    /// No change to a text of this many bytes.
    pub fn none(old_len: usize) -> Self {
        Self { old_len, hunks: Vec::new() }
    }

    /// Adds a replacement behind all others. One that touches the last is joined with it; one that changes nothing is
    /// dropped.
    ///
    /// # Panics
    /// When the range lies before the end of the last one or outside the text: that is a defect of the caller.
    pub fn push(&mut self, range: Range<usize>, text: &str) {
        assert!(
            range.start <= range.end && range.end <= self.old_len,
            "{range:?} outside 0..{}",
            self.old_len
        );
        if range.is_empty() && text.is_empty() {
            return;
        }
        match self.hunks.last_mut() {
            Some(last) if last.range.end >= range.start => {
                assert_eq!(last.range.end, range.start, "hunks out of order");
                last.range.end = range.end;
                last.text.push_str(text);
            }
            _ => self.hunks.push(Hunk { range, text: text.to_owned() }),
        }
    }

    /// The replacements in order.
    pub fn hunks(&self) -> &[Hunk] {
        &self.hunks
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.hunks.is_empty()
    }

    /// Bytes of the text that these edits are for.
    pub fn old_len(&self) -> usize {
        self.old_len
    }

    /// The text with every replacement made. `old` must be the text that the edits were made for.
    pub fn apply(&self, old: &str) -> String {
        debug_assert_eq!(old.len(), self.old_len);
        let mut new =
            String::with_capacity(old.len() + self.hunks.iter().map(|h| h.text.len()).sum::<usize>());
        let mut at = 0;
        for hunk in &self.hunks {
            new.push_str(&old[at..hunk.range.start]);
            new.push_str(&hunk.text);
            at = hunk.range.end;
        }
        new.push_str(&old[at..]);
        new
    }

    /// Where a byte of the old text lies in the new one, when no replacement touches it.
    pub fn map(&self, byte: usize) -> Result<usize, Conflict> {
        self.map_range(byte..byte).map(|range| range.start)
    }

    /// Where a range of the old text lies in the new one, when no replacement touches it.
    pub fn map_range(&self, range: Range<usize>) -> Result<Range<usize>, Conflict> {
        let (mut removed, mut added) = (0, 0);
        for hunk in &self.hunks {
            if hunk.range.end < range.start {
                removed += hunk.range.len();
                added += hunk.text.len();
            } else if hunk.range.start <= range.end {
                return Err(Conflict {
                    range: hunk.range.start.max(range.start)..hunk.range.end.min(range.end),
                });
            }
        }
        Ok(range.start - removed + added..range.end - removed + added)
    }

    /// These edits for the text that `over` makes of the common old text; refused where the two touch.
    pub fn rebase(&self, over: &Edits) -> Result<Edits, Conflict> {
        debug_assert_eq!(self.old_len, over.old_len);
        let added: usize = over.hunks.iter().map(|h| h.text.len()).sum();
        let removed: usize = over.hunks.iter().map(|h| h.range.len()).sum();
        let mut moved = Edits::none(over.old_len - removed + added);
        for hunk in &self.hunks {
            moved.push(over.map_range(hunk.range.clone())?, &hunk.text);
        }
        Ok(moved)
    }

    /// The edits that undo these, for the text that they make of `old`.
    pub fn inverse(&self, old: &str) -> Edits {
        let added: usize = self.hunks.iter().map(|h| h.text.len()).sum();
        let removed: usize = self.hunks.iter().map(|h| h.range.len()).sum();
        let mut inverse = Edits::none(self.old_len - removed + added);
        let mut delta = 0_isize;
        for hunk in &self.hunks {
            let start = hunk.range.start.strict_add_signed(delta);
            inverse.push(start..start + hunk.text.len(), &old[hunk.range.clone()]);
            delta += hunk.text.len().cast_signed() - hunk.range.len().cast_signed();
        }
        inverse
    }

    /// Edits made for the text without the bytes `cut`, as edits for the whole text that also take the cut out.
    pub fn with_cut(&self, cut: Range<usize>) -> Edits {
        let mut whole = Edits::none(self.old_len + cut.len());
        let mut taken_out = false;
        for hunk in &self.hunks {
            if hunk.range.end < cut.start {
                whole.push(hunk.range.clone(), &hunk.text);
            } else if hunk.range.start > cut.start {
                if !taken_out {
                    whole.push(cut.clone(), "");
                    taken_out = true;
                }
                whole.push(hunk.range.start + cut.len()..hunk.range.end + cut.len(), &hunk.text);
            } else {
                // The hunk reaches or spans the place of the cut: one replacement does both.
                whole.push(hunk.range.start..hunk.range.end + cut.len(), &hunk.text);
                taken_out = true;
            }
        }
        if !taken_out {
            whole.push(cut, "");
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::super::diff;
    use super::*;
    use proptest::prelude::*;

    fn edits(old_len: usize, hunks: &[(Range<usize>, &str)]) -> Edits {
        let mut edits = Edits::none(old_len);
        for (range, text) in hunks {
            edits.push(range.clone(), text);
        }
        edits
    }

    #[test]
    fn edits_move_over_changes_elsewhere() {
        let ours = edits(20, &[(10..12, "XYZ")]);
        let theirs = edits(20, &[(0..4, "a"), (15..15, "bb")]);
        assert_eq!(ours.rebase(&theirs).unwrap(), edits(19, &[(7..9, "XYZ")]));
    }

    #[test]
    fn edits_that_touch_are_refused() {
        let ours = edits(20, &[(10..12, "XYZ")]);
        for theirs in [(9..10, "q"), (10..10, "q"), (11..11, "q"), (12..13, ""), (0..20, ""), (12..12, "q")] {
            assert!(ours.rebase(&edits(20, std::slice::from_ref(&theirs))).is_err(), "{theirs:?}");
        }
        assert!(ours.rebase(&edits(20, &[(9..9, "q"), (13..14, "")])).is_ok());
    }

    #[test]
    fn a_cut_is_taken_out_with_the_edits() {
        let whole = "one\ntwo\nSNIPPET\nthree\nfour\n";
        let cut = 8..16;
        let rest = "one\ntwo\nthree\nfour\n";
        for new in [
            "one\nTWO\nthree\nFOUR\n",
            "one\ntwo\nthree\nfour\n",
            "one\nfour\n",
            "",
            "zero\none\ntwo\nx\nthree\nfour\n",
        ] {
            let made = diff(rest, new).with_cut(cut.clone());
            assert_eq!(made.apply(whole), new);
        }
    }

    fn lines() -> impl Strategy<Value = Vec<String>> {
        let line = prop::sample::select(vec!["a\n", "b\n", "😀c\r\n", "\n", "  d\n", "long line e\n"]);
        prop::collection::vec(line.prop_map(str::to_owned), 0..12)
    }

    proptest! {
        #[test]
        fn inverse_undoes(old in lines(), new in lines()) {
            let (old, new) = (old.concat(), new.concat());
            let made = diff(&old, &new);
            prop_assert_eq!(made.inverse(&old).apply(&new), old);
        }

        #[test]
        fn a_cut_anywhere_composes(before in lines(), snippet in lines(), after in lines(), new in lines()) {
            let whole = [before.concat(), snippet.concat(), after.concat()].concat();
            let rest = [before.concat(), after.concat()].concat();
            let cut = before.concat().len()..before.concat().len() + snippet.concat().len();
            let made = diff(&rest, &new.concat()).with_cut(cut);
            prop_assert_eq!(made.apply(&whole), new.concat());
        }

        /// Changes to disjoint halves commute: ours after theirs equals theirs after ours.
        #[test]
        fn rebased_edits_meet(left in lines(), right in lines(), new_left in lines(), new_right in lines()) {
            let (left, right) = (left.concat(), right.concat());
            let middle = "=== the untouched middle ===\n";
            let base = format!("{left}{middle}{right}");
            let ours = diff(&base, &format!("{}{middle}{right}", new_left.concat()));
            let theirs = diff(&base, &format!("{left}{middle}{}", new_right.concat()));
            let both = format!("{}{middle}{}", new_left.concat(), new_right.concat());
            let moved = ours.rebase(&theirs).expect("the middle line keeps them apart");
            prop_assert_eq!(moved.apply(&theirs.apply(&base)), both);
        }
    }
}
