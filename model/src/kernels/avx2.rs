//! The linear micro-kernel on AVX2: one row by 32 columns in registers.
#![allow(unsafe_code)]

use super::blocks::Blocks;
use super::linear::{RowsView, Scratch};
use super::packed::{PANEL, PackedChunk};
use super::portable::{unpack_codes, unpack_scales};
use std::arch::x86_64::*;

/// Vectors of 8 columns that are summed at once.
const VECTORS: usize = 4;

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
    assert!(sums.len() >= view.rows * PANEL);
    unpack_codes(blocks, chunk, &mut scratch.codes.0);
    unpack_scales(blocks, chunk, scratch);
    for row in 0..view.rows {
        for half in 0..2 {
            // SAFETY: this function has the features, and the row is within the view.
            unsafe {
                if blocks.bits == 8 {
                    half_row::<true>(blocks, view, row, half * 32, scratch, sums);
                } else {
                    half_row::<false>(blocks, view, row, half * 32, scratch, sums);
                }
            }
        }
    }
}

/// # Safety
/// As [`multiply`]; `row` is within the view and `column` 0 or 32.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn half_row<const SIGNED: bool>(
    blocks: &Blocks,
    view: &RowsView<'_>,
    row: usize,
    column: usize,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    let x = view.x;
    let (sub, steps) = (blocks.sub, blocks.sub / 4);
    let base = x.place(view.row + row, view.start);
    let parts = x.group / sub;
    let ones = _mm256_set1_epi16(1);
    let flip = _mm256_set1_epi8(-128);
    // SAFETY: `Activations::reshape` made room for the row; the scratch holds a whole chunk.
    unsafe {
        for group in 0..view.len / x.group {
            let mut t = [_mm256_setzero_ps(); VECTORS];
            for part in group * parts..(group + 1) * parts {
                let sixteens = x.sums.as_ptr().add(base / 16 + part * sub / 16);
                let total = if sub == 16 { *sixteens } else { *sixteens + *sixteens.add(1) };
                // Eight-bit codes are multiplied as signed ones, which need no zero point.
                let start = if SIGNED { 0 } else { -blocks.zero * total };
                let mut dot = [_mm256_set1_epi32(start); VECTORS];
                for step in part * steps..(part + 1) * steps {
                    let a =
                        _mm256_set1_epi32(x.q.as_ptr().add(base + step * 4).cast::<i32>().read_unaligned());
                    for (c, dot) in dot.iter_mut().enumerate() {
                        let at = scratch.codes.0.as_ptr().add(step * PANEL * 4 + (column + c * 8) * 4);
                        let w = _mm256_loadu_si256(at.cast());
                        // Pairs stay within i16: 2 * 63 * 127, or 2 * 128 * 127 with the sign moved to `a`.
                        let pairs = if SIGNED {
                            let w = _mm256_xor_si256(w, flip);
                            _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w))
                        } else {
                            _mm256_maddubs_epi16(w, a)
                        };
                        *dot = _mm256_add_epi32(*dot, _mm256_madd_epi16(pairs, ones));
                    }
                }
                for c in 0..VECTORS {
                    let at = part * PANEL + column + c * 8;
                    let scale = _mm256_loadu_ps(scratch.scales.as_ptr().add(at));
                    t[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[c]), scale, t[c]);
                    if blocks.mins {
                        let min = _mm256_loadu_ps(scratch.mins.as_ptr().add(at));
                        t[c] = _mm256_fmadd_ps(_mm256_set1_ps(total as f32), min, t[c]);
                    }
                }
            }
            let scale = _mm256_set1_ps(*x.scales.as_ptr().add(base / x.group + group));
            for (c, t) in t.iter().enumerate() {
                let out = sums.as_mut_ptr().add(row * PANEL + column + c * 8);
                _mm256_storeu_ps(out, _mm256_fmadd_ps(*t, scale, _mm256_loadu_ps(out)));
            }
        }
    }
}
