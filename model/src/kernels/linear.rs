//! `y = x W^T + bias` for quantized rows `x` and packed weights `W`, one or several matrices in one parallel region.
//!
//! The arithmetic of one output is fixed: along `k`, for each activation group, `t = 0`; for each weight block
//! `t = fma(dot, scale, t)` and, with minima, `t = fma(sum, min, t)`; then `y = fma(t, activation_scale, y)`. The dot is an
//! exact integer. Every micro-kernel keeps to it, so that all give the same bits for any number of rows.

use super::blocks::{BLOCK, Blocks};
use super::isa::Isa;
use super::ops::swiglu;
use super::packed::{BLOCK_CODES, CHUNK, PANEL, Packed, PackedChunk};
use super::pool::Pool;
use super::quantize::Activations;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that share one unpacking of a panel.
const ROWS: usize = 128;

/// Sums `[ROWS][64]` of one panel.
type Sums = [f32; ROWS * PANEL];

/// An unpacked chunk of a panel.
pub(super) struct Scratch {
    /// Codes `[k / 4][64][4]`, unsigned.
    pub(super) codes: Aligned<{ CHUNK * PANEL }>,
    /// Scales `[k / sub][64]`.
    pub(super) scales: [f32; CHUNK / 16 * PANEL],
    /// Minima `[k / 32][64]`, to be added.
    pub(super) mins: [f32; CHUNK / BLOCK * PANEL],
    /// Where each row's integer sums start, `[rows][k / sub]`: what the zero point takes off.
    pub(super) starts: [i32; ROWS * CHUNK / 16],
    /// The sums of each row's bytes, `[rows][k / 32]`, that minima are multiplied by.
    pub(super) totals: [f32; ROWS * CHUNK / BLOCK],
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            codes: Aligned([0; CHUNK * PANEL]),
            scales: [0.0; CHUNK / 16 * PANEL],
            mins: [0.0; CHUNK / BLOCK * PANEL],
            starts: [0; ROWS * CHUNK / 16],
            totals: [0.0; ROWS * CHUNK / BLOCK],
        }
    }
}

impl Scratch {
    /// Adds up each row's bytes over each scale block: for the minima where there are any, otherwise for the zero point.
    #[inline(always)]
    pub(super) fn add_up(&mut self, blocks: &Blocks, zero: i32, view: &RowsView<'_>) {
        let from = view.x.place(view.row, view.start) / 16;
        let sixteens = &view.x.sums[from..from + view.rows * view.len / 16];
        let pairs = sixteens.chunks_exact(2).map(|two| two[0] + two[1]);
        if blocks.mins {
            self.totals.iter_mut().zip(pairs).for_each(|(total, sum)| *total = sum as f32);
        } else if blocks.sub == BLOCK {
            self.starts.iter_mut().zip(pairs).for_each(|(start, sum)| *start = -zero * sum);
        } else {
            self.starts.iter_mut().zip(sixteens).for_each(|(start, sum)| *start = -zero * sum);
        }
    }
}

