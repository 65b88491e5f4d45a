//! A weight matrix repacked for integer dot products.
//!
//! The matrix is cut into panels of 64 output columns. In a panel, 4 consecutive values along `k` of one column lie
//! together (what `vpdpbusd` multiplies at once), 16 columns make a 64-byte vector, and the 4 vectors of a step follow
//! each other. Codes keep their bits: 4-bit ones as nibbles, a fifth and sixth bit as planes of masks beside them.
//!
//! Along `k` a panel is a sequence of records of up to [`RECORD`] values, each with its codes, then its scales and minima:
//! a matrix is read strictly forwards, so that a kernel can ask for what comes next while it computes.

use super::blocks::{BLOCK, Block, Blocks};
use super::low_rank::LowRank;
use super::pool::Pool;
use crate::repacked::Mapped;
use half::f16;
use std::sync::Mutex;

/// Output columns of a panel.
pub const PANEL: usize = 64;
/// Values along `k` that are stored together: a super-block of the K formats.
pub const RECORD: usize = 256;
/// Values along `k` that are unpacked at a time: half a record, so that the codes of a panel leave room in the first
/// cache for activations and sums.
pub const CHUNK: usize = 128;
/// Bytes of the unpacked codes of one block of 32 in a panel.
pub const BLOCK_CODES: usize = BLOCK * PANEL;

/// A `[n, k]` weight matrix (`n` output features) in panel layout, with its optional bias of length `n`.
pub struct Packed {
    /// Output features.
    pub n: usize,
    /// Input features, a multiple of 32.
    pub k: usize,
    /// The quantization.
    pub blocks: Blocks,
    /// Added to each output row.
    pub bias: Option<Vec<f32>>,
    /// Added where the input was [projected](super::low_rank::project).
    pub low_rank: Option<LowRank>,
    /// Bytes of a panel.
    panel: usize,
    data: Data,
}

/// The name of this layout; a change of what the bytes mean changes it.
pub const LAYOUT: &str = "panels of 64, records of 256";

enum Data {
    Own(Vec<Line>),
    Mapped(Mapped),
}

/// Where the parts of one record lie, in bytes from its start.
#[derive(Clone, Copy, Debug)]
struct Layout {
    outer: usize,
    outer_min: usize,
    scale: usize,
    min: usize,
    size: usize,
}

impl Layout {
    /// The layout of a record of `len` values.
    fn new(blocks: &Blocks, len: usize) -> Layout {
        let outers = if blocks.nested { 1 } else { len / BLOCK };
        let outer = block_codes(blocks) * (len / BLOCK);
        let outer_min = outer + outers * PANEL * 2;
        let scale = outer_min + if blocks.mins { outers * PANEL * 2 } else { 0 };
        let min = scale + if blocks.nested { len / blocks.sub * PANEL } else { 0 };
        let size = min + if blocks.nested && blocks.mins { len / BLOCK * PANEL } else { 0 };
        Layout { outer, outer_min, scale, min, size }
    }
}

/// Bytes of codes for one block of 32 in a panel.
fn block_codes(blocks: &Blocks) -> usize {
    match blocks.bits {
        8 => BLOCK_CODES,
        bits => BLOCK_CODES / 2 + (bits - 4) * BLOCK_CODES / 8,
    }
}

/// Bytes of a panel of `k` values.
fn panel_bytes(blocks: &Blocks, k: usize) -> usize {
    let last = k % RECORD;
    let last = if last == 0 { 0 } else { Layout::new(blocks, last).size };
    k / RECORD * Layout::new(blocks, RECORD).size + last
}

