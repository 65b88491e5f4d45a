//! The linear micro-kernel on AVX-512 VNNI: up to 3 rows by 64 columns in registers.
#![allow(unsafe_code)]
// Registers are arrays walked by index: `array::from_fn` would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::blocks::{BLOCK, Blocks};
use super::linear::{RowsView, Scratch};
use super::packed::{BLOCK_CODES, PANEL, PackedChunk};
use std::arch::x86_64::*;

/// Vectors of 16 columns in a panel.
const VECTORS: usize = PANEL / 16;
/// Rows of a micro-kernel: 3 x 4 sums of integers and as many of floats fill the registers.
const ROWS: usize = 3;

/// Adds the products of one chunk to the sums.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
) {
    // SAFETY: this function has the features that these need.
    unsafe {
        unpack_scales(blocks, chunk, scratch);
        let codes = if blocks.bits == 8 {
            chunk.codes.as_ptr()
        } else {
            unpack_codes(blocks, chunk, 0, scratch);
            scratch.codes.0.as_ptr()
        };
        match (blocks.sub, blocks.mins) {
            (16, _) => all_rows::<4, false>(blocks, codes, view, scratch),
            (_, false) => all_rows::<8, false>(blocks, codes, view, scratch),
            (_, true) => all_rows::<8, true>(blocks, codes, view, scratch),
        }
    }
}

/// # Safety
/// As [`multiply`]; `codes` is readable for the view's values times 64 columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn all_rows<const STEPS: usize, const MINS: bool>(
    blocks: &Blocks,
    codes: *const u8,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
) {
    let mut row = 0;
    // SAFETY: the rows are within the view.
    unsafe {
        while row + ROWS <= view.rows {
            rows::<ROWS, STEPS, MINS>(blocks.zero, codes, view, row, scratch);
            row += ROWS;
        }
        match view.rows - row {
            2 => rows::<2, STEPS, MINS>(blocks.zero, codes, view, row, scratch),
            1 => rows::<1, STEPS, MINS>(blocks.zero, codes, view, row, scratch),
            _ => {}
        }
    }
}

/// # Safety
/// As [`all_rows`]; rows `first..first + R` are within the view.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn rows<const R: usize, const STEPS: usize, const MINS: bool>(
    zero: i32,
    codes: *const u8,
    view: &RowsView<'_>,
    first: usize,
    scratch: &mut Scratch,
) {
    let x = view.x;
    let sub = STEPS * 4;
    // SAFETY: `Activations::reshape` made room for every row; the scratch holds a whole chunk.
    unsafe {
        let row = view.row + first;
        let q = x.q.as_ptr().add(row * x.k + view.start);
        let sums = x.sums.as_ptr().add((row * x.k + view.start) / 16);
        let out = scratch.sums.as_mut_ptr().add(first * PANEL);
        let parts = x.group / sub;
        for group in 0..view.len / x.group {
            let mut t = [[_mm512_setzero_ps(); VECTORS]; R];
            for part in group * parts..(group + 1) * parts {
                let mut total = [0; R];
                let mut dot = [[_mm512_setzero_si512(); VECTORS]; R];
                for r in 0..R {
                    let at = sums.add(r * x.k / 16);
                    total[r] = match STEPS {
                        4 => *at.add(part),
                        _ => *at.add(part * 2) + *at.add(part * 2 + 1),
                    };
                    dot[r] = [_mm512_set1_epi32(-zero * total[r]); VECTORS];
                }
                for step in part * STEPS..(part + 1) * STEPS {
                    let mut w = [_mm512_setzero_si512(); VECTORS];
                    for c in 0..VECTORS {
                        w[c] = _mm512_loadu_si512(codes.add((step * VECTORS + c) * 64).cast());
                    }
                    for r in 0..R {
                        let a = q.add(r * x.k + step * 4).cast::<i32>().read_unaligned();
                        let a = _mm512_set1_epi32(a);
                        for c in 0..VECTORS {
                            dot[r][c] = _mm512_dpbusd_epi32(dot[r][c], w[c], a);
                        }
                    }
                }
                for c in 0..VECTORS {
                    let scale = _mm512_loadu_ps(scratch.scales.as_ptr().add(part * PANEL + c * 16));
                    for r in 0..R {
                        t[r][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][c]), scale, t[r][c]);
                    }
                    if MINS {
                        let min = _mm512_loadu_ps(scratch.mins.as_ptr().add(part * PANEL + c * 16));
                        for r in 0..R {
                            t[r][c] = _mm512_fmadd_ps(_mm512_set1_ps(total[r] as f32), min, t[r][c]);
                        }
                    }
                }
            }
            for r in 0..R {
                let at = ((row + r) * x.k + view.start) / x.group + group;
                let scale = _mm512_set1_ps(*x.scales.as_ptr().add(at));
                for c in 0..VECTORS {
                    let out = out.add(r * PANEL + c * 16);
                    _mm512_storeu_ps(out, _mm512_fmadd_ps(t[r][c], scale, _mm512_loadu_ps(out)));
                }
            }
        }
    }
}

