//! The diff of a known text against one that is still arriving.
//!
//! No input or output: [`StreamingDiff::push_new`] takes the next piece of the new text and gives the hunks that are
//! settled, [`StreamingDiff::finish`] gives the rest. A hunk is settled once the new text has come back to the old one
//! for long enough; it then never changes, so it can go to the editor while later text is still being verified.
//! Whatever the alignment, the hunks together turn the old text into the new one exactly.

use super::diff::diff_into;
use super::edits::{Edits, Hunk};

/// So many lines in a row must agree with the old text before a hunk is settled.
const RUN: usize = 3;

/// How far ahead in the old text a place to come back to is looked for, in lines.
const REACH: usize = 2000;

/// See the module's description.
#[derive(Debug)]
pub struct StreamingDiff {
    old: String,
    /// Start of every line of the old text, and its length at the end.
    starts: Vec<usize>,
    /// The first line of the old text that no hunk or kept line has used yet.
    at: usize,
    /// Whole new lines that differ so far, from the first that did.
    pending: Vec<String>,
    /// The line that is arriving.
    partial: String,
    edits: Edits,
    /// How many of the hunks were given out.
    given: usize,
}

impl StreamingDiff {
    /// A diff against `old`.
    pub fn new(old: impl Into<String>) -> Self {
        let old = old.into();
        let mut starts = vec![0];
        starts.extend(old.split_inclusive('\n').scan(0, |sum, line| {
            *sum += line.len();
            Some(*sum)
        }));
        let edits = Edits::none(old.len());
        Self { old, starts, at: 0, pending: Vec::new(), partial: String::new(), edits, given: 0 }
    }

    /// Takes the next piece of the new text; gives the hunks that it settled, in order, in bytes of the old text.
    pub fn push_new(&mut self, text: &str) -> Vec<Hunk> {
        for piece in text.split_inclusive('\n') {
            self.partial.push_str(piece);
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                self.push_line(line);
            }
        }
        // Every hunk so far is followed by kept lines, so no later one can join it.
        let fresh = self.edits.hunks()[self.given..].to_vec();
        self.given += fresh.len();
        fresh
    }

    /// How far the new text has come in the old one, in bytes of it: up to here every hunk is settled.
    pub fn verified(&self) -> usize {
        self.starts[self.at]
    }

    /// The new text has ended; gives all hunks that were not given before.
    pub fn finish(mut self) -> Vec<Hunk> {
        let mut rest = self.pending.concat();
        rest.push_str(&self.partial);
        let start = self.starts[self.at];
        diff_into(&mut self.edits, start, &self.old[start..], &rest);
        self.edits.hunks()[self.given..].to_vec()
    }

    fn lines(&self) -> usize {
        self.starts.len() - 1
    }

    fn old_line(&self, line: usize) -> &str {
        &self.old[self.starts[line]..self.starts[line + 1]]
    }

    fn push_line(&mut self, line: String) {
        if self.pending.is_empty() && self.at < self.lines() && self.old_line(self.at) == line {
            self.at += 1;
            return;
        }
        self.pending.push(line);
        if let Some(run_start) = self.place_to_come_back() {
            let kept = self.pending.len() - RUN;
            let start = self.starts[self.at];
            let replaced = &self.old[start..self.starts[run_start]];
            diff_into(&mut self.edits, start, replaced, &self.pending[..kept].concat());
            self.pending.clear();
            self.at = run_start + RUN;
        }
    }

    /// The nearest old line from which on the last `RUN` new lines stand word for word. Lines that stand everywhere
    /// (blank ones, lone brackets) prove nothing: one of the run must have a word in it.
    fn place_to_come_back(&self) -> Option<usize> {
        let run = self.pending.last_chunk::<RUN>()?;
        let tells = |line: &String| line.chars().filter(|c| c.is_alphanumeric()).count() > 2;
        if !run.iter().any(tells) {
            return None;
        }
        let last = (self.at + REACH).min(self.lines().checked_sub(RUN)?);
        (self.at..=last)
            .find(|&start| run.iter().enumerate().all(|(i, line)| self.old_line(start + i) == line))
    }
}

