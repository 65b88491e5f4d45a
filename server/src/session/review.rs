//! What an apply changed in a document, hunk by hunk, until a person has kept or undone it.
//!
//! A review holds the text before and after, and nothing of the editor's: where a hunk stands now is worked out from the
//! text that the document has now. A hunk that was typed into is not offered for undoing any more.

use std::ops::Range;

use crate::text::{Conflict, Edits, LineHunk, line_hunks};

/// See the module's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The text before, with the pasted snippet in it.
    before: String,
    /// The same without the snippet: the text that hunks are for.
    base: String,
    after: String,
    hunks: Vec<ReviewHunk>,
    /// The snippet that was taken out, and where in `base`. Nobody wants to look at it again; undoing all puts it back.
    snippet: Option<(usize, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ReviewHunk {
    id: u32,
    /// Whole lines of the base, and of the text after.
    lines: LineHunk,
}

/// A hunk where it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedHunk {
    /// Its number within the review.
    pub id: u32,
    /// Bytes of the text now; empty where lines were only removed.
    pub range: Range<usize>,
    /// The lines that were there before; empty where lines were only added.
    pub removed: String,
}

impl Review {
    /// What lies between the two texts. `snippet` is where the suggestion itself stood in the text before.
    pub fn new(before: String, after: String, snippet: Option<&Range<usize>>) -> Self {
        let cut = snippet.filter(|cut| before.get((*cut).clone()).is_some()).cloned().unwrap_or_default();
        let base = [&before[..cut.start], &before[cut.end..]].concat();
        let snippet = (!cut.is_empty()).then(|| (cut.start, before[cut].to_owned()));
        let hunks =
            (1..).zip(line_hunks(&base, &after)).map(|(id, lines)| ReviewHunk { id, lines }).collect();
        Self { before, base, after, hunks, snippet }
    }

    /// The text that the apply made.
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Whether nothing is left to decide about a document that has this text now.
    pub fn is_over(&self, now: &str) -> bool {
        now == self.before || self.placed(now).is_empty()
    }

    /// The hunks that are still to be decided about, in order.
    pub fn placed(&self, now: &str) -> Vec<PlacedHunk> {
        let meanwhile = line_hunks(&self.after, now);
        self.hunks
            .iter()
            .filter_map(|hunk| {
                let range = map(&meanwhile, &hunk.lines.new).ok()?;
                let removed = self.base[hunk.lines.old.clone()].to_owned();
                Some(PlacedHunk { id: hunk.id, range, removed })
            })
            .collect()
    }

    /// The hunk at a byte of the text now, or the nearest one after it, or the last.
    pub fn hunk_at(&self, now: &str, byte: usize) -> Option<u32> {
        let placed = self.placed(now);
        placed.iter().find(|hunk| byte <= hunk.range.end).or(placed.last()).map(|hunk| hunk.id)
    }

    /// Leaves a hunk as it is, or all.
    pub fn keep(&mut self, id: Option<u32>) {
        self.hunks.retain(|hunk| id.is_some_and(|id| hunk.id != id));
    }

    /// The edits on the text now that undo a hunk, or all of them with the snippet put back.
    pub fn undo(&self, id: Option<u32>, now: &str) -> Result<Edits, Conflict> {
        let meanwhile = line_hunks(&self.after, now);
        let mut edits = Edits::none(now.len());
        let mut snippet = self.snippet.as_ref().filter(|_| id.is_none());
        let mut moved = 0_isize;
        for hunk in self.hunks.iter().filter(|hunk| id.is_none_or(|id| hunk.id == id)) {
            let LineHunk { old, new } = &hunk.lines;
            if let Some((at, text)) = snippet.take_if(|(at, _)| *at < old.start) {
                let at = at.strict_add_signed(moved);
                edits.push(map(&meanwhile, &(at..at))?, text);
            }
            let mut lines = self.base[old.clone()].to_owned();
            if let Some((at, text)) = snippet.take_if(|(at, _)| *at <= old.end) {
                lines.insert_str(at - old.start, text);
            }
            edits.push(map(&meanwhile, new)?, &lines);
            moved = new.end.cast_signed() - old.end.cast_signed();
        }
        if let Some((at, text)) = snippet {
            let at = at.strict_add_signed(moved);
            edits.push(map(&meanwhile, &(at..at))?, text);
        }
        Ok(edits)
    }

    /// The edits of [`Review::undo`] are on their way: the text after is now without them.
    pub fn undone(&mut self, id: Option<u32>) {
        let Some(id) = id else {
            self.hunks.clear();
            return;
        };
        let mut undone = Edits::none(self.after.len());
        let mut left = Vec::new();
        let mut moved = 0_isize;
        for mut hunk in std::mem::take(&mut self.hunks) {
            let LineHunk { old, new } = hunk.lines.clone();
            if hunk.id == id {
                undone.push(new.clone(), &self.base[old.clone()]);
                moved += old.len().cast_signed() - new.len().cast_signed();
            } else {
                hunk.lines.new = new.start.strict_add_signed(moved)..new.end.strict_add_signed(moved);
                left.push(hunk);
            }
        }
        self.after = undone.apply(&self.after);
        self.hunks = left;
    }
}

