//! The linear micro-kernels on NEON: 4 rows by 8 columns in registers, with the signed dot products of Armv8.4 where the
//! processor has them.
#![allow(unsafe_code)]

use super::blocks::{BLOCK, Blocks};
use super::linear::{RowsView, Scratch};
use super::packed::{BLOCK_CODES, PANEL, PackedChunk};
use std::arch::aarch64::*;
use std::arch::asm;

/// Vectors of 4 columns in a panel.
const PANEL_VECTORS: usize = PANEL / 4;
/// Vectors of columns and rows of a micro-kernel: 4 x 2 sums of integers and as many of floats.
const VECTORS: usize = 2;
const ROWS: usize = 4;
/// Codes of one step along `k` and 64 columns, in bytes.
const STEP: usize = PANEL * 4;

/// How four neighbouring codes are multiplied with four activations and added up, for 4 columns.
trait Dot {
    /// `sum + w * a` with the four activations of `LANE`. Codes are signed: 0..=63, or -128..=127 of eight bits.
    ///
    /// # Safety
    /// The processor has what the implementation names.
    unsafe fn dot<const LANE: i32>(sum: int32x4_t, w: int8x16_t, a: int8x16_t) -> int32x4_t;
}

/// With NEON alone, which every aarch64 has.
struct Plain;

impl Dot for Plain {
    #[inline(always)]
    unsafe fn dot<const LANE: i32>(sum: int32x4_t, w: int8x16_t, a: int8x16_t) -> int32x4_t {
        // SAFETY: NEON is part of aarch64.
        unsafe {
            let a = vreinterpretq_s8_s32(vdupq_laneq_s32::<LANE>(vreinterpretq_s32_s8(a)));
            // Two products stay within i16: 2 * 128 * 127.
            let low = vmull_s8(vget_low_s8(w), vget_low_s8(a));
            vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(w, a)))
        }
    }
}

/// With the dot product instructions (FEAT_DotProd).
struct DotProduct;

impl Dot for DotProduct {
    #[inline(always)]
    unsafe fn dot<const LANE: i32>(mut sum: int32x4_t, w: int8x16_t, a: int8x16_t) -> int32x4_t {
        // SAFETY: registers alone, and the caller's promise of the feature. (The intrinsic is not stable.)
        unsafe {
            asm!(
                "sdot {sum:v}.4s, {w:v}.16b, {a:v}.4b[{lane}]",
                sum = inout(vreg) sum, w = in(vreg) w, a = in(vreg) a, lane = const LANE,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }
}

/// Adds the products of one chunk to the sums.
pub(super) fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    // SAFETY: NEON is part of aarch64.
    unsafe { multiply_with::<Plain>(blocks, chunk, view, scratch, sums) }
}

/// As [`multiply`], with dot product instructions.
///
/// # Safety
/// The processor has FEAT_DotProd.
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn multiply_dot(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    // SAFETY: this function has the feature.
    unsafe { multiply_with::<DotProduct>(blocks, chunk, view, scratch, sums) }
}

/// # Safety
/// The processor has what `D` needs, and the caller is compiled for it.
#[inline(always)]
unsafe fn multiply_with<D: Dot>(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    assert!(sums.len() >= view.rows * PANEL);
    match blocks.bits {
        4 => unpack_codes::<4>(chunk, scratch),
        5 => unpack_codes::<5>(chunk, scratch),
        6 => unpack_codes::<6>(chunk, scratch),
        _ => sign_codes(chunk, scratch),
    }
    unpack_scales(blocks, chunk, scratch);
    scratch.add_up(blocks, if blocks.bits == 8 { 0 } else { blocks.zero }, view);
    // SAFETY: the caller's promise.
    unsafe {
        match (blocks.sub, blocks.mins) {
            (16, _) => all_rows::<D, 1, false>(view, scratch, sums),
            (_, false) => all_rows::<D, 2, false>(view, scratch, sums),
            (_, true) => all_rows::<D, 2, true>(view, scratch, sums),
        }
    }
}

/// # Safety
/// As [`multiply_with`]; the scratch holds the chunk, `sums` the view's rows.
#[inline(always)]
unsafe fn all_rows<D: Dot, const SIXTEENS: usize, const MINS: bool>(
    view: &RowsView<'_>,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    for row in (0..view.rows).step_by(ROWS) {
        // SAFETY: the rows are within the view.
        unsafe {
            match view.rows - row {
                1 => rows::<D, 1, SIXTEENS, MINS>(view, row, scratch, sums),
                2 => rows::<D, 2, SIXTEENS, MINS>(view, row, scratch, sums),
                3 => rows::<D, 3, SIXTEENS, MINS>(view, row, scratch, sums),
                _ => rows::<D, ROWS, SIXTEENS, MINS>(view, row, scratch, sums),
            }
        }
    }
}

