//! Grouped-query attention in integers over a cache of 16-bit (or 8-bit) keys and values, tiled with an online softmax
//! (FlashAttention, arXiv:2205.14135).
//!
//! Queries, keys, values and weights are integers of some 13 bits (keys and values of 8, if so wanted) with a scale for each vector; their products are exact
//! sums. Keys are taken in blocks of 64 at absolute positions and every block is merged in order, so a query's result
//! depends on its position alone: a chunk of any size gives the same bits as single tokens.
#![allow(unsafe_code)]

mod cache;

pub use cache::{CacheWriter, KvFormat, LayerCache};

use super::isa::Isa;
use super::pool::Pool;
use super::simd::{Kernel, LANES, PAIR_ROWS, Pairs, Simd, dispatch};
use smallvec::SmallVec;
use std::cell::RefCell;

/// Keys that are scored together.
pub const KEYS: usize = 64;
/// Tokens whose queries are one task: enough that a block of keys and values is used many times while it is near.
const TOKENS: usize = 8;

/// The largest integer, either sign, for which a sum of `count` products is within 32 bits.
#[inline(always)]
fn limit(count: usize) -> f32 {
    (f64::from(i32::MAX) / count as f64).sqrt().floor() as f32
}

/// The scale that brings the largest of `values` to `limit`.
#[inline(always)]
fn scale_to<S: Simd>(values: &[f32], limit: f32) -> f32 {
    let mut largest = S::splat(0.0);
    for chunk in values.chunks_exact(LANES) {
        largest = largest.max(S::load(chunk).abs());
    }
    largest.reduce_max() / limit
}

/// `values / scale` rounded; zeros if the scale is zero.
#[inline(always)]
fn round_to<S: Simd>(values: &[f32], scale: f32, to: &mut [i16]) {
    let inverse = S::splat(if scale > 0.0 { 1.0 / scale } else { 0.0 });
    for (values, to) in values.chunks_exact(LANES).zip(to.chunks_exact_mut(LANES)) {
        S::load(values).mul(inverse).round_to_i16(to);
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
    let mut tiles = SmallVec::<[(usize, usize); 32]>::new();
    for (index, span) in spans.iter().enumerate().filter(|(_, span)| span.tokens > 0) {
        assert!(span.start + span.tokens <= span.cache.capacity && span.cache.head_dim == shape.head_dim);
        assert!(span.cache.key_scales.len() == shape.kv_heads * span.cache.capacity);
        let last = span.row + span.tokens - 1;
        assert!(qkv.len() >= last * stride + width && out.len() >= (last + 1) * width);
        tiles.extend((0..span.tokens).step_by(TOKENS).map(|first| (index, first)));
    }
    let out = out.as_mut_ptr() as usize;
    pool.for_each(tiles.len() * shape.kv_heads, &|task, _| {
        // All tiles of a head, then those of the next: a thread stays with the keys and values that it has near.
        let ((index, first), head) = (tiles[task % tiles.len()], task / tiles.len());
        let span = spans[index];
        let tokens = TOKENS.min(span.tokens - first);
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.reshape(tokens * shape.heads / shape.kv_heads, shape.head_dim);
            dispatch(isa, Tile { shape, span, first, tokens, head, qkv, stride, out, buffers });
        });
    });
}

/// A few rows and one block of keys.
#[repr(align(64))]
struct AtHand {
    /// Scores, then weights.
    scores: [[f32; KEYS]; PAIR_ROWS],
    /// Integer products with keys, then with values.
    products: [[i32; KEYS]; PAIR_ROWS],
    weights: [[i16; KEYS]; PAIR_ROWS],
    blocks: [Block; PAIR_ROWS],
}

impl Default for AtHand {
    fn default() -> AtHand {
        AtHand {
            scores: [[0.0; KEYS]; PAIR_ROWS],
            products: [[0; KEYS]; PAIR_ROWS],
            weights: [[0; KEYS]; PAIR_ROWS],
            blocks: [Block::default(); PAIR_ROWS],
        }
    }
}

/// One row and one block of keys.
#[derive(Clone, Copy, Default)]
struct Block {
    /// The largest score.
    largest: f32,
    /// The sum of the weights relative to it.
    sum: f32,
    /// The largest product of a weight and its value's scale.
    most: f32,
    /// What the products with values are multiplied by.
    scale: f32,
}

