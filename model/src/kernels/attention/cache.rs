//! The keys and values of one layer, as attention reads them.
#![allow(unsafe_code)]

use super::super::isa::Isa;
use super::super::linear::prefetch;
use super::super::simd::{Kernel, Simd, dispatch};
use super::{KEYS, limit, round_to, scale_to};
use std::ops::Range;
use std::str::FromStr;

/// In which integers keys and values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvFormat {
    /// 16 bits.
    #[default]
    Int16,
    /// 8 bits: half the memory, and less exact.
    Int8,
}

impl KvFormat {
    /// Every format.
    pub const ALL: [KvFormat; 2] = [KvFormat::Int16, KvFormat::Int8];

    /// Its name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            KvFormat::Int16 => "int16",
            KvFormat::Int8 => "int8",
        }
    }

    /// The largest integer that keeps a number of which `count` products are added up, either sign.
    #[inline(always)]
    fn limit(self, count: usize) -> f32 {
        match self {
            KvFormat::Int16 => limit(count),
            KvFormat::Int8 => 127.0,
        }
    }
}

impl FromStr for KvFormat {
    /// The names that there are.
    type Err = String;

    fn from_str(name: &str) -> Result<KvFormat, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| Self::ALL.map(KvFormat::name).join(", "))
    }
}

/// Integers of one format.
pub(super) enum Numbers {
    Int16(Vec<i16>),
    Int8(Vec<i8>),
}

impl Numbers {
    fn new(format: KvFormat, len: usize) -> Numbers {
        match format {
            KvFormat::Int16 => Numbers::Int16(vec![0; len]),
            KvFormat::Int8 => Numbers::Int8(vec![0; len]),
        }
    }

    fn as_mut_ptr(&mut self) -> usize {
        match self {
            Numbers::Int16(numbers) => numbers.as_mut_ptr() as usize,
            Numbers::Int8(numbers) => numbers.as_mut_ptr() as usize,
        }
    }

    /// A stretch in 16 bits; `wide` is where those of 8 are widened to.
    #[inline(always)]
    pub(super) fn wide<'a>(&'a self, range: Range<usize>, wide: &'a mut Vec<i16>) -> &'a [i16] {
        match self {
            Numbers::Int16(numbers) => &numbers[range],
            Numbers::Int8(numbers) => {
                wide.resize(range.len(), 0);
                wide.iter_mut().zip(&numbers[range]).for_each(|(to, number)| *to = i16::from(*number));
                wide
            }
        }
    }

    /// See [`prefetch`]; what is past the end is left out.
    #[inline(always)]
    pub(super) fn prefetch(&self, range: Range<usize>, turn: usize, turns: usize) {
        match self {
            Numbers::Int16(numbers) => {
                prefetch(&numbers[range.start..range.end.min(numbers.len())], turn, turns);
            }
            Numbers::Int8(numbers) => {
                prefetch(&numbers[range.start..range.end.min(numbers.len())], turn, turns);
            }
        }
    }
}

/// Keys and values of one layer: integers and a scale for each key and each value of a head.
///
/// Keys lie as `[kv_head][position / 64][head_dim / 2][64][2]`, values as `[kv_head][position / 2][head_dim][2]`: the two
/// numbers that are multiplied at once lie together.
pub struct LayerCache {
    pub(super) keys: Numbers,
    pub(super) values: Numbers,
    pub(super) key_scales: Vec<f32>,
    pub(super) value_scales: Vec<f32>,
    pub(super) head_dim: usize,
    pub(super) capacity: usize,
    format: KvFormat,
}

impl LayerCache {
    /// Room for `capacity` positions (a multiple of 64); memory is touched only as positions are written.
    pub fn new(format: KvFormat, kv_heads: usize, head_dim: usize, capacity: usize) -> LayerCache {
        assert!(capacity.is_multiple_of(KEYS) && head_dim.is_multiple_of(KEYS));
        let scales = kv_heads * capacity;
        LayerCache {
            keys: Numbers::new(format, scales * head_dim),
            values: Numbers::new(format, scales * head_dim),
            key_scales: vec![0.0; scales],
            value_scales: vec![0.0; scales],
            head_dim,
            capacity,
            format,
        }
    }

    /// A handle through which threads write different positions at once.
    pub fn writer(&mut self) -> CacheWriter {
        CacheWriter {
            format: self.format,
            keys: self.keys.as_mut_ptr(),
            values: self.values.as_mut_ptr(),
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
    format: KvFormat,
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
        match self.format {
            KvFormat::Int16 => dispatch(isa, Write { to: *self, head, position, key, value, as_kept: |n| n }),
            KvFormat::Int8 => {
                dispatch(isa, Write { to: *self, head, position, key, value, as_kept: |n| n as i8 });
            }
        }
    }
}

struct Write<'a, F> {
    to: CacheWriter,
    head: usize,
    position: usize,
    key: &'a [f32],
    value: &'a [f32],
    /// From the rounded number, which fits, to the one that is kept.
    as_kept: F,
}

impl<T: Copy, F: Fn(i16) -> T> Kernel for Write<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (d, position) = (self.to.head_dim, self.position);
        let row = self.head * self.to.capacity;
        let mut numbers = [0i16; KEYS];
        // SAFETY: `CacheWriter::write` checked the indices and has the caller's promise.
        unsafe {
            let key_scale = scale_to::<S>(self.key, self.to.format.limit(d));
            *(self.to.key_scales as *mut f32).add(row + position) = key_scale;
            let keys = (self.to.keys as *mut T).add((row + position / KEYS * KEYS) * d + position % KEYS * 2);
            for (part, key) in self.key.chunks_exact(KEYS).enumerate() {
                round_to::<S>(key, key_scale, &mut numbers);
                for (i, pair) in numbers.chunks_exact(2).enumerate() {
                    let at = keys.add((part * KEYS / 2 + i) * KEYS * 2);
                    (*at, *at.add(1)) = ((self.as_kept)(pair[0]), (self.as_kept)(pair[1]));
                }
            }
            let value_scale = scale_to::<S>(self.value, self.to.format.limit(KEYS));
            *(self.to.value_scales as *mut f32).add(row + position) = value_scale;
            let values = (self.to.values as *mut T).add((row + position / 2 * 2) * d + position % 2);
            for (part, value) in self.value.chunks_exact(KEYS).enumerate() {
                round_to::<S>(value, value_scale, &mut numbers);
                for (i, number) in numbers.iter().enumerate() {
                    *values.add((part * KEYS + i) * 2) = (self.as_kept)(*number);
                }
            }
        }
    }
}