/// One panel's packed bytes for up to [`CHUNK`] values along `k`.
#[derive(Clone, Copy)]
pub struct PackedChunk<'a> {
    /// Packed codes, block after block.
    pub codes: &'a [u8],
    /// Outer scales, f16: one vector of 64 for the chunk if nested, else one per block.
    pub outer: &'a [u8],
    /// Outer minima, as `outer`; empty without minima.
    pub outer_min: &'a [u8],
    /// Integer scales, 64 per `sub`; empty if not nested.
    pub scale: &'a [u8],
    /// Integer minima, 64 per block; empty if not nested or without minima.
    pub min: &'a [u8],
    /// Blocks of 32 in the chunk.
    pub blocks: usize,
    /// What is read after the next chunks, as many bytes as this one has: worth asking for now.
    pub ahead: &'a [u8],
}

impl Packed {
    /// Repacks a row-major GGUF matrix of `n` rows and `k` columns. `None` if the format or shape is not one we run.
    pub fn from_gguf(raw: &[u8], blocks: Blocks, n: usize, k: usize, pool: &Pool) -> Option<Packed> {
        let size = Self::panel_size(&blocks, k)?;
        let row_bytes = blocks.row_bytes(k);
        if raw.len() != n * row_bytes {
            return None;
        }
        let panels = n.div_ceil(PANEL);
        let mut data = vec![Line::default(); panels * size / LINE];
        {
            let parts: Vec<Mutex<&mut [Line]>> = data.chunks_exact_mut(size / LINE).map(Mutex::new).collect();
            pool.for_each(panels, &|panel, _| {
                let Ok(mut out) = parts[panel].lock() else { return };
                let first = panel * PANEL;
                let rows = &raw[first * row_bytes..(first + PANEL).min(n) * row_bytes];
                pack_panel(bytes_mut(&mut out), rows, row_bytes, &blocks, k);
            });
        }
        Some(Packed { n, k, blocks, bias: None, low_rank: None, panel: size, data: Data::Own(data) })
    }

    /// A matrix that was repacked before: `find` is asked for as many bytes as it must have.
    pub fn from_kept(
        find: impl Fn(usize) -> Option<Mapped>,
        blocks: Blocks,
        n: usize,
        k: usize,
    ) -> Option<Packed> {
        let panel = Self::panel_size(&blocks, k)?;
        let mapped = find(n.div_ceil(PANEL) * panel)?;
        Some(Packed { n, k, blocks, bias: None, low_rank: None, panel, data: Data::Mapped(mapped) })
    }

    fn panel_size(blocks: &Blocks, k: usize) -> Option<usize> {
        let runs = k > 0 && k.is_multiple_of(BLOCK) && k.is_multiple_of(blocks.dtype.block_size());
        runs.then(|| panel_bytes(blocks, k))
    }

    /// The repacked bytes.
    pub fn data(&self) -> &[u8] {
        match &self.data {
            Data::Own(lines) => bytes(lines),
            Data::Mapped(mapped) => mapped.bytes(),
        }
    }

    /// Whether the bytes are a file's.
    pub fn is_mapped(&self) -> bool {
        matches!(self.data, Data::Mapped(_))
    }

    /// Panels of 64 columns; the last may be partly empty.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Bytes of the packed weights, which is also what one token reads.
    pub fn bytes(&self) -> usize {
        self.panels() * self.panel
    }

    /// The part of a panel that starts at value `start` (a multiple of [`CHUNK`]) along `k`.
    pub fn chunk(&self, panel: usize, start: usize) -> PackedChunk<'_> {
        let (data, b) = (self.data(), &self.blocks);
        let record = start / RECORD;
        let at = panel * self.panel + record * Layout::new(b, RECORD).size;
        let l = Layout::new(b, RECORD.min(self.k - record * RECORD));
        let all = &data[at..at + l.size];
        let (inside, len) = (start % RECORD, CHUNK.min(self.k - start));
        let take = |from: usize, (skip, count): (usize, usize)| &all[from + skip..from + skip + count];
        let each = |values: usize, bytes: usize| (inside / values * bytes, len / values * bytes);
        let only_if = |there: bool, part: (usize, usize)| if there { part } else { (0, 0) };
        let outer = if b.nested { (0, PANEL * 2) } else { each(BLOCK, PANEL * 2) };
        let ahead = (at + l.size + inside * l.size / RECORD).min(data.len());
        PackedChunk {
            codes: take(0, each(BLOCK, block_codes(b))),
            outer: take(l.outer, outer),
            outer_min: take(l.outer_min, only_if(b.mins, outer)),
            scale: take(l.scale, only_if(b.nested, each(b.sub, PANEL))),
            min: take(l.min, only_if(b.nested && b.mins, each(BLOCK, PANEL))),
            blocks: len / BLOCK,
            ahead: &data[ahead..(ahead + l.size * len / RECORD).min(data.len())],
        }
    }
}

