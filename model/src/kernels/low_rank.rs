//! Low-rank adapters beside packed matrices (LoRA, arXiv:2106.09685): `y += (x A^T) B^T`, with the adapter's scale in `B`.
//!
//! The arithmetic of one output is fixed, as in [`super::linear`]: the row is the quantized one that the matrix sees; its
//! product with a row of `A` is summed in 16 lanes along `k`, then over the lanes; then, after the bias, `y = fma(h, b, y)`
//! for one rank after the other.

use super::isa::Isa;
use super::packed::{CHUNK, PANEL, Packed};
use super::pool::Pool;
use super::quantize::Activations;
use super::simd::{Kernel, LANES, Simd, dispatch};
use half::bf16;
use smallvec::SmallVec;
use std::cell::RefCell;

/// Rows whose products with `A` are made together.
const ROWS: usize = 4;
/// Rows of `A` that go with them.
const TOGETHER: usize = 4;
/// Ranks whose part of a panel of `B` is widened at a time.
const RANKS: usize = 8;
/// The largest rank.
pub const MOST: usize = 64;

/// What goes beside one matrix `[n, k]`.
pub struct LowRank {
    rank: usize,
    /// `[rank][k]`, as bf16.
    a: Vec<u16>,
    /// `[n / 64][rank][64]`, as bf16; columns past `n` are zero.
    b: Vec<u16>,
    /// Where this adapter's products stand among those of all matrices with the same input.
    at: usize,
}

impl LowRank {
    /// From `a` `[rank][k]` and `b` `[n][rank]`, which is multiplied by `scale`. `at` is the sum of the ranks of the matrices
    /// that [`project`] is given before this one. `None` if the rank is too large.
    pub fn new(a: &[f32], b: &[f32], rank: usize, scale: f32, at: usize) -> Option<LowRank> {
        if rank == 0 || rank > MOST || !a.len().is_multiple_of(rank) || !b.len().is_multiple_of(rank) {
            return None;
        }
        let n = b.len() / rank;
        let mut panels = vec![0; n.div_ceil(PANEL) * rank * PANEL];
        for (column, row) in b.chunks_exact(rank).enumerate() {
            for (r, value) in row.iter().enumerate() {
                panels[(column / PANEL * rank + r) * PANEL + column % PANEL] = bits(value * scale);
            }
        }
        Some(LowRank { rank, a: a.iter().map(|value| bits(*value)).collect(), b: panels, at })
    }

    /// The rank.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Bytes that one token reads.
    pub fn bytes(&self) -> usize {
        2 * (self.a.len() + self.b.len())
    }

    /// Adds what belongs to `rows` of `x` and the columns of a panel to `sums` `[rows][64]`.
    pub(super) fn add(
        &self,
        isa: Isa,
        x: &Activations,
        rows: &std::ops::Range<usize>,
        panel: usize,
        sums: &mut [f32],
    ) {
        let b = &self.b[panel * self.rank * PANEL..(panel + 1) * self.rank * PANEL];
        let low = &x.low[rows.start * x.low_width..rows.end * x.low_width];
        dispatch(isa, Add { b, low, stride: x.low_width, at: self.at, sums });
    }
}

fn bits(value: f32) -> u16 {
    bf16::from_f32(value).to_bits()
}

struct Add<'a> {
    /// `[rank][64]`
    b: &'a [u16],
    /// `[rows][stride]`
    low: &'a [f32],
    stride: usize,
    at: usize,
    /// `[rows][64]`
    sums: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (group, b) in self.b.chunks(RANKS * PANEL).enumerate() {
            // Widened once for all rows.
            let mut wide = [0.0; RANKS * PANEL];
            for (from, to) in b.chunks_exact(LANES).zip(wide.chunks_exact_mut(LANES)) {
                S::load_bf16(from).store(to);
            }
            let first = self.at + group * RANKS;
            for (low, sums) in self.low.chunks_exact(self.stride).zip(self.sums.chunks_exact_mut(PANEL)) {
                let mut y = [S::splat(0.0); PANEL / LANES];
                for (y, sums) in y.iter_mut().zip(sums.chunks_exact(LANES)) {
                    *y = S::load(sums);
                }
                for (h, b) in low[first..first + b.len() / PANEL].iter().zip(wide.chunks_exact(PANEL)) {
                    let h = S::splat(*h);
                    for (y, b) in y.iter_mut().zip(b.chunks_exact(LANES)) {
                        *y = h.mul_add(S::load(b), *y);
                    }
                }
                for (y, sums) in y.iter().zip(sums.chunks_exact_mut(LANES)) {
                    y.store(sums);
                }
            }
        }
    }
}

