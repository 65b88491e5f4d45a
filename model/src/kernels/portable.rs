//! The linear micro-kernel in plain Rust: the definition that the others are tested against.

use super::blocks::{BLOCK, Blocks};
use super::linear::{RowsView, Scratch};
use super::packed::{BLOCK_CODES, CHUNK, PANEL, PackedChunk};
use half::f16;

/// Adds the products of one chunk to the sums.
pub(super) fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    unpack_codes(blocks, chunk, &mut scratch.codes.0);
    unpack_scales(blocks, chunk, scratch);
    let x = view.x;
    let (sub, steps) = (blocks.sub, blocks.sub / 4);
    for r in 0..view.rows {
        let at = x.place(view.row + r, view.start);
        let q = &x.q[at..][..view.len];
        let group_scales = &x.scales[at / x.group..][..view.len / x.group];
        let sums16 = &x.sums[at / 16..][..view.len / 16];
        let out = &mut sums[r * PANEL..(r + 1) * PANEL];
        for (group, group_scale) in group_scales.iter().enumerate() {
            let mut t = [0f32; PANEL];
            for part in group * x.group / sub..(group + 1) * x.group / sub {
                let sum: i32 = sums16[part * sub / 16..(part + 1) * sub / 16].iter().sum();
                let mut dot = [-blocks.zero * sum; PANEL];
                for step in part * steps..(part + 1) * steps {
                    let codes = &scratch.codes.0[step * PANEL * 4..(step + 1) * PANEL * 4];
                    for (dot, codes) in dot.iter_mut().zip(codes.chunks_exact(4)) {
                        for j in 0..4 {
                            *dot += i32::from(codes[j]) * i32::from(q[step * 4 + j]);
                        }
                    }
                }
                let scales = &scratch.scales[part * PANEL..(part + 1) * PANEL];
                for c in 0..PANEL {
                    t[c] = (dot[c] as f32).mul_add(scales[c], t[c]);
                }
                if blocks.mins {
                    let mins = &scratch.mins[part * PANEL..(part + 1) * PANEL];
                    for c in 0..PANEL {
                        t[c] = (sum as f32).mul_add(mins[c], t[c]);
                    }
                }
            }
            for c in 0..PANEL {
                out[c] = t[c].mul_add(*group_scale, out[c]);
            }
        }
    }
}

/// Packed codes to `[k / 4][64][4]` unsigned bytes.
#[inline(always)]
pub(super) fn unpack_codes(blocks: &Blocks, chunk: &PackedChunk<'_>, out: &mut [u8; CHUNK * PANEL]) {
    let size = chunk.codes.len() / chunk.blocks;
    for (packed, out) in chunk.codes.chunks_exact(size).zip(out.chunks_exact_mut(BLOCK_CODES)) {
        if blocks.bits == 8 {
            out.copy_from_slice(packed);
            continue;
        }
        let (nibbles, planes) = packed.split_at(BLOCK_CODES / 2);
        let (low, high) = out.split_at_mut(BLOCK_CODES / 2);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(nibbles) {
            *low = byte & 15;
            *high = byte >> 4;
        }
        for (plane, masks) in planes.chunks_exact(BLOCK_CODES / 8).enumerate() {
            for (eight, mask) in out.chunks_exact_mut(8).zip(masks) {
                for (bit, code) in eight.iter_mut().enumerate() {
                    *code |= (mask >> bit & 1) << (4 + plane);
                }
            }
        }
    }
}

/// Scales and minima to f32, `[k / sub][64]` and `[k / 32][64]`.
#[inline(always)]
pub(super) fn unpack_scales(blocks: &Blocks, chunk: &PackedChunk<'_>, scratch: &mut Scratch) {
    let half = |bytes: &[u8], i: usize| f16::from_le_bytes([bytes[i * 2], bytes[i * 2 + 1]]).to_f32();
    for i in 0..chunk.blocks * BLOCK / blocks.sub * PANEL {
        scratch.scales[i] = if blocks.nested {
            half(chunk.outer, i % PANEL) * f32::from(chunk.scale[i] as i8)
        } else {
            half(chunk.outer, i)
        };
    }
    if blocks.mins {
        for i in 0..chunk.blocks * PANEL {
            scratch.mins[i] = if blocks.nested {
                half(chunk.outer_min, i % PANEL) * f32::from(chunk.min[i])
            } else {
                half(chunk.outer_min, i)
            };
        }
    }
}