/// Packed codes to bytes in the scratch, less `offset`.
///
/// # Safety
/// As [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(super) unsafe fn unpack_codes(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    offset: i8,
    scratch: &mut Scratch,
) {
    let size = chunk.codes.len() / chunk.blocks;
    let low_bits = _mm512_set1_epi8(15);
    let offset = _mm512_set1_epi8(offset);
    let fifth = _mm512_set1_epi8(16);
    let sixth = _mm512_set1_epi8(32);
    for block in 0..chunk.blocks {
        // SAFETY: `size` bytes a block are there, and the scratch holds every block of a chunk.
        unsafe {
            let from = chunk.codes.as_ptr().add(block * size);
            let to = scratch.codes.0.as_mut_ptr().add(block * BLOCK_CODES);
            if blocks.bits == 8 {
                for v in 0..BLOCK_CODES / 64 {
                    let codes = _mm512_loadu_si512(from.add(v * 64).cast());
                    _mm512_storeu_si512(to.add(v * 64).cast(), _mm512_sub_epi8(codes, offset));
                }
                continue;
            }
            let planes = from.add(BLOCK_CODES / 2).cast::<u64>();
            let finish = |codes: __m512i, v: usize| {
                let mut codes = codes;
                if blocks.bits > 4 {
                    codes = set_bit(codes, planes.add(v).read_unaligned(), fifth);
                }
                if blocks.bits > 5 {
                    let mask = planes.add(BLOCK_CODES / 64 + v).read_unaligned();
                    codes = set_bit(codes, mask, sixth);
                }
                _mm512_storeu_si512(to.add(v * 64).cast(), _mm512_sub_epi8(codes, offset));
            };
            for v in 0..BLOCK_CODES / 128 {
                let both = _mm512_loadu_si512(from.add(v * 64).cast());
                finish(_mm512_and_si512(both, low_bits), v);
                finish(_mm512_and_si512(_mm512_srli_epi16::<4>(both), low_bits), v + BLOCK_CODES / 128);
            }
        }
    }
}

/// Sets `bit`, which is clear in every byte of `codes`, where the mask has a one.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn set_bit(codes: __m512i, mask: u64, bit: __m512i) -> __m512i {
    _mm512_mask_add_epi8(codes, mask, codes, bit)
}

/// Scales and minima to f32 in the scratch.
///
/// # Safety
/// As [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(super) unsafe fn unpack_scales(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    let count = chunk.blocks * BLOCK / blocks.sub;
    // SAFETY: the chunk's parts have the lengths that `Packed::chunk` gives them, and the scratch holds a whole chunk.
    unsafe {
        for c in 0..VECTORS {
            let half = |bytes: &[u8], i: usize| {
                let at = bytes.as_ptr().add((i * PANEL + c * 16) * 2);
                _mm512_cvtph_ps(_mm256_loadu_si256(at.cast()))
            };
            let byte =
                |bytes: &[u8], i: usize| _mm_loadu_si128(bytes.as_ptr().add(i * PANEL + c * 16).cast());
            let scales = scratch.scales.as_mut_ptr().add(c * 16);
            let mins = scratch.mins.as_mut_ptr().add(c * 16);
            if blocks.nested {
                let outer = half(chunk.outer, 0);
                for i in 0..count {
                    let scale = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(byte(chunk.scale, i)));
                    _mm512_storeu_ps(scales.add(i * PANEL), _mm512_mul_ps(outer, scale));
                }
                if blocks.mins {
                    let outer = half(chunk.outer_min, 0);
                    for i in 0..chunk.blocks {
                        let min = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(byte(chunk.min, i)));
                        _mm512_storeu_ps(mins.add(i * PANEL), _mm512_mul_ps(outer, min));
                    }
                }
            } else {
                for i in 0..count {
                    _mm512_storeu_ps(scales.add(i * PANEL), half(chunk.outer, i));
                }
                if blocks.mins {
                    for i in 0..chunk.blocks {
                        _mm512_storeu_ps(mins.add(i * PANEL), half(chunk.outer_min, i));
                    }
                }
            }
        }
    }
}
