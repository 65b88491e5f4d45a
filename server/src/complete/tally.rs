//! What became of the completions that were shown: counted, never with the code itself, and used to be quieter where they
//! are not wanted.
//!
//! An editor does not say that a completion was accepted. It shows in the text: what was shown stands there afterwards, all
//! at once, in pieces, or letter by letter.

use std::collections::BTreeMap;
use std::time::Duration;

use ropey::Rope;
use serde::{Deserialize, Serialize};

/// What was counted for one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Counts {
    /// Completions that were shown and are over.
    pub shown: u64,
    /// Of these, accepted at once.
    pub accepted: u64,
    /// Accepted in pieces that end with a line.
    pub by_line: u64,
    /// Accepted in smaller pieces.
    pub by_word: u64,
    /// Typed letter by letter, at least half of it.
    pub typed: u64,
    /// Characters shown.
    pub characters_shown: u64,
    /// Of these, characters that were taken over.
    pub characters_kept: u64,
}

/// The counts of each language.
pub type Counted = BTreeMap<String, Counts>;

/// A completion that is on the screen.
#[derive(Clone, Debug)]
struct Shown {
    file: String,
    language: String,
    /// Where it begins.
    cursor: usize,
    /// The length of the whole text at that time.
    length: usize,
    text: String,
    replaces: usize,
    /// So many bytes of it were taken over.
    kept: usize,
    /// The largest piece that was taken over at once.
    piece: Option<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Letter,
    Word,
    Line,
    Whole,
}

/// Watches what becomes of what is shown; see the module's description.
#[derive(Debug, Default)]
pub struct Tally {
    counted: Counted,
    shown: Option<Shown>,
    changed: bool,
}

/// So few completions say nothing about what is wanted.
const ENOUGH: u64 = 20;

impl Tally {
    /// Goes on with what was counted before.
    pub fn new(counted: Counted) -> Tally {
        Tally { counted, ..Tally::default() }
    }

    /// The counts, if they changed since this was last asked.
    pub fn news(&mut self) -> Option<Counted> {
        std::mem::take(&mut self.changed).then(|| self.counted.clone())
    }

    /// A completion goes to the screen. One that shows what is left of the one before, or more of it, is the same one.
    pub fn show(
        &mut self,
        file: &str,
        language: &str,
        text: &Rope,
        cursor: usize,
        completion: &super::Completion,
    ) {
        if let Some(shown) = &mut self.shown
            && shown.file == file
            && cursor == shown.cursor + shown.kept
            && let Some(left) = shown.text.get(shown.kept..)
        {
            if left.starts_with(&completion.text) {
                return;
            }
            if !left.is_empty() && completion.text.starts_with(left) {
                shown.text.replace_range(shown.kept.., &completion.text);
                shown.replaces = completion.replaces;
                return;
            }
        }
        self.over();
        self.shown = Some(Shown {
            file: file.to_owned(),
            language: language.to_owned(),
            cursor,
            length: text.len_bytes(),
            text: completion.text.clone(),
            replaces: completion.replaces,
            kept: 0,
            piece: None,
        });
    }

    /// A file has a new text.
    pub fn changed(&mut self, file: &str, text: &Rope) {
        let Some(shown) = self.shown.as_mut().filter(|shown| shown.file == file) else { return };
        let added = (text.len_bytes() + shown.replaces).saturating_sub(shown.length);
        let common = text
            .get_byte_slice(shown.cursor..)
            .map_or(0, |after| after.bytes().zip(shown.text.bytes()).take_while(|(a, b)| a == b).count());
        let kept = common.min(added);
        if kept > shown.kept {
            let piece = shown.text.get(shown.kept..kept).unwrap_or_default();
            let size = match piece.chars().count() {
                1 => Piece::Letter,
                _ if kept == shown.text.len() && shown.kept == 0 => Piece::Whole,
                _ if piece.contains('\n') || shown.text[kept..].starts_with('\n') => Piece::Line,
                _ => Piece::Word,
            };
            shown.piece = shown.piece.max(Some(size));
        }
        let went_on = kept > shown.kept;
        shown.kept = shown.kept.max(kept);
        if !went_on || shown.kept == shown.text.len() {
            self.over();
        }
    }

    /// The completion is not on the screen any more.
    pub fn over(&mut self) {
        let Some(shown) = self.shown.take() else { return };
        let counts = self.counted.entry(shown.language).or_default();
        let characters = |text: &str| text.chars().count() as u64;
        counts.shown += 1;
        counts.characters_shown += characters(&shown.text);
        counts.characters_kept += characters(shown.text.get(..shown.kept).unwrap_or_default());
        match shown.piece {
            Some(Piece::Whole) => counts.accepted += 1,
            Some(Piece::Line) => counts.by_line += 1,
            Some(Piece::Word) => counts.by_word += 1,
            Some(Piece::Letter) if shown.kept * 2 >= shown.text.len() => counts.typed += 1,
            Some(Piece::Letter) | None => {}
        }
        self.changed = true;
    }

