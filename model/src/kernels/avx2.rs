//! The linear micro-kernels on AVX2: up to 3 rows by 16 columns in registers, with the dot products of AVX-VNNI where the
//! processor has them.
#![allow(unsafe_code)]
// Registers are arrays walked by index: `array::from_fn` would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::blocks::{BLOCK, Blocks};
use super::linear::{RowsView, Scratch, prefetch};
use super::packed::{BLOCK_CODES, PANEL, PackedChunk};
use std::arch::x86_64::*;

/// Vectors of 8 columns in a panel.
const PANEL_VECTORS: usize = PANEL / 8;
/// Vectors of columns and rows of a micro-kernel: 3 x 2 sums of integers and as many of floats.
const VECTORS: usize = 2;
const ROWS: usize = 3;
/// Codes of one step along `k` and 64 columns, in bytes.
const STEP: usize = PANEL * 4;

/// How four neighbouring codes are multiplied with four activations and added up, for 8 columns.
pub(super) trait Dot {
    /// Whether codes of eight bits are multiplied as signed numbers (the code less 128), so that the zero point is gone.
    const SIGNED: bool;
    /// `sum + w * a`; `EIGHT` says that codes have eight bits, otherwise at most six.
    ///
    /// # Safety
    /// The processor has what the implementation names.
    unsafe fn dot<const EIGHT: bool>(sum: __m256i, w: __m256i, a: __m256i) -> __m256i;
}

/// With AVX2 alone.
pub(super) struct Avx2;

impl Dot for Avx2 {
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn dot<const EIGHT: bool>(sum: __m256i, w: __m256i, a: __m256i) -> __m256i {
        // SAFETY: the caller's promise of AVX2.
        unsafe {
            // Pairs stay within i16: 2 * 63 * 127, or 2 * 128 * 127 with the sign moved to `a`.
            let pairs = if EIGHT {
                let w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
                _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w))
            } else {
                _mm256_maddubs_epi16(w, a)
            };
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

/// With AVX-VNNI.
pub(super) struct AvxVnni;

impl Dot for AvxVnni {
    const SIGNED: bool = false;

    #[inline(always)]
    unsafe fn dot<const EIGHT: bool>(sum: __m256i, w: __m256i, a: __m256i) -> __m256i {
        // SAFETY: the caller's promise of AVX-VNNI.
        unsafe { _mm256_dpbusd_avx_epi32(sum, w, a) }
    }
}

/// Adds the products of one chunk to the sums.
///
/// # Safety
/// The processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    // SAFETY: this function has the features.
    unsafe { multiply_with::<Avx2>(blocks, chunk, view, scratch, sums) }
}

/// As [`multiply`], with AVX-VNNI.
///
/// # Safety
/// The processor has AVX2, FMA, F16C and AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn multiply_vnni(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    // SAFETY: this function has the features.
    unsafe { multiply_with::<AvxVnni>(blocks, chunk, view, scratch, sums) }
}

/// # Safety
/// The processor has AVX2, FMA, F16C and what `D` needs, and the caller is compiled for them.
#[inline(always)]
pub(super) unsafe fn multiply_with<D: Dot>(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    assert!(sums.len() >= view.rows * PANEL);
    // SAFETY: the caller's promise; the codes are those of the chunk.
    unsafe {
        let codes = if blocks.bits == 8 {
            chunk.codes.as_ptr()
        } else {
            match blocks.bits {
                4 => unpack_codes::<4>(chunk, scratch),
                5 => unpack_codes::<5>(chunk, scratch),
                _ => unpack_codes::<6>(chunk, scratch),
            }
            scratch.codes.0.as_ptr()
        };
        unpack_scales(blocks, chunk, scratch);
        let zero = if D::SIGNED && blocks.bits == 8 { 0 } else { blocks.zero };
        scratch.add_up(blocks, zero, view);
        match (blocks.bits, blocks.sub, blocks.mins) {
            (8, _, _) => all_rows::<D, true, 8, false>(codes, chunk.ahead, view, scratch, sums),
            (_, 16, _) => all_rows::<D, false, 4, false>(codes, chunk.ahead, view, scratch, sums),
            (_, _, false) => all_rows::<D, false, 8, false>(codes, chunk.ahead, view, scratch, sums),
            (_, _, true) => all_rows::<D, false, 8, true>(codes, chunk.ahead, view, scratch, sums),
        }
    }
}

