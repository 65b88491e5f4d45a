//! The KV cache: preallocated, truncatable to any length, and aware of the tokens it holds, so that a request shares
//! the prefix of the one before it.

use crate::device::Device;
use crate::error::ModelError;
use crate::kernels::attention::LayerCache;
use crate::transformer::LayerTensors;

pub use crate::kernels::attention::KvFormat;

/// Keys and values of one sequence in every layer. [`Transformer::new_cache`](crate::transformer::Transformer::new_cache)
/// makes one.
pub struct KvCache {
    device: Device,
    layers: Layers,
    tokens: Vec<u32>,
    capacity: usize,
}

/// Where the keys and values are.
pub(crate) enum Layers {
    /// In integers, for the kernels of this crate.
    Packed(Vec<LayerCache>),
    /// In tensors on a device of candle's.
    Candle(Vec<LayerTensors>),
}

impl KvCache {
    /// With room for `capacity` positions in `layers`, which a model on `device` has made.
    pub(crate) fn new(device: Device, layers: Layers, capacity: usize) -> KvCache {
        KvCache { device, layers, tokens: Vec::with_capacity(capacity), capacity }
    }

    /// Where the model runs that it belongs to.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The layers in integers; none elsewhere than on [`Device::Cpu`].
    pub(crate) fn packed(&self) -> &[LayerCache] {
        if let Layers::Packed(layers) = &self.layers { layers } else { &[] }
    }

    /// As [`KvCache::packed`].
    pub(crate) fn packed_mut(&mut self) -> &mut [LayerCache] {
        if let Layers::Packed(layers) = &mut self.layers { layers } else { &mut [] }
    }

    /// The layers in tensors; none on [`Device::Cpu`].
    pub(crate) fn tensors_mut(&mut self) -> &mut [LayerTensors] {
        if let Layers::Candle(layers) = &mut self.layers { layers } else { &mut [] }
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