/// Rows `first..first + R`, with a scale for each `SIXTEENS` times 16 values.
///
/// # Safety
/// As [`all_rows`]; the rows are within the view.
#[inline(always)]
unsafe fn rows<D: Dot, const R: usize, const SIXTEENS: usize, const MINS: bool>(
    view: &RowsView<'_>,
    first: usize,
    scratch: &Scratch,
    sums: &mut [f32],
) {
    let (x, sub) = (view.x, SIXTEENS * 16);
    let codes = scratch.codes.0.as_ptr().cast::<i8>();
    // SAFETY: `Activations::reshape` made room for the rows; the scratch holds a whole chunk, `sums` the view's rows.
    unsafe {
        let at = x.place(view.row + first, view.start);
        let q = x.q.as_ptr().add(at);
        let scales = x.scales.as_ptr().add(at / x.group);
        let out = sums.as_mut_ptr().add(first * PANEL);
        let (per_row, parts) = (view.len / sub, x.group / sub);
        let starts = scratch.starts.as_ptr().add(first * per_row);
        let totals = scratch.totals.as_ptr().add(first * per_row);
        for group in 0..view.len / x.group {
            for column in (0..PANEL_VECTORS).step_by(VECTORS) {
                let mut t = [[vdupq_n_f32(0.0); VECTORS]; R];
                for part in group * parts..(group + 1) * parts {
                    let mut dot = [[vdupq_n_s32(0); VECTORS]; R];
                    if !MINS {
                        for (r, dot) in dot.iter_mut().enumerate() {
                            *dot = [vdupq_n_s32(*starts.add(r * per_row + part)); VECTORS];
                        }
                    }
                    for sixteen in part * SIXTEENS..(part + 1) * SIXTEENS {
                        let mut a = [vdupq_n_s8(0); R];
                        for (r, a) in a.iter_mut().enumerate() {
                            *a = vld1q_s8(q.add(r * view.len + sixteen * 16));
                        }
                        let from = codes.add(sixteen * 4 * STEP + column * 16);
                        step::<D, R, 0>(&mut dot, from, &a);
                        step::<D, R, 1>(&mut dot, from, &a);
                        step::<D, R, 2>(&mut dot, from, &a);
                        step::<D, R, 3>(&mut dot, from, &a);
                    }
                    for c in 0..VECTORS {
                        let at = part * PANEL + (column + c) * 4;
                        let scale = vld1q_f32(scratch.scales.as_ptr().add(at));
                        for r in 0..R {
                            t[r][c] = vfmaq_f32(t[r][c], vcvtq_f32_s32(dot[r][c]), scale);
                        }
                        if MINS {
                            let min = vld1q_f32(scratch.mins.as_ptr().add(at));
                            for (r, t) in t.iter_mut().enumerate() {
                                t[c] = vfmaq_n_f32(t[c], min, *totals.add(r * per_row + part));
                            }
                        }
                    }
                }
                for (r, t) in t.iter().enumerate() {
                    let scale = *scales.add(r * view.len / x.group + group);
                    for (c, t) in t.iter().enumerate() {
                        let out = out.add(r * PANEL + (column + c) * 4);
                        vst1q_f32(out, vfmaq_n_f32(vld1q_f32(out), *t, scale));
                    }
                }
            }
        }
    }
}

/// Four values along `k`, those of `LANE` in `a`, of all rows with the codes of some columns.
///
/// # Safety
/// As [`rows`]; `from` are the codes of lane 0.
#[inline(always)]
unsafe fn step<D: Dot, const R: usize, const LANE: i32>(
    dot: &mut [[int32x4_t; VECTORS]; R],
    from: *const i8,
    a: &[int8x16_t; R],
) {
    for c in 0..VECTORS {
        // SAFETY: the caller's promise.
        unsafe {
            let w = vld1q_s8(from.add(LANE as usize * STEP + c * 16));
            for (dot, a) in dot.iter_mut().zip(a) {
                dot[c] = D::dot::<LANE>(dot[c], w, *a);
            }
        }
    }
}

