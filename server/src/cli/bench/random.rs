//! Chance that depends on what it is asked for alone, so that the same input gives the same tasks everywhere.

use std::hash::{DefaultHasher, Hasher};

/// A small generator of numbers (xorshift).
pub(super) struct Random {
    state: u64,
    name: u64,
}

impl Random {
    /// The numbers that belong to these parts.
    pub(super) fn new(parts: &[&[u8]]) -> Random {
        // Its keys are fixed, and it is good enough for choosing.
        let mut hasher = DefaultHasher::new();
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        let name = hasher.finish();
        Random { state: name | 1, name }
    }

    /// A name for what the numbers belong to.
    pub(super) fn name(&self) -> String {
        format!("{:010x}", self.name >> 24)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % end
    }

    /// True once in `of` times.
    pub(super) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// Puts values into a random order.
    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for at in (1..values.len()).rev() {
            values.swap(at, self.below(at + 1));
        }
    }

    /// One of these.
    pub(super) fn one_of<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}