/// Where whole lines lie after what was typed meanwhile; lines that were added right above them are not theirs.
fn map(meanwhile: &[LineHunk], lines: &Range<usize>) -> Result<Range<usize>, Conflict> {
    let (mut removed, mut added) = (0, 0);
    for hunk in meanwhile {
        if hunk.old.end <= lines.start {
            removed += hunk.old.len();
            added += hunk.new.len();
        } else if hunk.old.start < lines.end {
            return Err(Conflict { range: lines.clone() });
        }
    }
    Ok(lines.start - removed + added..lines.end - removed + added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEFORE: &str = "a\nb\nc\nd\ne\nf\n";
    const AFTER: &str = "a\nB\nc\nd\nnew\ne\n";

    fn review() -> Review {
        Review::new(BEFORE.to_owned(), AFTER.to_owned(), None)
    }

    #[track_caller]
    fn check(now: &str, expected: &[(u32, &str, &str)]) {
        let placed = review().placed(now);
        let found: Vec<(u32, &str, &str)> =
            placed.iter().map(|hunk| (hunk.id, &now[hunk.range.clone()], hunk.removed.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn hunks_are_whole_lines_and_move_with_what_is_typed() {
        let all = [(1, "B\n", "b\n"), (2, "new\n", ""), (3, "", "f\n")];
        check(AFTER, &all);
        check("x\na\nB\nc\nd\nnew\ne\n", &all);
        check("a\nB\nc\nd!\nnew\ne\n", &all);
        check("a\nB!\nc\nd\nnew\ne\n", &all[1..]);
    }

    #[test]
    fn one_is_undone_and_the_others_stay() {
        let mut review = review();
        let edits = review.undo(Some(1), AFTER).unwrap();
        let now = edits.apply(AFTER);
        assert_eq!(now, "a\nb\nc\nd\nnew\ne\n");
        review.undone(Some(1));
        assert_eq!(review.after(), now);
        assert_eq!(review.placed(&now).iter().map(|hunk| hunk.id).collect::<Vec<_>>(), [2, 3]);
        review.keep(Some(2));
        assert_eq!(review.undo(None, &now).unwrap().apply(&now), "a\nb\nc\nd\nnew\ne\nf\n");
        review.keep(None);
        assert!(review.is_over(&now));
    }

    #[test]
    fn undoing_all_keeps_what_was_typed_elsewhere_and_puts_the_snippet_back() {
        let before = "a\nb\nc\n\nSNIPPET\n";
        let review = Review::new(before.to_owned(), "a\nB\nc\n".to_owned(), Some(&(6..15)));
        let now = "typed\na\nB\nc\n";
        assert_eq!(review.placed(now).len(), 1, "the snippet is not shown");
        assert_eq!(review.undo(None, now).unwrap().apply(now), format!("typed\n{before}"));
        assert!(review.is_over(before));
        assert!(review.undo(Some(1), "a\nBB\nc\n").is_err(), "what was typed into is not lost");
    }

    #[test]
    fn a_snippet_like_its_place_is_told_from_it() {
        let old = "fn f() {\n    1\n}\n\nfn g() {\n    1 + 1\n}\n";
        let new = "fn f() {\n    1\n}\n\nfn g() {\n    2\n}\n";
        let snippet = "\nfn g() {\n    2\n}\n";
        for at in [0, old.find("fn g").unwrap(), old.find("    1 +").unwrap(), old.len()] {
            let before = [&old[..at], snippet, &old[at..]].concat();
            let review = Review::new(before.clone(), new.to_owned(), Some(&(at..at + snippet.len())));
            let placed = review.placed(new);
            assert_eq!(placed.len(), 1);
            assert_eq!(placed[0].removed, "    1 + 1\n");
            assert_eq!(review.undo(None, new).unwrap().apply(new), before);
        }
    }

    #[test]
    fn the_hunk_at_the_cursor_is_found() {
        let at = |needle: &str| review().hunk_at(AFTER, AFTER.find(needle).unwrap());
        assert_eq!([at("a"), at("B"), at("d"), at("new")], [Some(1), Some(1), Some(2), Some(2)]);
    }

    proptest! {
        #[test]
        fn undoing_one_after_another_gives_the_text_before(
            before in prop::collection::vec("[abc]{0,2}", 0..12),
            after in prop::collection::vec("[abc]{0,2}", 0..12),
            last_line_end in any::<bool>(),
        ) {
            let text = |lines: &[String]| {
                let text = lines.join("\n");
                if last_line_end { text + "\n" } else { text }
            };
            let (before, after) = (text(&before), text(&after));
            let mut review = Review::new(before.clone(), after.clone(), None);
            let mut now = after;
            prop_assert_eq!(review.undo(None, &now).unwrap().apply(&now), before.clone());
            let ids: Vec<u32> = review.placed(&now).iter().map(|hunk| hunk.id).collect();
            for id in ids {
                now = review.undo(Some(id), &now).unwrap().apply(&now);
                review.undone(Some(id));
                prop_assert_eq!(review.after(), &now);
            }
            prop_assert_eq!(now, before);
        }
    }
}