/// Packed codes of 4 to 6 bits to bytes in the scratch.
#[inline(always)]
fn unpack_codes<const BITS: usize>(chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    const HALF: usize = BLOCK_CODES / 2;
    let size = chunk.codes.len() / chunk.blocks;
    let blocks = chunk.codes.chunks_exact(size).zip(scratch.codes.0.chunks_exact_mut(BLOCK_CODES));
    for (from, to) in blocks {
        let (nibbles, planes) = from.split_at(HALF);
        let (low_to, high_to) = to.split_at_mut(HALF);
        for at in (0..HALF).step_by(16) {
            // SAFETY: NEON is part of aarch64; whole vectors of both halves.
            unsafe {
                let low_bits = vdupq_n_u8(15);
                let both = vld1q_u8(nibbles[at..at + 16].as_ptr());
                let (mut low, mut high) = (vandq_u8(both, low_bits), vshrq_n_u8::<4>(both));
                for plane in 0..BITS - 4 {
                    let masks = &planes[plane * (BLOCK_CODES / 8) + at / 8..];
                    let bit = vdupq_n_u8(16 << plane);
                    low = vorrq_u8(low, vandq_u8(spread([masks[0], masks[1]]), bit));
                    let masks = &masks[HALF / 8..];
                    high = vorrq_u8(high, vandq_u8(spread([masks[0], masks[1]]), bit));
                }
                vst1q_u8(low_to[at..at + 16].as_mut_ptr(), low);
                vst1q_u8(high_to[at..at + 16].as_mut_ptr(), high);
            }
        }
    }
}

/// Each of 16 bits to a byte of ones or zeros.
#[inline(always)]
fn spread(masks: [u8; 2]) -> uint8x16_t {
    // SAFETY: NEON is part of aarch64.
    unsafe {
        let bits = vcreate_u8(0x8040_2010_0804_0201);
        let masks = vcombine_u8(vdup_n_u8(masks[0]), vdup_n_u8(masks[1]));
        vtstq_u8(masks, vcombine_u8(bits, bits))
    }
}

/// Codes of eight bits, less 128.
#[inline(always)]
fn sign_codes(chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    for (code, to) in chunk.codes.iter().zip(&mut scratch.codes.0) {
        *to = code ^ 128;
    }
}

/// Scales and minima to f32 in the scratch.
#[inline(always)]
fn unpack_scales(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    for (at, to) in
        scratch.scales.chunks_exact_mut(4).enumerate().take(chunk.blocks * BLOCK / blocks.sub * 16)
    {
        let scale = if blocks.nested {
            let scale = std::array::from_fn(|i| f32::from(chunk.scale[at * 4 + i] as i8));
            times(halves(chunk.outer, at * 4 % PANEL), scale)
        } else {
            halves(chunk.outer, at * 4)
        };
        to.copy_from_slice(&scale);
    }
    if !blocks.mins {
        return;
    }
    for (at, to) in scratch.mins.chunks_exact_mut(4).enumerate().take(chunk.blocks * 16) {
        let min = if blocks.nested {
            let min = std::array::from_fn(|i| f32::from(chunk.min[at * 4 + i]));
            times(halves(chunk.outer_min, at * 4 % PANEL), min)
        } else {
            halves(chunk.outer_min, at * 4)
        };
        to.copy_from_slice(&min);
    }
}

#[inline(always)]
fn times(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    std::array::from_fn(|i| a[i] * b[i])
}

/// Four f16 from the `at`-th on.
#[inline(always)]
fn halves(bytes: &[u8], at: usize) -> [f32; 4] {
    let bytes = &bytes[at * 2..at * 2 + 8];
    let mut out = [0.0; 4];
    // SAFETY: eight bytes are read and four floats written; the conversion is part of NEON. (The intrinsic is not stable.)
    unsafe {
        let mut wide: float32x4_t;
        asm!(
            "fcvtl {wide:v}.4s, {halves:v}.4h",
            wide = out(vreg) wide, halves = in(vreg) vld1_u8(bytes.as_ptr()),
            options(pure, nomem, nostack, preserves_flags),
        );
        vst1q_f32(out.as_mut_ptr(), wide);
    }
    out
}
