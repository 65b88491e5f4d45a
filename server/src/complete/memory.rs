//! Completions that were made, for the user who types what was predicted, deletes what was typed, or asks again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::polish::Polished;

/// How many are kept.
const KEPT: usize = 64;

/// A cursor in a file, as far as a completion depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    file: String,
    cursor: usize,
    before: u64,
    after: u64,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Spot {
    /// The spot of a cursor; `after_from` is where the text behind the hole begins.
    pub(super) fn new(file: &str, text: &str, cursor: usize, after_from: usize) -> Spot {
        let (before, after) = (hash(&text[..cursor]), hash(&text[after_from..]));
        Spot { file: file.to_owned(), cursor, before, after }
    }

    /// What was typed between this spot and a later one before which the text `before` stands.
    pub(super) fn leads_to<'t>(&self, later: &Spot, before: &'t str) -> Option<&'t str> {
        let typed = before.get(self.cursor..)?;
        let same = self.file == later.file && self.after == later.after;
        (same && self.before == hash(&before[..self.cursor])).then_some(typed)
    }
}

/// What was found for a spot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// So much of a completion is left.
    Left(Polished),
    /// There is nothing to show here.
    Nothing,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: VecDeque<(Spot, Option<Polished>)>,
}

impl Memory {
    /// Keeps what was made of a spot.
    pub(super) fn put(&mut self, spot: Spot, polished: Option<Polished>) {
        self.entries.retain(|(other, _)| *other != spot);
        self.entries.push_front((spot, polished));
        self.entries.truncate(KEPT);
    }

    /// What is known for a cursor: made there, or made before it and typed since.
    pub(super) fn find(&self, file: &str, text: &str, cursor: usize, after_from: usize) -> Option<Found> {
        let after = hash(&text[after_from..]);
        self.entries.iter().find_map(|(spot, polished)| {
            let typed = text.get(spot.cursor..cursor)?;
            if spot.file != file || spot.after != after || spot.before != hash(&text[..spot.cursor]) {
                return None;
            }
            match polished {
                Some(Polished { text, confidence }) => {
                    let left = text.strip_prefix(typed).filter(|left| !left.is_empty())?;
                    Some(Found::Left(Polished { text: left.to_owned(), confidence: *confidence }))
                }
                None => typed.is_empty().then_some(Found::Nothing),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_through_is_known_and_what_differs_is_not() {
        let mut memory = Memory::default();
        let polished = Polished { text: "push(x);".to_owned(), confidence: 0.9 };
        memory.put(Spot::new("f", "a.\nb", 2, 2), Some(polished));
        let find = |text: &str, cursor: usize| match memory.find("f", text, cursor, cursor) {
            Some(Found::Left(polished)) => polished.text,
            Some(Found::Nothing) => "nothing".to_owned(),
            None => "unknown".to_owned(),
        };
        assert_eq!(find("a.\nb", 2), "push(x);");
        assert_eq!(find("a.pu\nb", 4), "sh(x);");
        assert_eq!(find("a.po\nb", 4), "unknown");
        assert_eq!(find("a.push(x);\nb", 10), "unknown");
        assert_eq!(find("b.\nb", 2), "unknown");
        assert_eq!(find("a.\nc", 2), "unknown");
        assert_eq!(memory.find("g", "a.\nb", 2, 2), None);
    }

    #[test]
    fn nothing_is_remembered_as_well_but_for_its_own_place() {
        let mut memory = Memory::default();
        memory.put(Spot::new("f", "ab", 2, 2), None);
        assert_eq!(memory.find("f", "ab", 2, 2), Some(Found::Nothing));
        assert_eq!(memory.find("f", "abc", 3, 3), None);
    }
}