/// Makes the products of the rows of `x` with the `A` of each matrix' adapter, one after the other, so that the next
/// product of `x` with these matrices has the adapters in it. Matrices without one are passed over.
pub fn project(isa: Isa, pool: &Pool, x: &mut Activations, matrices: &[&Packed]) {
    let adapters: SmallVec<[&LowRank; 3]> =
        matrices.iter().filter_map(|matrix| matrix.low_rank.as_ref()).collect();
    let width = adapters.iter().map(|adapter| adapter.rank).sum();
    x.low_width = width;
    if width == 0 {
        return;
    }
    let mut low = std::mem::take(&mut x.low);
    let blocks = x.m.div_ceil(ROWS);
    if low.len() < blocks * ROWS * width {
        low.resize(blocks * ROWS * width, 0.0);
    }
    let rows = &*x;
    let task = |block: usize, out: &mut [f32]| {
        VALUES.with_borrow_mut(|values| {
            let first = block * ROWS;
            let count = ROWS.min(rows.m - first);
            values.resize(ROWS * rows.k, 0.0);
            let job = Project { x: rows, first, count, adapters: &adapters, values, out, width };
            dispatch(isa, job);
        });
    };
    let out = &mut low[..blocks * ROWS * width];
    if blocks == 1 {
        task(0, out);
    } else {
        pool.for_each_row(out, ROWS * width, &task);
    }
    x.low = low;
}

thread_local! {
    static VALUES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

struct Project<'a> {
    x: &'a Activations,
    first: usize,
    count: usize,
    adapters: &'a [&'a LowRank],
    /// `[ROWS][k]`
    values: &'a mut [f32],
    /// `[ROWS][width]`
    out: &'a mut [f32],
    width: usize,
}

impl Kernel for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (x, k) = (self.x, self.x.k);
        for (row, values) in self.values.chunks_exact_mut(k).take(self.count).enumerate() {
            for start in (0..k).step_by(CHUNK) {
                let from = x.place(self.first + row, start);
                let len = CHUNK.min(k - start);
                let scales = &x.scales[from / x.group..];
                let groups = x.q[from..from + len].chunks_exact(x.group);
                for ((q, to), scale) in groups.zip(values[start..].chunks_exact_mut(x.group)).zip(scales) {
                    q.iter().zip(to).for_each(|(q, to)| *to = f32::from(*q) * scale);
                }
            }
        }
        for adapter in self.adapters {
            let out = &mut self.out[adapter.at..];
            if self.count == ROWS {
                products::<S, ROWS>(self.values, &adapter.a, k, out, self.width);
            } else {
                for (row, values) in self.values.chunks_exact(k).take(self.count).enumerate() {
                    products::<S, 1>(values, &adapter.a, k, &mut out[row * self.width..], self.width);
                }
            }
        }
    }
}

/// The products of each of `M` rows of `x` with each row of `a`, into `out`, whose rows are `stride` apart.
#[inline(always)]
fn products<S: Simd, const M: usize>(x: &[f32], a: &[u16], k: usize, out: &mut [f32], stride: usize) {
    let whole = a.chunks_exact(TOGETHER * k);
    let rest = whole.remainder();
    for (group, a) in whole.enumerate() {
        for (m, sums) in sums::<S, M, TOGETHER>(x, a, k).iter().enumerate() {
            out[m * stride + group * TOGETHER..][..TOGETHER].copy_from_slice(sums);
        }
    }
    let first = a.len() / k - rest.len() / k;
    for (rank, a) in rest.chunks_exact(k).enumerate() {
        for (m, sums) in sums::<S, M, 1>(x, a, k).iter().enumerate() {
            out[m * stride + first + rank] = sums[0];
        }
    }
}

/// As [`products`], of `R` rows of `a`.
#[inline(always)]
fn sums<S: Simd, const M: usize, const R: usize>(x: &[f32], a: &[u16], k: usize) -> [[f32; R]; M] {
    let mut sums = [[S::splat(0.0); R]; M];
    for at in (0..k).step_by(LANES) {
        let mut rows = [S::splat(0.0); R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = S::load_bf16(&a[r * k + at..]);
        }
        for (m, sums) in sums.iter_mut().enumerate() {
            let x = S::load(&x[m * k + at..]);
            for (sum, row) in sums.iter_mut().zip(&rows) {
                *sum = x.mul_add(*row, *sum);
            }
        }
    }
    let mut out = [[0.0; R]; M];
    for (out, sums) in out.iter_mut().zip(&sums) {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.reduce_sum();
        }
    }
    out
}
