//! The linear micro-kernels on AVX-512 VNNI: up to 3 rows by 64 columns in registers.
//!
//! Many rows share one unpacking of a chunk; one or two multiply the codes as they are unpacked. Both ask for the bytes
//! that come next while they compute.
#![allow(unsafe_code)]
// Registers are arrays walked by index: `array::from_fn` would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::blocks::{BLOCK, Blocks};
use super::linear::{RowsView, Scratch, prefetch};
use super::packed::{BLOCK_CODES, PANEL, PackedChunk};
use std::arch::x86_64::*;

/// Vectors of 16 columns in a panel.
const VECTORS: usize = PANEL / 16;
/// Rows of a micro-kernel: 3 x 4 sums of integers and as many of floats fill the registers.
const ROWS: usize = 3;
/// Codes of one step along `k` and 64 columns, in bytes.
const STEP: usize = VECTORS * 64;

/// Adds the products of one chunk to `sums`.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    assert!(sums.len() >= view.rows * PANEL);
    // SAFETY: this function has the features that these need; `sums` and the view have the rows.
    unsafe {
        match view.rows {
            1 => few_of_any::<1>(blocks, chunk, view, sums),
            2 => few_of_any::<2>(blocks, chunk, view, sums),
            _ => {
                unpack_scales(blocks, chunk, scratch);
                let codes = if blocks.bits == 8 {
                    chunk.codes.as_ptr()
                } else {
                    unpack_codes(blocks, chunk, scratch);
                    scratch.codes.0.as_ptr()
                };
                scratch.add_up(blocks, blocks.zero, view);
                match (blocks.sub, blocks.mins) {
                    (16, _) => many::<4, false>(codes, chunk.ahead, view, scratch, sums),
                    (_, false) => many::<8, false>(codes, chunk.ahead, view, scratch, sums),
                    (_, true) => many::<8, true>(codes, chunk.ahead, view, scratch, sums),
                }
            }
        }
    }
}

/// All rows of the view over unpacked codes, scale blocks of `STEPS` steps.
///
/// # Safety
/// As [`multiply`]; `codes` is readable for the view's values times 64 columns, `sums` holds the view's rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn many<const STEPS: usize, const MINS: bool>(
    codes: *const u8,
    ahead: &[u8],
    view: &RowsView<'_>,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    let turns = view.rows.div_ceil(ROWS);
    for turn in 0..turns {
        prefetch(ahead, turn, turns);
        let row = turn * ROWS;
        // SAFETY: the rows are within the view.
        unsafe {
            match view.rows - row {
                1 => rows::<1, STEPS, MINS>(codes, view, row, scratch, sums),
                2 => rows::<2, STEPS, MINS>(codes, view, row, scratch, sums),
                _ => rows::<ROWS, STEPS, MINS>(codes, view, row, scratch, sums),
            }
        }
    }
}

/// # Safety
/// As [`many`]; rows `first..first + R` are within the view.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn rows<const R: usize, const STEPS: usize, const MINS: bool>(
    codes: *const u8,
    view: &RowsView<'_>,
    first: usize,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    let (x, sub) = (view.x, STEPS * 4);
    // SAFETY: `Activations::reshape` made room for every row; the scratch holds a whole chunk, `sums` the view's rows.
    unsafe {
        let at = x.place(view.row + first, view.start);
        let q = x.q.as_ptr().add(at);
        let scales = x.scales.as_ptr().add(at / x.group);
        let out = sums.as_mut_ptr().add(first * PANEL);
        let (per_row, parts) = (view.len / sub, x.group / sub);
        let starts = scratch.starts.as_ptr().add(first * per_row);
        let totals = scratch.totals.as_ptr().add(first * per_row);
        for group in 0..view.len / x.group {
            let mut t = [[_mm512_setzero_ps(); VECTORS]; R];
            for part in group * parts..(group + 1) * parts {
                let mut dot = [[_mm512_setzero_si512(); VECTORS]; R];
                if !MINS {
                    for r in 0..R {
                        dot[r] = [_mm512_set1_epi32(*starts.add(r * per_row + part)); VECTORS];
                    }
                }
                for step in part * STEPS..(part + 1) * STEPS {
                    let mut w = [_mm512_setzero_si512(); VECTORS];
                    for c in 0..VECTORS {
                        w[c] = _mm512_loadu_si512(codes.add(step * STEP + c * 64).cast());
                    }
                    for r in 0..R {
                        let a = q.add(r * view.len + step * 4).cast::<i32>().read_unaligned();
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
                            let total = _mm512_set1_ps(*totals.add(r * per_row + part));
                            t[r][c] = _mm512_fmadd_ps(total, min, t[r][c]);
                        }
                    }
                }
            }
            for r in 0..R {
                let scale = _mm512_set1_ps(*scales.add(r * view.len / x.group + group));
                for c in 0..VECTORS {
                    let out = out.add(r * PANEL + c * 16);
                    _mm512_storeu_ps(out, _mm512_fmadd_ps(t[r][c], scale, _mm512_loadu_ps(out)));
                }
            }
        }
    }
}

