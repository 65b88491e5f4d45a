//! `y = x W^T + bias` for quantized rows `x` and packed weights `W`, one or several matrices in one parallel region.
//!
//! The arithmetic of one output is fixed: along `k`, for each activation group, `t = 0`; for each weight block
//! `t = fma(dot, scale, t)` and, with minima, `t = fma(sum, min, t)`; then `y = fma(t, activation_scale, y)`. The dot is an
//! exact integer. Every micro-kernel keeps to it, so that all give the same bits for any number of rows.

use super::blocks::{BLOCK, Blocks};
use super::isa::Isa;
use super::packed::{BLOCK_CODES, CHUNK, PANEL, Packed, PackedChunk};
use super::pool::Pool;
use super::quantize::{Activations, ROW_TILE};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows that share one unpacking of a panel.
const ROWS: usize = 128;

/// What one thread needs: an unpacked panel chunk and the sums of [`ROWS`] rows by 64 columns.
pub(super) struct Scratch {
    /// Codes `[k / 4][64][4]`, unsigned, or signed where the kernel asks for it.
    pub(super) codes: Aligned<{ CHUNK * PANEL }>,
    /// Scales `[k / sub][64]`.
    pub(super) scales: [f32; CHUNK / 16 * PANEL],
    /// Minima `[k / 32][64]`, to be added.
    pub(super) mins: [f32; CHUNK / BLOCK * PANEL],
    /// Sums `[rows][64]`.
    pub(super) sums: [f32; ROWS * PANEL],
    /// Integers on their way from tiles to sums.
    #[cfg(target_arch = "x86_64")]
    pub(super) dots: Aligned<{ super::amx::DOTS }>,
}

/// Bytes on a cache-line border.
#[repr(C, align(64))]
pub(super) struct Aligned<const N: usize>(pub(super) [u8; N]);

