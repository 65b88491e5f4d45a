//! What is in the warehouse.

use std::collections::BTreeMap;

/// Counts of articles, by name.
#[derive(Debug, Default)]
pub struct Inventory {
    counts: BTreeMap<String, u32>,
}

impl Inventory {
    /// An empty warehouse.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts some of an article in.
    pub fn add(&mut self, name: &str, count: u32) {
        *self.counts.entry(name.to_owned()).or_insert(0) += count;
    }

    /// Takes some of an article out.
    pub fn remove(&mut self, name: &str, count: u32) {
        let have = self.counts.get_mut(name).unwrap();
        *have -= count;
    }

    /// How many of an article there are.
    pub fn count(&self, name: &str) -> u32 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// How many articles there are in all.
    pub fn total(&self) -> u32 {
        self.counts.values().sum()
    }
}