/// A cache line, the unit of storage: vectors of codes never straddle two.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([u64; LINE / 8]);

const LINE: usize = 64;

#[allow(unsafe_code)]
fn bytes(lines: &[Line]) -> &[u8] {
    // SAFETY: a `Line` is 64 initialised bytes without padding, and u8 has no alignment.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE) }
}

#[allow(unsafe_code)]
fn bytes_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: as in `bytes`; every byte pattern is a valid `Line`, and the borrow is unique.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE) }
}

fn pack_panel(out: &mut [u8], rows: &[u8], row_bytes: usize, blocks: &Blocks, k: usize) {
    let whole = Layout::new(blocks, RECORD).size;
    for (start, out) in (0..k).step_by(RECORD).zip(out.chunks_mut(whole)) {
        let len = RECORD.min(k - start);
        let l = Layout::new(blocks, len);
        // Columns past `n` keep zero scales, so that they give 0 and never NaN.
        let mut codes = [0u8; BLOCK_CODES];
        for index in 0..len / BLOCK {
            codes.fill(0);
            for (column, row) in rows.chunks_exact(row_bytes).enumerate() {
                let block = blocks.read(row, start / BLOCK + index);
                for (step, four) in block.codes.chunks_exact(4).enumerate() {
                    let at = step * PANEL * 4 + column * 4;
                    codes[at..at + 4].copy_from_slice(four);
                }
                put_scales(out, &block, blocks, &l, index, column);
            }
            let size = block_codes(blocks);
            pack_codes(&codes, &mut out[index * size..(index + 1) * size], blocks.bits);
        }
    }
}

fn put_scales(out: &mut [u8], block: &Block, blocks: &Blocks, l: &Layout, index: usize, column: usize) {
    let at = (if blocks.nested { 0 } else { index } * PANEL + column) * 2;
    out[l.outer + at..l.outer + at + 2].copy_from_slice(&f16::from_f32(block.d).to_le_bytes());
    if blocks.mins {
        out[l.outer_min + at..l.outer_min + at + 2].copy_from_slice(&f16::from_f32(block.dmin).to_le_bytes());
    }
    if blocks.nested {
        for half in 0..BLOCK / blocks.sub {
            out[l.scale + (index * (BLOCK / blocks.sub) + half) * PANEL + column] = block.scale[half] as u8;
        }
        if blocks.mins {
            out[l.min + index * PANEL + column] = block.min;
        }
    }
}

/// Codes of one block, `[8 steps][64 columns][4]`, to their packed form.
fn pack_codes(codes: &[u8; BLOCK_CODES], out: &mut [u8], bits: usize) {
    if bits == 8 {
        out.copy_from_slice(codes);
        return;
    }
    let (low, high) = codes.split_at(BLOCK_CODES / 2);
    let (nibbles, planes) = out.split_at_mut(BLOCK_CODES / 2);
    for ((byte, low), high) in nibbles.iter_mut().zip(low).zip(high) {
        *byte = low & 15 | high << 4;
    }
    for (plane, masks) in planes.chunks_exact_mut(BLOCK_CODES / 8).enumerate() {
        for (mask, eight) in masks.iter_mut().zip(codes.chunks_exact(8)) {
            *mask =
                eight.iter().enumerate().fold(0, |mask, (bit, code)| mask | (code >> (4 + plane) & 1) << bit);
        }
    }
}
