//! What of a file the model is shown, chosen so that it rarely changes: the model reads again only from the first change on.
//!
//! A [`Layout`] cuts a window out of the file with a hole in it. The hole begins at the *anchor*, the beginning of the line
//! in which the user starts to type, and what is typed from there on stands behind everything else in the prompt. As long
//! as the user types on, accepts completions and begins new lines, the layout stays, and a keystroke costs its own tokens.

use redraft_model::prompt::{FimPrompt, OtherFile};

use super::place::{floor, line_start};

/// Bytes of code that make one token, as a rule.
const BYTES_PER_TOKEN: usize = 3;

/// How much the model reads, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Before the anchor.
    pub before: usize,
    /// Behind the hole.
    pub after: usize,
    /// Of other files.
    pub others: usize,
    /// Whether what is typed stands behind the hole, so that the rest stays read; otherwise the hole begins at the cursor,
    /// as the models were trained, for comparison.
    pub anchored: bool,
}

impl Budget {
    /// Bytes that may be taken of other files.
    pub fn other_bytes(&self) -> usize {
        self.others * BYTES_PER_TOKEN
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget { before: 1024, after: 256, others: 512, anchored: true }
    }
}

/// Bytes that may be typed before the layout is made anew.
const TYPED: usize = 1500;

/// See the module's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where the window begins in the file.
    start: usize,
    before: String,
    after: String,
    pub(super) others: Vec<OtherFile>,
}

impl Layout {
    /// Cuts the window around the cursor. Where an earlier one began in text that still stands there, this one begins there
    /// too if it is not too far away.
    pub(super) fn new(
        text: &str,
        cursor: usize,
        after_from: usize,
        budget: Budget,
        earlier: Option<&Layout>,
        others: Vec<OtherFile>,
    ) -> Layout {
        let anchor = if budget.anchored { line_start(text, cursor) } else { cursor };
        let bytes = budget.before * BYTES_PER_TOKEN;
        let kept = earlier.map(|layout| layout.start).filter(|start| {
            let unmoved = earlier.is_some_and(|layout| {
                let shared = layout.before.len().min(anchor.saturating_sub(*start)).min(200);
                let shared = floor(&layout.before, shared);
                text.get(*start..start + shared) == Some(&layout.before[..shared])
            });
            unmoved && *start <= anchor && (bytes / 2..=bytes * 3 / 2).contains(&(anchor - start))
        });
        let start = match kept {
            Some(start) => start,
            None if anchor <= bytes => 0,
            // A little less than fits, so that the window stays while the cursor moves on.
            None => {
                let from = floor(text, anchor - bytes * 3 / 4);
                text[from..].find('\n').map_or(anchor, |at| from + at + 1).min(anchor)
            }
        };
        let until = floor(text, (after_from + budget.after * BYTES_PER_TOKEN).min(text.len()));
        let until =
            if until == text.len() { until } else { text[..until].rfind('\n').map_or(until, |at| at + 1) };
        Layout {
            start,
            before: text[start..anchor].to_owned(),
            after: text[after_from..until.max(after_from)].to_owned(),
            others,
        }
    }

    /// Whether the window still is what stands in the file, but for the hole.
    pub(super) fn fits(&self, text: &str, cursor: usize, after_from: usize) -> bool {
        let anchor = self.start + self.before.len();
        let unchanged = text.get(self.start..anchor) == Some(self.before.as_str())
            && text.get(after_from..).is_some_and(|after| after.starts_with(&self.after));
        unchanged && (anchor..=anchor + TYPED).contains(&cursor)
    }

    /// Whether all of this stands in the parts of other files that the layout has.
    pub(super) fn tells(&self, others: &[OtherFile]) -> bool {
        others.iter().all(|wanted| {
            self.others.iter().any(|other| other.path == wanted.path && other.text.contains(&wanted.text))
        })
    }

    /// The prompt for a cursor in the hole.
    pub(super) fn prompt(&self, text: &str, cursor: usize, file: FimPrompt) -> FimPrompt {
        FimPrompt {
            others: self.others.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            written: text[self.start + self.before.len()..cursor].to_owned(),
            ..file
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { before: 20, after: 10, others: 0, anchored: true };

    fn lines(count: usize) -> String {
        (0..count).map(|number| format!("line {number}\n")).collect()
    }

    #[test]
    fn typing_accepting_and_new_lines_keep_the_layout() {
        let text = lines(50);
        let cursor = text.find("line 30").unwrap() + 4;
        let layout = Layout::new(&text, cursor, cursor, BUDGET, None, Vec::new());
        assert!(layout.before.len() <= 60 && layout.before.ends_with("line 29\n"), "{layout:?}");
        assert!(layout.after.len() <= 30 && layout.after.ends_with('\n'), "{layout:?}");
        for typed in ["x", "xy();\n", "xy();\n    let a", ""] {
            let mut changed = text.clone();
            changed.insert_str(cursor, typed);
            let at = cursor + typed.len();
            assert!(layout.fits(&changed, at, at), "{typed}");
            let prompt = layout.prompt(&changed, at, FimPrompt::default());
            assert_eq!(prompt.written, format!("line{typed}"));
        }
        // Text that was deleted before the anchor, or that changed behind the hole.
        assert!(!layout.fits(&text, cursor - 5, cursor - 5));
        assert!(!layout.fits(&text, cursor, cursor + 1));
    }

    #[test]
    fn a_window_begins_where_the_one_before_began_while_that_is_near() {
        let text = lines(100);
        let at = |number: usize| text.find(&format!("line {number}\n")).unwrap();
        let first = Layout::new(&text, at(50), at(50), BUDGET, None, Vec::new());
        let near = Layout::new(&text, at(53), at(53), BUDGET, Some(&first), Vec::new());
        assert_eq!(near.start, first.start);
        let far = Layout::new(&text, at(90), at(90), BUDGET, Some(&first), Vec::new());
        assert!(far.start > at(80));
        let short = Layout::new(&text, at(3), at(3), BUDGET, Some(&first), Vec::new());
        assert_eq!(short.start, 0);
    }
}