/// Asks for the `turn`-th of `turns` shares of what is read next, where the processor can be asked.
#[inline(always)]
pub(super) fn prefetch<T>(ahead: &[T], turn: usize, turns: usize) {
    const LINE: usize = 64;
    let lines = size_of_val(ahead) / LINE;
    for line in lines * turn / turns..lines * (turn + 1) / turns {
        let at = ahead[line * LINE / size_of::<T>()..].as_ptr();
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE is part of x86-64, and a prefetch touches nothing.
        #[allow(unsafe_code)]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// Bytes on a cache-line border.
#[repr(C, align(64))]
pub(super) struct Aligned<const N: usize>(pub(super) [u8; N]);

/// What one thread needs.
struct Buffers {
    scratch: Scratch,
    /// Panels whose sums are used together: a gate's and that of what it lets through.
    sums: [Sums; 2],
}

thread_local! {
    static BUFFERS: RefCell<Box<Buffers>> = RefCell::new(Box::new(Buffers {
        scratch: Scratch::default(),
        sums: [[0.0; ROWS * PANEL]; 2],
    }));
}

/// Some rows of the activations within one chunk of `k`.
#[derive(Clone, Copy)]
pub(super) struct RowsView<'a> {
    pub(super) x: &'a Activations,
    /// First row.
    pub(super) row: usize,
    /// Number of rows.
    pub(super) rows: usize,
    /// First value along `k`.
    pub(super) start: usize,
    /// Values along `k`.
    pub(super) len: usize,
}

/// Multiplies `x` by each matrix; `out` is `[m][sum of n]`, the columns of the matrices one after the other.
pub fn linear(isa: Isa, pool: &Pool, x: &Activations, matrices: &[&Packed], out: &mut [f32]) {
    to_columns(isa, pool, x, matrices, out, |out, sums| out.copy_from_slice(sums));
}

/// Adds the product to `out`, `[m][n]`: `out += x W^T + bias`.
pub fn linear_add(isa: Isa, pool: &Pool, x: &Activations, matrix: &Packed, out: &mut [f32]) {
    to_columns(isa, pool, x, &[matrix], out, |out, sums| {
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
    });
}

fn to_columns(
    isa: Isa,
    pool: &Pool,
    x: &Activations,
    matrices: &[&Packed],
    out: &mut [f32],
    put: impl Fn(&mut [f32], &[f32]) + Sync,
) {
    let stride: usize = matrices.iter().map(|matrix| matrix.n).sum();
    assert!(out.len() >= x.m * stride, "output buffer too small");
    let out = out.as_mut_ptr() as usize;
    for_each_panel(isa, pool, x, matrices, &|matrix, rows, column, sums| {
        let offset: usize = matrices[..matrix].iter().map(|m| m.n).sum();
        let columns = PANEL.min(matrices[matrix].n - column);
        for (row, sums) in rows.zip(sums.chunks_exact(PANEL)) {
            // SAFETY: the buffer's length was checked; each (row, panel) pair is one task's own.
            #[allow(unsafe_code)]
            let out = unsafe {
                let at = row * stride + offset + column;
                std::slice::from_raw_parts_mut((out as *mut f32).add(at), columns)
            };
            put(out, &sums[..columns]);
        }
    });
}

/// `out = silu(x G^T) * (x U^T)`, quantized: a feed-forward layer up to its last matrix, without storing what is between.
/// The biases of both matrices count.
pub fn linear_swiglu(
    isa: Isa,
    pool: &Pool,
    x: &Activations,
    gate: &Packed,
    up: &Packed,
    out: &mut Activations,
) {
    assert!(gate.k == x.k && up.k == x.k && gate.n == up.n, "matrices and input differ in width");
    out.reshape(x.m, gate.n);
    let writer = out.writer();
    // A panel is whole groups.
    assert!(PANEL.is_multiple_of(out.group));
    pool.for_each(gate.panels(), &|task, _| {
        let column = task * PANEL;
        let columns = PANEL.min(gate.n - column);
        BUFFERS.with_borrow_mut(|buffers| {
            let Buffers { scratch, sums: [gates, ups] } = &mut **buffers;
            for rows in row_blocks(x.m) {
                panel(isa, x, &rows, gate, task, scratch, gates);
                panel(isa, x, &rows, up, task, scratch, ups);
                let mut values = [0.0; PANEL];
                for (row, (gates, ups)) in rows.zip(gates.chunks_exact(PANEL).zip(ups.chunks_exact(PANEL))) {
                    swiglu(isa, gates, ups, &mut values);
                    // SAFETY: each task has its own groups of columns, and `out` is borrowed for the whole region.
                    #[allow(unsafe_code)]
                    unsafe {
                        writer.write(isa, row, column, &values[..columns]);
                    }
                }
            }
        });
    });
}

/// For each row of `x` the column of the largest product (of equals the first), without storing the products.
pub fn argmax(isa: Isa, pool: &Pool, x: &Activations, matrix: &Packed, out: &mut Vec<u32>) {
    // Each row's largest output and its column, as one number that orders by value, then by the earlier column.
    let best: SmallVec<[_; ROWS]> = (0..x.m).map(|_| AtomicU64::new(0)).collect();
    for_each_panel(isa, pool, x, &[matrix], &|_, rows, column, sums| {
        let columns = PANEL.min(matrix.n - column);
        for (best, sums) in best[rows].iter().zip(sums.chunks_exact(PANEL)) {
            let sums = &sums[..columns];
            // A maximum first, which vectorizes; its place only if it can win.
            let largest = largest(sums);
            let key = u64::from(ordered(largest)) << 32;
            if key | u64::from(!(column as u32)) > best.load(Ordering::Relaxed) {
                let at = column + sums.iter().position(|value| *value == largest).unwrap_or(0);
                best.fetch_max(key | u64::from(!(at as u32)), Ordering::Relaxed);
            }
        }
    });
    out.clear();
    out.extend(best.into_iter().map(|key| !(key.into_inner() as u32)));
}

fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let whole = values.chunks_exact(16);
    let rest = whole.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for values in whole {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    lanes.into_iter().fold(rest, f32::max)
}

/// Bits that order as the floats do.
fn ordered(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// What is done with the sums `[rows][64]` of one panel: they are those of these rows and the columns from `column` on of a
/// matrix.
type Take<'a> = &'a (dyn Fn(usize, Range<usize>, usize, &[f32]) + Sync);

fn for_each_panel(isa: Isa, pool: &Pool, x: &Activations, matrices: &[&Packed], take: Take<'_>) {
    for matrix in matrices {
        assert_eq!(matrix.k, x.k, "matrix and input differ in width");
    }
    pool.for_each(matrices.iter().map(|matrix| matrix.panels()).sum(), &|task, _| {
        let (mut matrix, mut index) = (0, task);
        while index >= matrices[matrix].panels() {
            index -= matrices[matrix].panels();
            matrix += 1;
        }
        BUFFERS.with_borrow_mut(|buffers| {
            let Buffers { scratch, sums: [sums, ..] } = &mut **buffers;
            for rows in row_blocks(x.m) {
                panel(isa, x, &rows, matrices[matrix], index, scratch, sums);
                take(matrix, rows, index * PANEL, sums);
            }
        });
    });
}

fn row_blocks(m: usize) -> impl Iterator<Item = Range<usize>> {
    (0..m).step_by(ROWS).map(move |first| first..(first + ROWS).min(m))
}

/// The products of some rows with one panel, bias and adapter added. Columns past the matrix' last are undefined.
fn panel(
    isa: Isa,
    x: &Activations,
    rows: &Range<usize>,
    w: &Packed,
    panel: usize,
    scratch: &mut Scratch,
    sums: &mut Sums,
) {
    let sums = &mut sums[..rows.len() * PANEL];
    sums.fill(0.0);
    for start in (0..w.k).step_by(CHUNK) {
        let chunk = w.chunk(panel, start);
        let view = RowsView { x, row: rows.start, rows: rows.len(), start, len: chunk.blocks * BLOCK };
        multiply(isa, &w.blocks, &chunk, &view, scratch, sums);
    }
    if let Some(bias) = &w.bias {
        let bias = &bias[panel * PANEL..w.n.min((panel + 1) * PANEL)];
        for sums in sums.chunks_exact_mut(PANEL) {
            sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
        }
    }
    if x.low_width > 0
        && let Some(low_rank) = &w.low_rank
    {
        low_rank.add(isa, x, rows, panel, sums);
    }
}

/// Adds the products of one chunk to `sums`.
fn multiply(
    isa: Isa,
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    debug_assert!(chunk.codes.len() <= chunk.blocks * BLOCK_CODES);
    match isa {
        // SAFETY: an `Isa` above `Portable` comes from `Isa::available`, which checked the processor.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx512Vnni => unsafe { super::avx512::multiply(blocks, chunk, view, scratch, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::AvxVnni => unsafe { super::avx2::multiply_vnni(blocks, chunk, view, scratch, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx2 => unsafe { super::avx2::multiply(blocks, chunk, view, scratch, sums) },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => super::neon::multiply(blocks, chunk, view, scratch, sums),
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        #[allow(unsafe_code)]
        Isa::NeonDot => unsafe { super::neon::multiply_dot(blocks, chunk, view, scratch, sums) },
        _ => super::portable::multiply(blocks, chunk, view, scratch, sums),
    }
}
