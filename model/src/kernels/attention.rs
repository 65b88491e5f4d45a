//! Grouped-query attention over a cache in f16, tiled with an online softmax (FlashAttention, arXiv:2205.14135).
//!
//! Keys are taken in blocks of 64 at absolute positions, so the order of summation of a query depends on its position
//! alone: a chunk of any size gives the same bits as single tokens.
#![allow(unsafe_code)]
// Registers are arrays walked by index: closures would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::isa::Isa;
use super::pool::Pool;
use super::simd::{Kernel, LANES, Simd, dispatch};
use std::cell::RefCell;

/// Keys that are scored together.
pub const KEYS: usize = 64;
/// Tokens whose queries share the conversion of a key block.
const TOKENS: usize = 8;
/// Query rows of a micro-kernel.
const ROWS: usize = 6;
const VECTORS: usize = KEYS / LANES;

/// Keys and values of one layer in f16: keys `[kv_head][position / 16][head_dim][16]`, values
/// `[kv_head][position][head_dim]`.
pub struct LayerCache {
    keys: Vec<u16>,
    values: Vec<u16>,
    head_dim: usize,
    capacity: usize,
}

impl LayerCache {
    /// Room for `capacity` positions (a multiple of 64); memory is touched only as positions are written.
    pub fn new(kv_heads: usize, head_dim: usize, capacity: usize) -> LayerCache {
        assert!(capacity.is_multiple_of(KEYS) && head_dim.is_multiple_of(LANES));
        let len = kv_heads * capacity * head_dim;
        LayerCache { keys: vec![0; len], values: vec![0; len], head_dim, capacity }
    }

    /// A handle through which threads write different positions at once.
    pub fn writer(&mut self) -> CacheWriter {
        CacheWriter {
            keys: self.keys.as_mut_ptr() as usize,
            values: self.values.as_mut_ptr() as usize,
            len: self.keys.len(),
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
    len: usize,
    head_dim: usize,
    capacity: usize,
}

impl CacheWriter {
    /// Stores one position of one head, rounded to f16.
    ///
    /// # Safety
    /// The cache outlives the call, and no other thread reads or writes this position meanwhile.
    pub unsafe fn write(&self, isa: Isa, head: usize, position: usize, key: &[f32], value: &[f32]) {
        let d = self.head_dim;
        assert!(key.len() == d && value.len() == d && position < self.capacity);
        assert!((head + 1) * self.capacity * d <= self.len);
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
        let d = self.to.head_dim;
        // SAFETY: `CacheWriter::write` checked the indices and has the caller's promise.
        unsafe {
            let block = (self.to.keys as *mut u16).add(
                (self.head * self.to.capacity + self.position / LANES * LANES) * d + self.position % LANES,
            );
            let value = (self.to.values as *mut u16).add((self.head * self.to.capacity + self.position) * d);
            let mut key = [0u16; LANES];
            for i in (0..d).step_by(LANES) {
                S::load(&self.value[i..]).store_f16_ptr(value.add(i));
                S::load(&self.key[i..]).store_f16_ptr(key.as_mut_ptr());
                for (j, key) in key.iter().enumerate() {
                    *block.add((i + j) * LANES) = *key;
                }
            }
        }
    }
}

/// The shapes of one attention call.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Dimensions of a head, a multiple of 64.
    pub head_dim: usize,
}

/// Neighbouring tokens of one sequence.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// The sequence's keys and values, those of these tokens included.
    pub cache: &'a LayerCache,
    /// Position of the first token.
    pub start: usize,
    /// Number of tokens.
    pub tokens: usize,
    /// Row of the first token in the queries and the output.
    pub row: usize,
}

/// Attention of the tokens of every span, causal over all that their cache holds up to each.
///
/// `qkv` is `[rows][stride]` with the rotated queries first; `out` is `[rows][heads * head_dim]`.
pub fn attention(
    isa: Isa,
    pool: &Pool,
    shape: Heads,
    spans: &[Span<'_>],
    qkv: &[f32],
    stride: usize,
    out: &mut [f32],
) {
    let width = shape.heads * shape.head_dim;
    assert!(shape.head_dim.is_multiple_of(KEYS));
    // The last tokens see the most keys: they go first, so that no thread is left with them.
    let mut tiles = Vec::new();
    for (index, span) in spans.iter().enumerate().filter(|(_, span)| span.tokens > 0) {
        assert!(span.start + span.tokens <= span.cache.capacity);
        let last = span.row + span.tokens - 1;
        assert!(qkv.len() >= last * stride + width && out.len() >= (last + 1) * width);
        tiles.extend((0..span.tokens).step_by(TOKENS).rev().map(|first| (index, first)));
    }
    let out = out.as_mut_ptr() as usize;
    pool.for_each(tiles.len() * shape.kv_heads, &|task, _| {
        let ((index, first), head) = (tiles[task / shape.kv_heads], task % shape.kv_heads);
        let span = spans[index];
        let tokens = TOKENS.min(span.tokens - first);
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.reshape(tokens * shape.heads / shape.kv_heads, shape.head_dim);
            dispatch(isa, Tile { shape, span, first, tokens, head, qkv, stride, out, buffers });
        });
    });
}

