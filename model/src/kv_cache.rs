//! The KV cache: preallocated, truncatable to any length, and aware of the tokens it holds, so that a request shares
//! the prefix of the one before it.

use crate::config::Config;
use crate::error::ModelError;
use crate::kernels::attention::{KEYS, LayerCache};

pub use crate::kernels::attention::KvFormat;

/// Keys and values of one sequence in every layer.
pub struct KvCache {
    pub(crate) layers: Vec<LayerCache>,
    tokens: Vec<u32>,
    capacity: usize,
}

impl KvCache {
    /// Room for `capacity` positions; memory is touched only as it fills.
    pub fn new(config: &Config, format: KvFormat, capacity: usize) -> KvCache {
        let rounded = capacity.next_multiple_of(KEYS);
        let layer = || LayerCache::new(format, config.heads.kv_heads, config.heads.head_dim, rounded);
        KvCache {
            layers: (0..config.layers).map(|_| layer()).collect(),
            tokens: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// The tokens whose keys and values are held.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Positions that can be held.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets every position from `len` on; nothing if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.tokens.truncate(len);
    }

    /// Keeps the longest common prefix with `tokens` and returns its length.
    pub fn keep_prefix_of(&mut self, tokens: &[u32]) -> usize {
        let common = self.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        self.truncate(common);
        common
    }

    /// An error if `more` positions would not fit.
    pub(crate) fn has_room(&self, more: usize) -> Result<(), ModelError> {
        let needed = self.len() + more;
        if needed > self.capacity {
            return Err(ModelError::ContextOverflow { needed, capacity: self.capacity });
        }
        Ok(())
    }

    /// Notes that `tokens` are being written after what is held.
    pub(crate) fn extend(&mut self, tokens: &[u32]) -> Result<usize, ModelError> {
        self.has_room(tokens.len())?;
        let start = self.len();
        self.tokens.extend_from_slice(tokens);
        Ok(start)
    }
}
