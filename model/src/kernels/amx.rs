//! The linear micro-kernel on AMX int8 tiles, for chunks of many rows.
//!
//! A tile multiplies 16 rows by 16 columns over one scale block of `k`; its exact integers are scaled and summed by
//! AVX-512 in the same order as everywhere else. Stable Rust has no AMX intrinsics, hence the assembly.
#![allow(unsafe_code)]
// Registers are arrays walked by index: `array::from_fn` would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::avx512::{unpack_codes, unpack_scales};
use super::blocks::Blocks;
use super::linear::{RowsView, Scratch};
use super::packed::{PANEL, PackedChunk};
use std::arch::asm;
use std::arch::x86_64::*;

/// From this many rows on, tiles beat the vector kernel.
pub(super) const MIN_ROWS: usize = 8;

const TILE: usize = 16;
/// Bytes of the integers of one tile.
const TILE_BYTES: usize = TILE * 64;
/// Scale blocks of one activation group at most: 128 values in blocks of 16.
const MOST_PARTS: usize = 8;
/// Bytes of the integers of 2 x 2 tiles for each scale block of a group.
pub(super) const DOTS: usize = MOST_PARTS * 4 * TILE_BYTES;

/// Whether the processor has AMX int8 and the system lets this process use it.
pub(super) fn permitted() -> bool {
    #[cfg(target_os = "linux")]
    {
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        let features = __cpuid_count(7, 0).edx;
        let (tile, int8) = (features >> 24 & 1, features >> 25 & 1);
        if tile == 0 || int8 == 0 {
            return false;
        }
        // SAFETY: a system call without pointers; it grants the tile registers to this process or fails.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// `LDTILECFG`'s operand (Intel SDM, palette 1).
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Adds the products of one chunk to the sums.
///
/// # Safety
/// [`permitted`] said yes, and the processor has AVX-512 F, BW, VL and DQ.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(super) unsafe fn multiply(
    blocks: &Blocks,
    chunk: &PackedChunk<'_>,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
) {
    let mut config =
        Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    for tile in 0..8 {
        (config.row_bytes[tile], config.rows[tile]) = match tile {
            0..4 => (64, TILE as u8),
            4..6 => (blocks.sub as u16, TILE as u8),
            _ => (64, (blocks.sub / 4) as u8),
        };
    }
    // SAFETY: the features are there; the rows read are within the padding that `Activations` has, the rows written
    // within the scratch, whose row count is a multiple of a tile.
    unsafe {
        unpack_scales(blocks, chunk, scratch);
        unpack_codes(blocks, chunk, blocks.zero as u8 as i8, scratch);
        asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, preserves_flags));
        match (blocks.mins, view.x.group / blocks.sub) {
            (false, 8) => all_tiles::<false, 8>(blocks.sub, view, scratch),
            (false, 4) => all_tiles::<false, 4>(blocks.sub, view, scratch),
            (false, 2) => all_tiles::<false, 2>(blocks.sub, view, scratch),
            (false, _) => all_tiles::<false, 1>(blocks.sub, view, scratch),
            (true, 4) => all_tiles::<true, 4>(blocks.sub, view, scratch),
            (true, 2) => all_tiles::<true, 2>(blocks.sub, view, scratch),
            (true, _) => all_tiles::<true, 1>(blocks.sub, view, scratch),
        }
        asm!("tilerelease", options(nomem, nostack, preserves_flags));
    }
}

/// # Safety
/// As [`multiply`], with the tiles configured for scale blocks of `sub` values, `PARTS` to a group.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
unsafe fn all_tiles<const MINS: bool, const PARTS: usize>(
    sub: usize,
    view: &RowsView<'_>,
    scratch: &mut Scratch,
) {
    let mut row = 0;
    while row < view.rows {
        let tall = view.rows - row > TILE;
        for column in (0..PANEL).step_by(2 * TILE) {
            // SAFETY: rows are padded to whole tiles.
            unsafe {
                if tall {
                    tiles::<2, MINS, PARTS>(sub, view, row, column, scratch);
                } else {
                    tiles::<1, MINS, PARTS>(sub, view, row, column, scratch);
                }
            }
        }
        row += if tall { 2 * TILE } else { TILE };
    }
}

