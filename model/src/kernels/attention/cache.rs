//! The keys and values of one layer, as attention reads them.
#![allow(unsafe_code)]

use super::super::isa::Isa;
use super::super::simd::{Kernel, Simd, dispatch};
use super::{KEYS, limit, round_to, scale_to};

/// Keys and values of one layer: 16-bit integers and a scale for each key and each value of a head.
///
/// Keys lie as `[kv_head][position / 64][head_dim / 2][64][2]`, values as `[kv_head][position / 2][head_dim][2]`: the two
/// numbers that are multiplied at once lie together.
pub struct LayerCache {
    pub(super) keys: Vec<i16>,
    pub(super) values: Vec<i16>,
    pub(super) key_scales: Vec<f32>,
    pub(super) value_scales: Vec<f32>,
    pub(super) head_dim: usize,
    pub(super) capacity: usize,
}

impl LayerCache {
    /// Room for `capacity` positions (a multiple of 64); memory is touched only as positions are written.
    pub fn new(kv_heads: usize, head_dim: usize, capacity: usize) -> LayerCache {
        assert!(capacity.is_multiple_of(KEYS) && head_dim.is_multiple_of(KEYS));
        let scales = kv_heads * capacity;
        LayerCache {
            keys: vec![0; scales * head_dim],
            values: vec![0; scales * head_dim],
            key_scales: vec![0.0; scales],
            value_scales: vec![0.0; scales],
            head_dim,
            capacity,
        }
    }

    /// A handle through which threads write different positions at once.
    pub fn writer(&mut self) -> CacheWriter {
        CacheWriter {
            keys: self.keys.as_mut_ptr() as usize,
            values: self.values.as_mut_ptr() as usize,
            key_scales: self.key_scales.as_mut_ptr() as usize,
            value_scales: self.value_scales.as_mut_ptr() as usize,
            positions: self.key_scales.len(),
            head_dim: self.head_dim,
            capacity: self.capacity,
        }
    }
}

/// See [`LayerCache::writer`].
#[derive(Clone, Copy)]
pub struct CacheWriter {
    keys: usize,
    values: usize,
    key_scales: usize,
    value_scales: usize,
    positions: usize,
    head_dim: usize,
    capacity: usize,
}

impl CacheWriter {
    /// Stores one position of one head, rounded.
    ///
    /// # Safety
    /// The cache outlives the call, and no other thread reads or writes this position meanwhile.
    pub unsafe fn write(&self, isa: Isa, head: usize, position: usize, key: &[f32], value: &[f32]) {
        let d = self.head_dim;
        assert!(key.len() == d && value.len() == d && position < self.capacity);
        assert!((head + 1) * self.capacity <= self.positions);
        dispatch(isa, Write { to: *self, head, position, key, value });
    }
}

struct Write<'a> {
    to: CacheWriter,
    head: usize,
    position: usize,
    key: &'a [f32],
    value: &'a [f32],
}

impl Kernel for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (d, position) = (self.to.head_dim, self.position);
        let row = self.head * self.to.capacity;
        let mut numbers = [0i16; KEYS];
        // SAFETY: `CacheWriter::write` checked the indices and has the caller's promise.
        unsafe {
            let key_scale = scale_to::<S>(self.key, limit(d));
            *(self.to.key_scales as *mut f32).add(row + position) = key_scale;
            let keys =
                (self.to.keys as *mut i16).add((row + position / KEYS * KEYS) * d + position % KEYS * 2);
            for (part, key) in self.key.chunks_exact(KEYS).enumerate() {
                round_to::<S>(key, key_scale, &mut numbers);
                for (i, pair) in numbers.chunks_exact(2).enumerate() {
                    let at = keys.add((part * KEYS / 2 + i) * KEYS * 2);
                    (*at, *at.add(1)) = (pair[0], pair[1]);
                }
            }
            let value_scale = scale_to::<S>(self.value, limit(KEYS));
            *(self.to.value_scales as *mut f32).add(row + position) = value_scale;
            let values = (self.to.values as *mut i16).add((row + position / 2 * 2) * d + position % 2);
            for (part, value) in self.value.chunks_exact(KEYS).enumerate() {
                round_to::<S>(value, value_scale, &mut numbers);
                for (i, number) in numbers.iter().enumerate() {
                    *values.add((part * KEYS + i) * 2) = *number;
                }
            }
        }
    }
}