thread_local! {
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::new(Box::new(Scratch {
        codes: Aligned([0; CHUNK * PANEL]),
        scales: [0.0; CHUNK / 16 * PANEL],
        mins: [0.0; CHUNK / BLOCK * PANEL],
        sums: [0.0; ROWS * PANEL],
        #[cfg(target_arch = "x86_64")]
        dots: Aligned([0; super::amx::DOTS]),
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

/// Where the results of a panel go.
trait Sink: Sync {
    /// `sums` holds `[rows][64]` for the rows from `row` and the columns from `column` of matrix `matrix`.
    fn take(&self, matrix: usize, row: usize, rows: usize, column: usize, sums: &mut [f32]);
}

/// Adds nothing, writes `out[m][stride]`; the columns of the matrices follow each other.
struct Store<'a> {
    matrices: &'a [&'a Packed],
    out: usize,
    stride: usize,
}

/// Multiplies `x` by each matrix; `out` is `[m][sum of n]`.
pub fn linear(isa: Isa, pool: &Pool, x: &Activations, matrices: &[&Packed], out: &mut [f32]) {
    let stride: usize = matrices.iter().map(|matrix| matrix.n).sum();
    assert!(out.len() >= x.m * stride, "output buffer too small");
    let sink = Store { matrices, out: out.as_mut_ptr() as usize, stride };
    for_each_panel(isa, pool, x, matrices, &sink);
}

impl Sink for Store<'_> {
    fn take(&self, matrix: usize, row: usize, rows: usize, column: usize, sums: &mut [f32]) {
        let offset: usize = self.matrices[..matrix].iter().map(|m| m.n).sum();
        let columns = PANEL.min(self.matrices[matrix].n - column);
        for (r, sums) in sums.chunks_exact(PANEL).take(rows).enumerate() {
            // SAFETY: `linear` checked the buffer; each (row, panel) pair is one task's own.
            #[allow(unsafe_code)]
            let out = unsafe {
                let at = (row + r) * self.stride + offset + column;
                std::slice::from_raw_parts_mut((self.out as *mut f32).add(at), columns)
            };
            out.copy_from_slice(&sums[..columns]);
        }
    }
}

/// The largest output of each row and its column, as one number that orders by value, then by the earlier column.
struct Largest(Vec<AtomicU64>);

/// For each row of `x` the column of the largest product (of equals the first), without storing the products.
pub fn argmax(isa: Isa, pool: &Pool, x: &Activations, matrix: &Packed) -> Vec<u32> {
    let sink = Largest((0..x.m).map(|_| AtomicU64::new(0)).collect());
    for_each_panel(isa, pool, x, &[matrix], &sink);
    sink.0.into_iter().map(|key| !(key.into_inner() as u32)).collect()
}

/// Bits that order as the floats do.
fn ordered(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

impl Sink for Largest {
    fn take(&self, _: usize, row: usize, rows: usize, column: usize, sums: &mut [f32]) {
        for (sums, best) in sums.chunks_exact(PANEL).zip(&self.0[row..row + rows]) {
            // A maximum first, which vectorizes; its place only if it can win.
            let mut lanes = [f32::NEG_INFINITY; 16];
            for chunk in sums.chunks_exact(16) {
                for (lane, value) in lanes.iter_mut().zip(chunk) {
                    *lane = if *value > *lane { *value } else { *lane };
                }
            }
            let largest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let key = u64::from(ordered(largest)) << 32;
            if key | u64::from(!(column as u32)) > best.load(Ordering::Relaxed) {
                let at = column + sums.iter().position(|value| *value == largest).unwrap_or(0);
                best.fetch_max(key | u64::from(!(at as u32)), Ordering::Relaxed);
            }
        }
    }
}

fn for_each_panel(isa: Isa, pool: &Pool, x: &Activations, matrices: &[&Packed], sink: &dyn Sink) {
    for matrix in matrices {
        assert_eq!(matrix.k, x.k, "matrix and input differ in width");
    }
    let mut starts = vec![0];
    for matrix in matrices {
        starts.push(starts[starts.len() - 1] + matrix.panels());
    }
    let panels = starts[matrices.len()];
    // A few panels a task for single rows keeps the hand-out cheap.
    let per_task = if x.m < ROW_TILE { (panels / (pool.threads() * 16)).clamp(1, 8) } else { 1 };
    pool.for_each(panels.div_ceil(per_task), &|task, _| {
        SCRATCH.with_borrow_mut(|scratch| {
            for index in task * per_task..((task + 1) * per_task).min(panels) {
                let matrix = starts.partition_point(|start| *start <= index) - 1;
                panel(
                    isa,
                    x,
                    matrices[matrix],
                    index - starts[matrix],
                    scratch,
                    &|row, rows, column, sums| {
                        sink.take(matrix, row, rows, column, sums);
                    },
                );
            }
        });
    });
}

type Take<'a> = &'a dyn Fn(usize, usize, usize, &mut [f32]);

fn panel(isa: Isa, x: &Activations, w: &Packed, panel: usize, scratch: &mut Scratch, take: Take<'_>) {
    let column = panel * PANEL;
    for row in (0..x.m).step_by(ROWS) {
        let rows = ROWS.min(x.m - row);
        scratch.sums[..rows.next_multiple_of(ROW_TILE) * PANEL].fill(0.0);
        for start in (0..w.k).step_by(CHUNK) {
            let chunk = w.chunk(panel, start);
            let view = RowsView { x, row, rows, start, len: chunk.blocks * BLOCK };
            multiply(isa, &w.blocks, &chunk, &view, scratch);
        }
        if let Some(bias) = &w.bias {
            let bias = &bias[column..(column + PANEL).min(w.n)];
            for sums in scratch.sums.chunks_exact_mut(PANEL).take(rows) {
                sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
            }
        }
        if column + PANEL > w.n {
            for sums in scratch.sums.chunks_exact_mut(PANEL).take(rows) {
                sums[w.n - column..].fill(f32::NEG_INFINITY);
            }
        }
        take(row, rows, column, &mut scratch.sums[..rows * PANEL]);
    }
}

/// Adds the products of one chunk to `scratch.sums`.
fn multiply(isa: Isa, blocks: &Blocks, chunk: &PackedChunk<'_>, view: &RowsView<'_>, scratch: &mut Scratch) {
    debug_assert!(chunk.codes.len() <= chunk.blocks * BLOCK_CODES);
    match isa {
        // SAFETY: an `Isa` above `Portable` comes from `Isa::available`, which checked the processor.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Amx if view.rows >= super::amx::MIN_ROWS => unsafe {
            super::amx::multiply(blocks, chunk, view, scratch);
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Amx | Isa::Avx512Vnni => unsafe { super::avx512::multiply(blocks, chunk, view, scratch) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx2 => unsafe { super::avx2::multiply(blocks, chunk, view, scratch) },
        _ => super::portable::multiply(blocks, chunk, view, scratch),
    }
}