#[cfg(test)]
mod tests {
    use super::super::diff;
    use super::*;
    use proptest::prelude::*;

    fn apply(old: &str, hunks: &[Hunk]) -> String {
        let mut edits = Edits::none(old.len());
        for hunk in hunks {
            edits.push(hunk.range.clone(), &hunk.text);
        }
        assert_eq!(edits.hunks().len(), hunks.len(), "hunks touch");
        edits.apply(old)
    }

    fn numbered(lines: std::ops::Range<usize>) -> String {
        lines.map(|n| format!("let value{n} = {n};\n")).collect()
    }

    #[test]
    fn a_hunk_goes_out_before_the_text_has_ended() {
        let old = numbered(0..40);
        let new = old.replace("value10 = 10", "value10 = TEN").replace("value30 = 30", "value30 = THIRTY");
        let mut diff = StreamingDiff::new(old.as_str());
        let half = new.len() / 2;
        let early = diff.push_new(&new[..half]);
        assert_eq!(early.len(), 1);
        assert_eq!(early[0].text, "TEN");
        let mut all = early;
        all.extend(diff.push_new(&new[half..]));
        all.extend(diff.finish());
        assert_eq!(all.len(), 2);
        assert_eq!(apply(&old, &all), new);
    }

    #[test]
    fn insertions_and_deletions_are_found() {
        let old = numbered(0..40);
        let mut lines: Vec<&str> = old.split_inclusive('\n').collect();
        lines.drain(20..25);
        lines.insert(5, "inserted();\n");
        let new = lines.concat();
        let mut stream = StreamingDiff::new(old.as_str());
        let mut hunks = Vec::new();
        for line in new.split_inclusive('\n') {
            hunks.extend(stream.push_new(line));
        }
        hunks.extend(stream.finish());
        assert_eq!(apply(&old, &hunks), new);
        assert_eq!(hunks, diff(&old, &new).hunks());
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "let a = 1;\n",
            "let bcd = 2;\n",
            "}\n",
            "\n",
            "call😀(x);\r\n",
            "tail",
            "if x {\n",
            "  return 3;\n",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    /// Random edits of a text, so that most lines stay.
    fn edited() -> impl Strategy<Value = (String, String)> {
        (text(), prop::collection::vec((0usize..50, 0usize..4, text()), 0..4)).prop_map(|(old, changes)| {
            let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
            for (at, remove, insert) in changes {
                let at = at.min(lines.len());
                let end = (at + remove).min(lines.len());
                lines.splice(at..end, insert.split_inclusive('\n').take(3).map(str::to_owned));
            }
            (old, lines.concat())
        })
    }

    fn pieces(text: &str, cuts: &[usize]) -> Vec<String> {
        let mut rest = text;
        let mut pieces = Vec::new();
        for cut in cuts {
            let at = rest.char_indices().nth(*cut).map_or(rest.len(), |(at, _)| at);
            pieces.push(rest[..at].to_owned());
            rest = &rest[at..];
        }
        pieces.push(rest.to_owned());
        pieces
    }

    proptest! {
        #[test]
        fn the_hunks_make_the_new_text((old, new) in edited(), cuts in prop::collection::vec(0usize..30, 0..20)) {
            let mut stream = StreamingDiff::new(old.as_str());
            let mut hunks = Vec::new();
            for piece in pieces(&new, &cuts) {
                hunks.extend(stream.push_new(&piece));
            }
            hunks.extend(stream.finish());
            prop_assert_eq!(apply(&old, &hunks), new.as_str());

            let mut stream = StreamingDiff::new(old.as_str());
            let mut whole = stream.push_new(&new);
            whole.extend(stream.finish());
            prop_assert_eq!(hunks, whole, "the size of the pieces must not matter");
        }

        #[test]
        fn unrelated_texts_work_too(old in text(), new in text()) {
            let mut stream = StreamingDiff::new(old.as_str());
            let mut hunks = stream.push_new(&new);
            hunks.extend(stream.finish());
            prop_assert_eq!(apply(&old, &hunks), new);
        }
    }
}