/// One thread's working memory: a converted block of keys and values, and the rows of a tile.
#[derive(Default)]
struct Buffers {
    /// `[head_dim][64]`
    keys: Vec<f32>,
    /// `[64][head_dim]`
    values: Vec<f32>,
    /// `[rows][64]`
    scores: Vec<f32>,
    /// `[rows][head_dim]`, scaled by `1 / sqrt(head_dim)`
    queries: Vec<f32>,
    /// `[rows][head_dim]`
    sums: Vec<f32>,
    /// Largest score so far and sum of the exponentials, for each row.
    softmax: Vec<(f32, f32)>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl Buffers {
    fn reshape(&mut self, rows: usize, head_dim: usize) {
        self.keys.resize(head_dim * KEYS, 0.0);
        self.values.resize(head_dim * KEYS, 0.0);
        self.scores.resize(rows * KEYS, 0.0);
        self.queries.resize(rows * head_dim, 0.0);
        self.sums.clear();
        self.sums.resize(rows * head_dim, 0.0);
        self.softmax.clear();
        self.softmax.resize(rows, (f32::NEG_INFINITY, 0.0));
    }
}

/// The queries of some tokens that share one key/value head.
struct Tile<'a> {
    shape: Heads,
    span: Span<'a>,
    /// First token, counted within the span.
    first: usize,
    tokens: usize,
    head: usize,
    qkv: &'a [f32],
    stride: usize,
    out: usize,
    buffers: &'a mut Buffers,
}

impl Kernel for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let d = self.shape.head_dim;
        let group = self.shape.heads / self.shape.kv_heads;
        let rows = self.tokens * group;
        let b = self.buffers;
        let scale = S::splat(1.0 / (d as f32).sqrt());
        for row in 0..rows {
            let from = (self.span.row + self.first + row / group) * self.stride
                + (self.head * group + row % group) * d;
            for i in (0..d).step_by(LANES) {
                S::load(&self.qkv[from + i..]).mul(scale).store(&mut b.queries[row * d + i..]);
            }
        }
        let first_position = self.span.start + self.first;
        let end = first_position + self.tokens;
        for block in (0..end).step_by(KEYS) {
            let used = KEYS.min(end - block);
            convert::<S>(self.span.cache, self.head, block, used, b);
            for first in (0..rows).step_by(ROWS) {
                match rows - first {
                    1 => scores::<S, 1>(b, first, d),
                    2 => scores::<S, 2>(b, first, d),
                    3 => scores::<S, 3>(b, first, d),
                    4 => scores::<S, 4>(b, first, d),
                    5 => scores::<S, 5>(b, first, d),
                    _ => scores::<S, ROWS>(b, first, d),
                }
            }
            for row in 0..rows {
                let seen = (first_position + row / group + 1).saturating_sub(block).min(KEYS);
                softmax::<S>(b, row, seen, d);
            }
            for first in (0..rows).step_by(ROWS) {
                match rows - first {
                    1 => weigh::<S, 1>(b, first, d, used),
                    2 => weigh::<S, 2>(b, first, d, used),
                    3 => weigh::<S, 3>(b, first, d, used),
                    4 => weigh::<S, 4>(b, first, d, used),
                    5 => weigh::<S, 5>(b, first, d, used),
                    _ => weigh::<S, ROWS>(b, first, d, used),
                }
            }
        }
        let width = self.shape.heads * d;
        for row in 0..rows {
            let to =
                (self.span.row + self.first + row / group) * width + (self.head * group + row % group) * d;
            // SAFETY: `attention` checked the buffer; each (token, head) is one task's own.
            let out = unsafe { std::slice::from_raw_parts_mut((self.out as *mut f32).add(to), d) };
            let inverse = S::splat(1.0 / b.softmax[row].1);
            for i in (0..d).step_by(LANES) {
                S::load(&b.sums[row * d + i..]).mul(inverse).store(&mut out[i..]);
            }
        }
    }
}