/// # Safety
/// As [`multiply`]; the view has `R` rows, and so has `sums`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn few_of_any<const R: usize>(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    sums: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (blocks.bits, blocks.mins) {
            (4, false) => few::<R, 4, false>(blocks, chunk, view, sums),
            (4, true) => few::<R, 4, true>(blocks, chunk, view, sums),
            (5, false) => few::<R, 5, false>(blocks, chunk, view, sums),
            (5, true) => few::<R, 5, true>(blocks, chunk, view, sums),
            (6, _) => few::<R, 6, false>(blocks, chunk, view, sums),
            _ => few::<R, 8, false>(blocks, chunk, view, sums),
        }
    }
}

/// `R` rows by 64 columns, each code multiplied as it is unpacked.
///
/// # Safety
/// As [`few_of_any`], for blocks of `BITS` and `MINS`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
unsafe fn few<const R: usize, const BITS: usize, const MINS: bool>(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    sums: &mut [f32],
) {
    let x = view.x;
    let size = chunk.codes.len() / chunk.blocks;
    let blocks_of_group = x.group / BLOCK;
    // SAFETY: `Activations::reshape` made room for every row; `sums` holds `R` rows, the chunk `chunk.blocks` blocks.
    unsafe {
        let at = x.place(view.row, view.start);
        let q = x.q.as_ptr().add(at);
        let sixteens = x.sums.as_ptr().add(at / 16);
        let scales = x.scales.as_ptr().add(at / x.group);
        let mut t = [[_mm512_setzero_ps(); VECTORS]; R];
        for block in 0..chunk.blocks {
            prefetch(chunk.ahead, block, chunk.blocks);
            let from = chunk.codes.as_ptr().add(block * size);
            let mut halves = [[0; 2]; R];
            for r in 0..R {
                let at = sixteens.add(r * view.len / 16 + block * 2);
                halves[r] = [*at, *at.add(1)];
            }
            // The first and the second 16 values along `k`.
            let mut first = [[_mm512_setzero_si512(); VECTORS]; R];
            let mut second = [[_mm512_setzero_si512(); VECTORS]; R];
            for step in 0..4 {
                for c in 0..VECTORS {
                    let v = step * VECTORS + c;
                    let (low, high) = if BITS == 8 {
                        let low = _mm512_loadu_si512(from.add(v * 64).cast());
                        (low, _mm512_loadu_si512(from.add(BLOCK_CODES / 2 + v * 64).cast()))
                    } else {
                        unpack::<BITS>(from, v)
                    };
                    for r in 0..R {
                        let a = q.add(r * view.len + block * BLOCK + step * 4).cast::<i32>();
                        let b = a.add(4);
                        let (a, b) = (a.read_unaligned(), b.read_unaligned());
                        first[r][c] = _mm512_dpbusd_epi32(first[r][c], low, _mm512_set1_epi32(a));
                        second[r][c] = _mm512_dpbusd_epi32(second[r][c], high, _mm512_set1_epi32(b));
                    }
                }
            }
            for c in 0..VECTORS {
                for r in 0..R {
                    let [a, b] = halves[r];
                    if BITS == 6 {
                        for (half, (dot, sum)) in
                            [(first[r][c], a), (second[r][c], b)].into_iter().enumerate()
                        {
                            let dot = _mm512_add_epi32(dot, _mm512_set1_epi32(-blocks.zero * sum));
                            let scale = scale_of(blocks, chunk, block * 2 + half, c);
                            t[r][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, t[r][c]);
                        }
                        continue;
                    }
                    let mut dot = _mm512_add_epi32(first[r][c], second[r][c]);
                    if !MINS {
                        dot = _mm512_add_epi32(dot, _mm512_set1_epi32(-blocks.zero * (a + b)));
                    }
                    let scale = scale_of(blocks, chunk, block, c);
                    t[r][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, t[r][c]);
                    if MINS {
                        let total = _mm512_set1_ps((a + b) as f32);
                        t[r][c] = _mm512_fmadd_ps(total, min_of(blocks, chunk, block, c), t[r][c]);
                    }
                }
            }
            if (block + 1) % blocks_of_group == 0 {
                for r in 0..R {
                    let group = r * view.len / x.group + block / blocks_of_group;
                    let scale = _mm512_set1_ps(*scales.add(group));
                    for c in 0..VECTORS {
                        let out = sums.as_mut_ptr().add(r * PANEL + c * 16);
                        _mm512_storeu_ps(out, _mm512_fmadd_ps(t[r][c], scale, _mm512_loadu_ps(out)));
                        t[r][c] = _mm512_setzero_ps();
                    }
                }
            }
        }
    }
}