/// # Safety
/// As [`multiply_with`]; `codes` is readable for the view's values times 64 columns, `sums` holds the view's rows.
#[inline(always)]
unsafe fn all_rows<D: Dot, const EIGHT: bool, const STEPS: usize, const MINS: bool>(
    codes: *const u8,
    ahead: &[u8],
    view: &RowsView<'_>,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    let turns = view.rows.div_ceil(ROWS);
    for turn in 0..turns {
        let row = turn * ROWS;
        let prefetch = |part: usize, parts: usize| prefetch(ahead, turn * parts + part, turns * parts);
        // SAFETY: the rows are within the view.
        unsafe {
            match view.rows - row {
                1 => rows::<D, EIGHT, 1, STEPS, MINS>(codes, view, row, scratch, sums, prefetch),
                2 => rows::<D, EIGHT, 2, STEPS, MINS>(codes, view, row, scratch, sums, prefetch),
                _ => rows::<D, EIGHT, ROWS, STEPS, MINS>(codes, view, row, scratch, sums, prefetch),
            }
        }
    }
}

/// # Safety
/// As [`all_rows`]; rows `first..first + R` are within the view.
#[inline(always)]
unsafe fn rows<D: Dot, const EIGHT: bool, const R: usize, const STEPS: usize, const MINS: bool>(
    codes: *const u8,
    view: &RowsView<'_>,
    first: usize,
    scratch: &Scratch,
    sums: &mut [f32],
    prefetch: impl Fn(usize, usize),
) {
    let (x, sub) = (view.x, STEPS * 4);
    // SAFETY: `Activations::reshape` made room for the rows; the scratch holds a whole chunk, `sums` the view's rows.
    unsafe {
        let at = x.place(view.row + first, view.start);
        let q = x.q.as_ptr().add(at);
        let scales = x.scales.as_ptr().add(at / x.group);
        let out = sums.as_mut_ptr().add(first * PANEL);
        let (per_row, parts) = (view.len / sub, x.group / sub);
        let starts = scratch.starts.as_ptr().add(first * per_row);
        let totals = scratch.totals.as_ptr().add(first * per_row);
        let groups = view.len / x.group;
        for group in 0..groups {
            for column in (0..PANEL_VECTORS).step_by(VECTORS) {
                // Evenly: a burst of requests would stop the kernel.
                prefetch(group * PANEL_VECTORS + column, groups * PANEL_VECTORS);
                prefetch(group * PANEL_VECTORS + column + 1, groups * PANEL_VECTORS);
                let mut t = [[_mm256_setzero_ps(); VECTORS]; R];
                for part in group * parts..(group + 1) * parts {
                    let mut dot = [[_mm256_setzero_si256(); VECTORS]; R];
                    if !MINS {
                        for r in 0..R {
                            dot[r] = [_mm256_set1_epi32(*starts.add(r * per_row + part)); VECTORS];
                        }
                    }
                    for step in part * STEPS..(part + 1) * STEPS {
                        let mut w = [_mm256_setzero_si256(); VECTORS];
                        for c in 0..VECTORS {
                            w[c] = _mm256_loadu_si256(codes.add(step * STEP + (column + c) * 32).cast());
                        }
                        for r in 0..R {
                            let a = q.add(r * view.len + step * 4).cast::<i32>().read_unaligned();
                            let a = _mm256_set1_epi32(a);
                            for c in 0..VECTORS {
                                dot[r][c] = D::dot::<EIGHT>(dot[r][c], w[c], a);
                            }
                        }
                    }
                    for c in 0..VECTORS {
                        let at = part * PANEL + (column + c) * 8;
                        let scale = _mm256_loadu_ps(scratch.scales.as_ptr().add(at));
                        for r in 0..R {
                            t[r][c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r][c]), scale, t[r][c]);
                        }
                        if MINS {
                            let min = _mm256_loadu_ps(scratch.mins.as_ptr().add(at));
                            for r in 0..R {
                                let total = _mm256_set1_ps(*totals.add(r * per_row + part));
                                t[r][c] = _mm256_fmadd_ps(total, min, t[r][c]);
                            }
                        }
                    }
                }
                for r in 0..R {
                    let scale = _mm256_set1_ps(*scales.add(r * view.len / x.group + group));
                    for c in 0..VECTORS {
                        let out = out.add(r * PANEL + (column + c) * 8);
                        _mm256_storeu_ps(out, _mm256_fmadd_ps(t[r][c], scale, _mm256_loadu_ps(out)));
                    }
                }
            }
        }
    }
}