/// One thread's working memory for the rows of a tile.
#[derive(Default)]
struct Buffers {
    /// `[rows][head_dim]`
    queries: Vec<i16>,
    /// What a row's products with keys are multiplied by to give scores in powers of two.
    query_scales: Vec<f32>,
    /// The rows at hand and the block at hand.
    at_hand: AtHand,
    /// `[rows][head_dim]`
    sums: Vec<f32>,
    /// Keys and values of the block at hand, where they are kept in fewer bits.
    wide: [Vec<i16>; 2],
    /// Largest score so far, and the sum of the weights relative to it, for each row.
    softmax: Vec<(f32, f32)>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl Buffers {
    fn reshape(&mut self, rows: usize, head_dim: usize) {
        self.queries.resize(rows * head_dim, 0);
        self.query_scales.resize(rows, 0.0);
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
        let (b, cache) = (self.buffers, self.span.cache);
        let to_score = std::f32::consts::LOG2_E / (d as f32).sqrt();
        for row in 0..rows {
            let from = (self.span.row + self.first + row / group) * self.stride
                + (self.head * group + row % group) * d;
            let query = &self.qkv[from..from + d];
            let scale = scale_to::<S>(query, limit(d));
            round_to::<S>(query, scale, &mut b.queries[row * d..(row + 1) * d]);
            b.query_scales[row] = scale * to_score;
        }
        let first_position = self.span.start + self.first;
        let end = first_position + self.tokens;
        // Neighbouring rows go together, as evenly as they can.
        let turns = rows.div_ceil(PAIR_ROWS);
        let [mut wide_keys, mut wide_values] = std::mem::take(&mut b.wide);
        for block in (0..end).step_by(KEYS) {
            let at = self.head * cache.capacity + block;
            let keys = cache.keys.wide(at * d..(at + KEYS) * d, &mut wide_keys);
            let values = cache.values.wide(at * d..(at + KEYS) * d, &mut wide_values);
            let key_scales: &[f32; KEYS] = first_of(&cache.key_scales[at..]);
            let value_scales: &[f32; KEYS] = first_of(&cache.value_scales[at..]);
            let used = KEYS.min(end - block);
            let ahead = (at + KEYS) * d..(at + 2 * KEYS) * d;
            for turn in 0..turns {
                cache.keys.prefetch(ahead.clone(), turn, turns);
                cache.values.prefetch(ahead.clone(), turn, turns);
                let (first, after) = (rows * turn / turns, rows * (turn + 1) / turns);
                let count = after - first;
                let with_keys = Pairs {
                    rows: count,
                    a: &b.queries[first * d..],
                    a_stride: d,
                    b: keys,
                    b_stride: KEYS * 2,
                    steps: d / 2,
                };
                S::pair_products(&with_keys, b.at_hand.products.as_flattened_mut());
                let seen =
                    |i: usize| (first_position + (first + i) / group + 1).saturating_sub(block).min(KEYS);
                if seen(0) == KEYS {
                    weigh::<S, true>(b, first, count, seen, key_scales, value_scales, d);
                } else {
                    weigh::<S, false>(b, first, count, seen, key_scales, value_scales, d);
                }
                for part in (0..d).step_by(KEYS) {
                    let AtHand { weights, products, blocks, .. } = &mut b.at_hand;
                    let with_values = Pairs {
                        rows: count,
                        a: weights.as_flattened(),
                        a_stride: KEYS,
                        b: &values[part * 2..],
                        b_stride: d * 2,
                        steps: used.div_ceil(2),
                    };
                    S::pair_products(&with_values, products.as_flattened_mut());
                    for (i, (products, block)) in products.iter().zip(blocks.iter()).take(count).enumerate() {
                        let scale = S::splat(block.scale);
                        let sums = &mut b.sums[(first + i) * d + part..][..KEYS];
                        for (sums, products) in sums.chunks_exact_mut(LANES).zip(products.chunks_exact(LANES))
                        {
                            S::load_i32(products).mul_add(scale, S::load(sums)).store(sums);
                        }
                    }
                }
            }
        }
        b.wide = [wide_keys, wide_values];
        let width = self.shape.heads * d;
        for row in 0..rows {
            let to =
                (self.span.row + self.first + row / group) * width + (self.head * group + row % group) * d;
            // SAFETY: `attention` checked the buffer; each (token, head) is one task's own.
            let out = unsafe { std::slice::from_raw_parts_mut((self.out as *mut f32).add(to), d) };
            let inverse = S::splat(1.0 / b.softmax[row].1);
            for (out, sums) in out.chunks_exact_mut(LANES).zip(b.sums[row * d..].chunks_exact(LANES)) {
                S::load(sums).mul(inverse).store(out);
            }
        }
    }
}

/// The first numbers of a slice that has at least as many.
#[inline(always)]
fn first_of<const N: usize>(values: &[f32]) -> &[f32; N] {
    values.first_chunk().expect("a cache has whole blocks")
}

/// The softmax of `count` rows from row `first` on over one block: from products with keys to integer weights, and the
/// block into each row's running sums. Of row `i` the first `seen(i)` keys count, which may be none; `ALL` says that of
/// every row all do.
///
/// Each of the three steps takes all rows before the next begins: their chains of dependent instructions overlap.
#[inline(always)]
fn weigh<S: Simd, const ALL: bool>(
    b: &mut Buffers,
    first: usize,
    count: usize,
    seen: impl Fn(usize) -> usize,
    key_scales: &[f32; KEYS],
    value_scales: &[f32; KEYS],
    d: usize,
) {
    let AtHand { scores, products, weights, blocks } = &mut b.at_hand;
    let only = |values: S, i: usize, v: usize, rest: f32| {
        if ALL { values } else { values.first(seen(i).saturating_sub(v), S::splat(rest)) }
    };
    // Scores in powers of two, and the largest.
    for i in 0..count {
        let query_scale = S::splat(b.query_scales[first + i]);
        let mut largest = S::splat(f32::NEG_INFINITY);
        for v in (0..KEYS).step_by(LANES) {
            let score = S::load_i32(&products[i][v..]).mul(S::load(&key_scales[v..])).mul(query_scale);
            let score = only(score, i, v, f32::NEG_INFINITY);
            largest = largest.max(score);
            score.store(&mut scores[i][v..]);
        }
        blocks[i].largest = largest.reduce_max();
    }
    // Weights relative to the block's largest, and their sum. The values' scales then go into the weights, so that the
    // products of a block have one scale.
    for i in 0..count {
        let largest = S::splat(blocks[i].largest);
        let (mut sum, mut most) = (S::splat(0.0), S::splat(0.0));
        for v in (0..KEYS).step_by(LANES) {
            let weight = only(S::load(&scores[i][v..]).sub(largest).exp2(), i, v, 0.0);
            sum = sum.add(weight);
            let weight = only(weight.mul(S::load(&value_scales[v..])), i, v, 0.0);
            most = most.max(weight);
            weight.store(&mut scores[i][v..]);
        }
        blocks[i].sum = sum.reduce_sum();
        blocks[i].most = most.reduce_max();
    }
    let limit = limit(KEYS);
    for i in 0..count {
        let Block { largest: block, sum, most, .. } = blocks[i];
        let inverse = S::splat(if most > 0.0 { limit / most } else { 0.0 });
        for v in (0..KEYS).step_by(LANES) {
            S::load(&scores[i][v..]).mul(inverse).round_to_i16(&mut weights[i][v..]);
        }
        let row = first + i;
        let (old, total) = b.softmax[row];
        blocks[i].scale = if block > old {
            let shrink = S::splat(old - block).exp2();
            b.softmax[row] = (block, total.mul_add(shrink.to_array()[0], sum));
            for sums in b.sums[row * d..(row + 1) * d].chunks_exact_mut(LANES) {
                S::load(sums).mul(shrink).store(sums);
            }
            most / limit
        } else if block > f32::NEG_INFINITY {
            let grow = S::splat(block - old).exp2().to_array()[0];
            b.softmax[row] = (old, sum.mul_add(grow, total));
            most / limit * grow
        } else {
            0.0
        };
    }
}