/// `R` tiles of rows by two of columns.
///
/// # Safety
/// As [`all_tiles`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
unsafe fn tiles<const R: usize, const MINS: bool, const PARTS: usize>(
    sub: usize,
    view: &RowsView<'_>,
    row: usize,
    column: usize,
    scratch: &mut Scratch,
) {
    let x = view.x;
    let dots = scratch.dots.0.as_mut_ptr();
    // SAFETY: see `multiply`; the scratch holds `MOST_PARTS` blocks of 2 x 2 tiles.
    unsafe {
        let q = x.q.as_ptr().add((view.row + row) * x.k + view.start);
        for group in 0..view.len / x.group {
            for part in 0..PARTS {
                let k = group * x.group + part * sub;
                let b = scratch.codes.0.as_ptr().add(k * PANEL + column * 4);
                dot_tiles::<R>(q.add(k), x.k, b, dots.add(part * 4 * TILE_BYTES));
            }
            for tile_row in 0..R {
                for tile_column in 0..2 {
                    let tile = dots.add((tile_row * 2 + tile_column) * TILE_BYTES);
                    let (row, column) = (row + tile_row * TILE, column + tile_column * TILE);
                    scale_tile::<MINS, PARTS>(view, tile, row, column, group, scratch);
                }
            }
        }
    }
}

/// Integer products of `R` x 2 tiles over one scale block, stored at `out`.
///
/// # Safety
/// Tiles configured; `a` readable for `R * 16` rows of stride `stride`, `b` for the block's steps of 256 bytes.
#[inline(always)]
unsafe fn dot_tiles<const R: usize>(a: *const i8, stride: usize, b: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise. The compiler itself never uses tile registers.
    unsafe {
        if R == 2 {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "tileloadd tmm6, [{b} + {bs}*1]", "tileloadd tmm7, [{b} + {bs}*1 + 64]",
                "tileloadd tmm4, [{a} + {s}*1]",
                "tdpbssd tmm0, tmm4, tmm6", "tdpbssd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a2} + {s}*1]",
                "tdpbssd tmm2, tmm5, tmm6", "tdpbssd tmm3, tmm5, tmm7",
                "tilestored [{o} + {os}*1], tmm0", "tilestored [{o} + {os}*1 + 1024], tmm1",
                "tilestored [{o} + {os}*1 + 2048], tmm2", "tilestored [{o} + {os}*1 + 3072], tmm3",
                a = in(reg) a, a2 = in(reg) a.add(TILE * stride), s = in(reg) stride,
                b = in(reg) b, bs = in(reg) PANEL * 4, o = in(reg) out, os = in(reg) 64usize,
                options(nostack, preserves_flags)
            );
        } else {
            asm!(
                "tilezero tmm0", "tilezero tmm1",
                "tileloadd tmm6, [{b} + {bs}*1]", "tileloadd tmm7, [{b} + {bs}*1 + 64]",
                "tileloadd tmm4, [{a} + {s}*1]",
                "tdpbssd tmm0, tmm4, tmm6", "tdpbssd tmm1, tmm4, tmm7",
                "tilestored [{o} + {os}*1], tmm0", "tilestored [{o} + {os}*1 + 1024], tmm1",
                a = in(reg) a, s = in(reg) stride,
                b = in(reg) b, bs = in(reg) PANEL * 4, o = in(reg) out, os = in(reg) 64usize,
                options(nostack, preserves_flags)
            );
        }
    }
}

/// Scales the integers of one tile over the scale blocks of a group and adds them to the sums.
///
/// # Safety
/// As [`tiles`]; `tile` is the tile's place within the first scale block's 2 x 2 tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
unsafe fn scale_tile<const MINS: bool, const PARTS: usize>(
    view: &RowsView<'_>,
    tile: *const u8,
    first: usize,
    column: usize,
    group: usize,
    scratch: &mut Scratch,
) {
    let x = view.x;
    // SAFETY: rows are padded to whole tiles in the activations and in the scratch.
    unsafe {
        let mut scales = [_mm512_setzero_ps(); PARTS];
        let mut mins = [_mm512_setzero_ps(); PARTS];
        for i in 0..PARTS {
            let at = (group * PARTS + i) * PANEL + column;
            scales[i] = _mm512_loadu_ps(scratch.scales.as_ptr().add(at));
            if MINS {
                mins[i] = _mm512_loadu_ps(scratch.mins.as_ptr().add(at));
            }
        }
        for r in 0..TILE {
            let base = (view.row + first + r) * x.k + view.start;
            let mut t = _mm512_setzero_ps();
            for i in 0..PARTS {
                let dot = _mm512_load_si512(tile.add(i * 4 * TILE_BYTES + r * 64).cast());
                t = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales[i], t);
                if MINS {
                    let at = x.sums.as_ptr().add(base / 16 + (group * PARTS + i) * 2);
                    t = _mm512_fmadd_ps(_mm512_set1_ps((*at + *at.add(1)) as f32), mins[i], t);
                }
            }
            let scale = *x.scales.as_ptr().add(base / x.group + group);
            let out = scratch.sums.as_mut_ptr().add((first + r) * PANEL + column);
            _mm512_storeu_ps(out, _mm512_fmadd_ps(t, _mm512_set1_ps(scale), _mm512_loadu_ps(out)));
        }
    }
}