/// Packed codes of 4 to 6 bits to bytes in the scratch.
///
/// # Safety
/// The processor has AVX2, and the caller is compiled for it.
#[inline(always)]
unsafe fn unpack_codes<const BITS: usize>(chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    const HALF: usize = BLOCK_CODES / 2;
    let size = chunk.codes.len() / chunk.blocks;
    for block in 0..chunk.blocks {
        // SAFETY: `size` bytes a block are there, and the scratch holds every block of a chunk.
        unsafe {
            let low_bits = _mm256_set1_epi8(15);
            let from = chunk.codes.as_ptr().add(block * size);
            let to = scratch.codes.0.as_mut_ptr().add(block * BLOCK_CODES);
            for at in (0..HALF).step_by(32) {
                let both = _mm256_loadu_si256(from.add(at).cast());
                let mut low = _mm256_and_si256(both, low_bits);
                let mut high = _mm256_and_si256(_mm256_srli_epi16::<4>(both), low_bits);
                for plane in 0..BITS - 4 {
                    let masks = from.add(HALF + plane * (BLOCK_CODES / 8) + at / 8);
                    let bit = _mm256_set1_epi8(16 << plane);
                    low = _mm256_or_si256(low, _mm256_and_si256(spread(masks.cast()), bit));
                    let high_masks = masks.add(HALF / 8).cast();
                    high = _mm256_or_si256(high, _mm256_and_si256(spread(high_masks), bit));
                }
                _mm256_storeu_si256(to.add(at).cast(), low);
                _mm256_storeu_si256(to.add(HALF + at).cast(), high);
            }
        }
    }
}

/// Each of 32 bits to a byte of ones or zeros.
///
/// # Safety
/// The processor has AVX2, the caller is compiled for it, and `masks` is readable for four bytes.
#[inline(always)]
unsafe fn spread(masks: *const i32) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let bytes = _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0);
        let bits = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let mask = _mm256_shuffle_epi8(_mm256_set1_epi32(masks.read_unaligned()), bytes);
        _mm256_cmpeq_epi8(_mm256_and_si256(mask, bits), bits)
    }
}

/// Scales and minima to f32 in the scratch.
///
/// # Safety
/// The processor has AVX2 and F16C, and the caller is compiled for them.
#[inline(always)]
unsafe fn unpack_scales(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    // SAFETY: the chunk's parts have the lengths that `Packed::chunk` gives them, and the scratch holds a whole chunk.
    unsafe {
        let halves =
            |bytes: &[u8], at: usize| _mm256_cvtph_ps(_mm_loadu_si128(bytes.as_ptr().add(at * 2).cast()));
        for at in (0..chunk.blocks * BLOCK / blocks.sub * PANEL).step_by(8) {
            let scale = if blocks.nested {
                let scale = _mm256_cvtepi8_epi32(_mm_loadl_epi64(chunk.scale.as_ptr().add(at).cast()));
                _mm256_mul_ps(halves(chunk.outer, at % PANEL), _mm256_cvtepi32_ps(scale))
            } else {
                halves(chunk.outer, at)
            };
            _mm256_storeu_ps(scratch.scales.as_mut_ptr().add(at), scale);
        }
        if !blocks.mins {
            return;
        }
        for at in (0..chunk.blocks * PANEL).step_by(8) {
            let min = if blocks.nested {
                let min = _mm256_cvtepu8_epi32(_mm_loadl_epi64(chunk.min.as_ptr().add(at).cast()));
                _mm256_mul_ps(halves(chunk.outer_min, at % PANEL), _mm256_cvtepi32_ps(min))
            } else {
                halves(chunk.outer_min, at)
            };
            _mm256_storeu_ps(scratch.mins.as_mut_ptr().add(at), min);
        }
    }
}