/// The `v`-th vectors of both halves of a packed block of 4 to 6 bits.
///
/// # Safety
/// `from` is readable for a packed block, and `v` below 16.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn unpack<const BITS: usize>(from: *const u8, v: usize) -> (__m512i, __m512i) {
    let low_bits = _mm512_set1_epi8(15);
    // SAFETY: the caller's promise.
    unsafe {
        let both = _mm512_loadu_si512(from.add(v * 64).cast());
        let mut low = _mm512_and_si512(both, low_bits);
        let mut high = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low_bits);
        let planes = from.add(BLOCK_CODES / 2).cast::<u64>();
        for plane in 0..BITS - 4 {
            let bit = _mm512_set1_epi8(16 << plane);
            let masks = planes.add(plane * (BLOCK_CODES / 64) + v);
            low = _mm512_mask_add_epi8(low, masks.read_unaligned(), low, bit);
            let mask = masks.add(BLOCK_CODES / 128).read_unaligned();
            high = _mm512_mask_add_epi8(high, mask, high, bit);
        }
        (low, high)
    }
}

/// Packed codes of 4 to 6 bits to bytes in the scratch.
///
/// # Safety
/// As [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
unsafe fn unpack_codes(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    let size = chunk.codes.len() / chunk.blocks;
    for block in 0..chunk.blocks {
        // SAFETY: `size` bytes a block are there, and the scratch holds every block of a chunk.
        unsafe {
            let from = chunk.codes.as_ptr().add(block * size);
            let to = scratch.codes.0.as_mut_ptr().add(block * BLOCK_CODES);
            for v in 0..BLOCK_CODES / 128 {
                let (low, high) = match blocks.bits {
                    4 => unpack::<4>(from, v),
                    5 => unpack::<5>(from, v),
                    _ => unpack::<6>(from, v),
                };
                _mm512_storeu_si512(to.add(v * 64).cast(), low);
                _mm512_storeu_si512(to.add(BLOCK_CODES / 2 + v * 64).cast(), high);
            }
        }
    }
}

/// Scales and minima to f32 in the scratch.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
fn unpack_scales(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    for part in 0..chunk.blocks * BLOCK / blocks.sub {
        for c in 0..VECTORS {
            let scale = scale_of(blocks, chunk, part, c);
            // SAFETY: the scratch holds a whole chunk.
            unsafe { _mm512_storeu_ps(scratch.scales.as_mut_ptr().add(part * PANEL + c * 16), scale) };
        }
    }
    if blocks.mins {
        for block in 0..chunk.blocks {
            for c in 0..VECTORS {
                let min = min_of(blocks, chunk, block, c);
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(scratch.mins.as_mut_ptr().add(block * PANEL + c * 16), min) };
            }
        }
    }
}

/// The scales of 16 columns in one scale block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
#[inline]
fn scale_of(blocks: &Blocks, chunk: &PackedChunk<'_>, part: usize, c: usize) -> __m512 {
    if blocks.nested {
        let scale = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen(chunk.scale, part, c)));
        _mm512_mul_ps(halves(chunk.outer, 0, c), scale)
    } else {
        halves(chunk.outer, part, c)
    }
}

/// The minima of 16 columns in one block of 32.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
#[inline]
fn min_of(blocks: &Blocks, chunk: &PackedChunk<'_>, block: usize, c: usize) -> __m512 {
    if blocks.nested {
        let min = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(sixteen(chunk.min, block, c)));
        _mm512_mul_ps(halves(chunk.outer_min, 0, c), min)
    } else {
        halves(chunk.outer_min, block, c)
    }
}

/// 16 halves of the `index`-th 64.
#[target_feature(enable = "avx512f")]
#[inline]
fn halves(bytes: &[u8], index: usize, c: usize) -> __m512 {
    let bytes = &bytes[(index * PANEL + c * 16) * 2..][..32];
    // SAFETY: the slice has 32 bytes.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

/// 16 bytes of the `index`-th 64.
#[target_feature(enable = "avx512f")]
#[inline]
fn sixteen(bytes: &[u8], index: usize, c: usize) -> __m128i {
    let bytes = &bytes[index * PANEL + c * 16..][..16];
    // SAFETY: the slice has 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