    /// The share of completions that are taken over in some way; nothing before there are enough to tell.
    fn welcome(&self, language: &str) -> Option<f64> {
        let counts = self.counted.get(language).filter(|counts| counts.shown >= ENOUGH)?;
        let taken = counts.accepted + counts.by_line + counts.by_word + counts.typed;
        Some(taken as f64 / counts.shown as f64)
    }

    /// How long to rest after a key before the model is asked: not at all, and the longer the less completions are wanted.
    pub fn debounce(&self, language: &str) -> Duration {
        // Of what Copilot and its like show, about three in ten are accepted.
        let welcome = self.welcome(language).unwrap_or(0.3);
        Duration::from_millis((150.0 * (1.0 - welcome / 0.3).clamp(0.0, 1.0)) as u64)
    }

    /// So many tokens are worth writing: where little of what is shown is kept, shorter completions are as good.
    pub fn max_tokens(&self, language: &str, most: usize) -> usize {
        let kept = self
            .counted
            .get(language)
            .filter(|counts| counts.shown >= ENOUGH)
            .map_or(1.0, |counts| counts.characters_kept as f64 / counts.characters_shown.max(1) as f64);
        ((most as f64 * (kept * 4.0).clamp(0.5, 1.0)) as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::complete::Completion;

    /// Shows `text` at the end of "let x = " and lets the file take on these texts one after the other.
    fn counted(text: &str, texts: &[&str]) -> Counts {
        let mut tally = Tally::default();
        let completion = Completion { text: text.to_owned(), replaces: 0, confidence: 1.0 };
        let rope = Rope::from_str("let x = \n}\n");
        tally.show("f", "rust", &rope, 8, &completion);
        for text in texts {
            tally.changed("f", &Rope::from_str(text));
        }
        tally.over();
        tally.news().unwrap().remove("rust").unwrap()
    }

    #[test]
    fn what_became_of_a_completion_shows_in_the_text() {
        let counts = counted("f(1);\ng();", &["let x = f(1);\ng();\n}\n"]);
        assert_eq!((counts.shown, counts.accepted, counts.characters_kept), (1, 1, 10));
        let counts = counted("f(1);\ng();", &["let x = f(1);\n}\n"]);
        assert_eq!((counts.by_line, counts.characters_kept), (1, 5));
        let counts = counted("foo(1) + 2;", &["let x = foo\n}\n", "let x = foo(1\n}\n", "let x = fo\n}\n"]);
        assert_eq!((counts.by_word, counts.characters_kept), (1, 5));
        let counts = counted("ab", &["let x = a\n}\n", "let x = ab\n}\n"]);
        assert_eq!((counts.typed, counts.characters_kept), (1, 2));
        let counts = counted("f(1);", &["let x = g\n}\n"]);
        assert_eq!((counts.shown, counts.characters_kept), (1, 0));
        assert_eq!(counts.accepted + counts.by_line + counts.by_word + counts.typed, 0);
    }

    #[test]
    fn what_is_left_of_a_completion_is_no_other_one() {
        let mut tally = Tally::default();
        let completion = |text: &str| Completion { text: text.to_owned(), replaces: 0, confidence: 1.0 };
        tally.show("f", "rust", &Rope::from_str("a"), 1, &completion("bcd"));
        tally.changed("f", &Rope::from_str("ab"));
        tally.show("f", "rust", &Rope::from_str("ab"), 2, &completion("cd"));
        tally.changed("f", &Rope::from_str("abcd"));
        let counts = tally.news().unwrap().remove("rust").unwrap();
        assert_eq!((counts.shown, counts.characters_kept), (1, 3));
        assert_eq!(tally.news(), None);
        // Nor is more of it.
        tally.show("f", "rust", &Rope::from_str("a"), 1, &completion("b"));
        tally.show("f", "rust", &Rope::from_str("a"), 1, &completion("bcd"));
        tally.changed("f", &Rope::from_str("ab"));
        tally.show("f", "rust", &Rope::from_str("ab"), 2, &completion("cdef"));
        tally.changed("f", &Rope::from_str("abcdef"));
        let counts = tally.news().unwrap().remove("rust").unwrap();
        assert_eq!((counts.shown, counts.characters_shown, counts.characters_kept), (2, 8, 8));
    }

    #[test]
    fn who_wants_little_is_left_alone() {
        let with = |accepted| {
            let counts = Counts { shown: 100, accepted, characters_shown: 1000, ..Counts::default() };
            let kept = Counts { characters_kept: accepted * 10, ..counts };
            Tally::new(Counted::from([("rust".to_owned(), kept)]))
        };
        assert!(with(2).debounce("rust") > with(40).debounce("rust"));
        assert_eq!(with(40).debounce("rust"), Tally::default().debounce("rust"));
        assert_eq!((with(40).max_tokens("rust", 96), with(1).max_tokens("rust", 96)), (96, 48));
    }
}