/// A block of keys and values to f32. Keys past `used` keep what is there: their scores are masked.
#[inline(always)]
fn convert<S: Simd>(cache: &LayerCache, head: usize, block: usize, used: usize, b: &mut Buffers) {
    let d = cache.head_dim;
    assert!((head * cache.capacity + block + KEYS) * d <= cache.keys.len() && b.keys.len() >= d * KEYS);
    // SAFETY: the block lies within the cache, which has a multiple of 64 positions, and the buffers hold a block.
    unsafe {
        let keys = cache.keys.as_ptr().add((head * cache.capacity + block) * d);
        for v in 0..used.div_ceil(LANES) {
            for i in 0..d {
                S::load_f16_ptr(keys.add((v * d + i) * LANES))
                    .store_ptr(b.keys.as_mut_ptr().add(i * KEYS + v * LANES));
            }
        }
        let values = cache.values.as_ptr().add((head * cache.capacity + block) * d);
        for i in (0..used * d).step_by(LANES) {
            S::load_f16_ptr(values.add(i)).store_ptr(b.values.as_mut_ptr().add(i));
        }
    }
}

/// Scores of `R` rows against the block: for each key one sum over the dimensions in order.
#[inline(always)]
fn scores<S: Simd, const R: usize>(b: &mut Buffers, first: usize, d: usize) {
    assert!(b.queries.len() >= (first + R) * d && b.scores.len() >= (first + R) * KEYS);
    assert!(b.keys.len() >= d * KEYS);
    // SAFETY: the lengths were just checked.
    unsafe {
        let mut sums = [[S::splat(0.0); VECTORS]; R];
        let queries = b.queries.as_ptr().add(first * d);
        for i in 0..d {
            let mut keys = [S::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                keys[v] = S::load_ptr(b.keys.as_ptr().add(i * KEYS + v * LANES));
            }
            for r in 0..R {
                let query = S::splat(*queries.add(r * d + i));
                for v in 0..VECTORS {
                    sums[r][v] = keys[v].mul_add(query, sums[r][v]);
                }
            }
        }
        for r in 0..R {
            for v in 0..VECTORS {
                sums[r][v].store_ptr(b.scores.as_mut_ptr().add((first + r) * KEYS + v * LANES));
            }
        }
    }
}

/// Turns the scores of one row into weights, of which the first `seen` count, and scales down what is summed so far.
#[inline(always)]
fn softmax<S: Simd>(b: &mut Buffers, row: usize, seen: usize, d: usize) {
    let scores = &mut b.scores[row * KEYS..(row + 1) * KEYS];
    if seen == 0 {
        scores.fill(0.0);
        return;
    }
    scores[seen..].fill(f32::NEG_INFINITY);
    let mut vectors = [S::splat(0.0); VECTORS];
    for v in 0..VECTORS {
        vectors[v] = S::load(&scores[v * LANES..]);
    }
    let block = vectors[0].max(vectors[1]).max(vectors[2].max(vectors[3])).reduce_max();
    let (old, total) = b.softmax[row];
    let largest = if block > old { block } else { old };
    let mut sum = S::splat(0.0);
    for (v, vector) in vectors.into_iter().enumerate() {
        vector.sub(S::splat(largest)).exp().store(&mut scores[v * LANES..]);
        if seen < (v + 1) * LANES {
            scores[seen.max(v * LANES)..(v + 1) * LANES].fill(0.0);
        }
        sum = sum.add(S::load(&scores[v * LANES..]));
    }
    let shrink = S::splat(old - largest).exp();
    b.softmax[row] = (largest, total.mul_add(shrink.to_array()[0], sum.reduce_sum()));
    if block > old {
        for sums in b.sums[row * d..(row + 1) * d].chunks_exact_mut(LANES) {
            S::load(sums).mul(shrink).store(sums);
        }
    }
}

/// Adds the weighted values of the block's first `used` keys to the sums of `R` rows, key by key.
#[inline(always)]
fn weigh<S: Simd, const R: usize>(b: &mut Buffers, first: usize, d: usize, used: usize) {
    assert!(b.sums.len() >= (first + R) * d && b.scores.len() >= (first + R) * KEYS);
    assert!(b.values.len() >= used * d);
    // SAFETY: the lengths were just checked; `d` is a multiple of 64.
    unsafe {
        for part in (0..d).step_by(KEYS) {
            let out = b.sums.as_mut_ptr().add(first * d + part);
            let mut sums = [[S::splat(0.0); VECTORS]; R];
            for r in 0..R {
                for v in 0..VECTORS {
                    sums[r][v] = S::load_ptr(out.add(r * d + v * LANES));
                }
            }
            let weights = b.scores.as_ptr().add(first * KEYS);
            for key in 0..used {
                let mut values = [S::splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    values[v] = S::load_ptr(b.values.as_ptr().add(key * d + part + v * LANES));
                }
                for r in 0..R {
                    let weight = S::splat(*weights.add(r * KEYS + key));
                    for v in 0..VECTORS {
                        sums[r][v] = values[v].mul_add(weight, sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..VECTORS {
                    sums[r][v].store_ptr(out.add(r * d + v * LANES));
                }
            }
        }
    }
}
