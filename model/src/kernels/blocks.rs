//! The GGUF block formats, taken apart into codes, scales and minima (ggml's `ggml-common.h`, `ggml-quants.c`).
//!
//! Every format becomes `w = scale * (code - zero) + min` with one scale (and min) per [`Blocks::sub`] values.

use candle_core::quantized::GgmlDType;
use half::f16;

/// Values in one unit of unpacking, whatever the format.
pub const BLOCK: usize = 32;

/// How one matrix is quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The format in the file.
    pub dtype: GgmlDType,
    /// Bits of a code: 4, 5, 6 or 8.
    pub bits: usize,
    /// What is taken off each code; 0 where there are minima.
    pub zero: i32,
    /// Values that share a scale: 32, or 16 for q6_K.
    pub sub: usize,
    /// Whether a minimum is added.
    pub mins: bool,
    /// Whether scales are products of an f16 per 256 values and an integer per `sub` (the K formats).
    pub nested: bool,
}

/// One block of 32 values: codes, and up to two scales.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    /// Unsigned codes.
    pub codes: [u8; BLOCK],
    /// The outer scale, exact in f16.
    pub d: f32,
    /// The outer minimum, exact in f16 (negative for the K formats).
    pub dmin: f32,
    /// Integer scales of the nested formats, one for each half; otherwise 1.
    pub scale: [i8; 2],
    /// The integer minimum of the nested formats; otherwise 1.
    pub min: u8,
}

impl Blocks {
    /// The description of a GGUF type, or `None` for one that is not run.
    pub fn of(dtype: GgmlDType) -> Option<Blocks> {
        let (bits, zero, sub, mins, nested) = match dtype {
            GgmlDType::Q4_0 => (4, 8, 32, false, false),
            GgmlDType::Q4_1 => (4, 0, 32, true, false),
            GgmlDType::Q5_0 => (5, 16, 32, false, false),
            GgmlDType::Q5_1 => (5, 0, 32, true, false),
            GgmlDType::Q8_0 | GgmlDType::F16 | GgmlDType::F32 | GgmlDType::BF16 => (8, 128, 32, false, false),
            GgmlDType::Q4K => (4, 0, 32, true, true),
            GgmlDType::Q5K => (5, 0, 32, true, true),
            GgmlDType::Q6K => (6, 32, 16, false, true),
            _ => return None,
        };
        Some(Blocks { dtype, bits, zero, sub, mins, nested })
    }

    /// Bytes of one row of `k` values in the file.
    pub fn row_bytes(&self, k: usize) -> usize {
        k / self.dtype.block_size() * self.dtype.type_size()
    }

    /// The `index`-th block of 32 of a row as it stands in the file. Float weights are rounded to eight bits.
    pub fn read(&self, row: &[u8], index: usize) -> Block {
        let size = self.dtype.type_size();
        let per = self.dtype.block_size();
        match self.dtype {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                let bytes = &row[index * BLOCK * size..(index + 1) * BLOCK * size];
                let values = std::array::from_fn(|i| float_at(self.dtype, &bytes[i * size..]));
                round_to_eight_bits(&values)
            }
            _ if per == BLOCK => read_32(self.dtype, &row[index * size..(index + 1) * size]),
            _ => {
                let block = &row[index / 8 * size..(index / 8 + 1) * size];
                read_256(self.dtype, block, index % 8)
            }
        }
    }

    /// A whole row as f32; `out` has the row's length.
    pub fn dequantize_row(&self, row: &[u8], out: &mut [f32]) {
        let size = self.dtype.type_size();
        if matches!(self.dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16) {
            for (i, value) in out.iter_mut().enumerate() {
                *value = float_at(self.dtype, &row[i * size..]);
            }
            return;
        }
        for (index, values) in out.chunks_exact_mut(BLOCK).enumerate() {
            let block = self.read(row, index);
            for (i, value) in values.iter_mut().enumerate() {
                let scale = block.d * f32::from(block.scale[i / 16]);
                let min = if self.mins { block.dmin * f32::from(block.min) } else { 0.0 };
                *value = scale * (f32::from(block.codes[i]) - self.zero as f32) + min;
            }
        }
    }
}

fn f16_at(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

fn float_at(dtype: GgmlDType, bytes: &[u8]) -> f32 {
    match dtype {
        GgmlDType::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        GgmlDType::BF16 => half::bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        _ => f16_at(bytes),
    }
}

fn round_to_eight_bits(values: &[f32; BLOCK]) -> Block {
    let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let d = f16::from_f32(largest / 127.0).to_f32();
    let inverse = if d > 0.0 { 1.0 / d } else { 0.0 };
    let codes = values.map(|value| ((value * inverse).round_ties_even().clamp(-127.0, 127.0) + 128.0) as u8);
    Block { codes, d, scale: [1; 2], ..Block::default() }
}

fn read_32(dtype: GgmlDType, bytes: &[u8]) -> Block {
    let mut block = Block { d: f16_at(bytes), scale: [1; 2], min: 1, ..Block::default() };
    let mut rest = &bytes[2..];
    if matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_1) {
        block.dmin = f16_at(rest);
        rest = &rest[2..];
    }
    if dtype == GgmlDType::Q8_0 {
        for (code, byte) in block.codes.iter_mut().zip(rest) {
            *code = byte ^ 0x80;
        }
        return block;
    }
    let mut high = 0;
    if matches!(dtype, GgmlDType::Q5_0 | GgmlDType::Q5_1) {
        high = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        rest = &rest[4..];
    }
    for (i, &byte) in rest[..16].iter().enumerate() {
        block.codes[i] = (byte & 15) | (((high >> i & 1) as u8) << 4);
        block.codes[i + 16] = (byte >> 4) | (((high >> (i + 16) & 1) as u8) << 4);
    }
    block
}

/// The `part`-th 32 values (of 8) of a super-block of 256.
fn read_256(dtype: GgmlDType, bytes: &[u8], part: usize) -> Block {
    let mut block = Block::default();
    if dtype == GgmlDType::Q6K {
        let (low, rest) = bytes.split_at(128);
        let (high, rest) = rest.split_at(64);
        let (scales, d) = rest.split_at(16);
        let (half, quarter) = (part / 4, part % 4);
        for i in 0..BLOCK {
            let nibble = low[half * 64 + quarter % 2 * 32 + i] >> (quarter / 2 * 4) & 15;
            block.codes[i] = nibble | (high[half * 32 + i] >> (quarter * 2) & 3) << 4;
        }
        block.d = f16_at(d);
        block.scale = [scales[part * 2] as i8, scales[part * 2 + 1] as i8];
        return block;
    }
    block.d = f16_at(bytes);
    block.dmin = -f16_at(&bytes[2..]);
    let packed = &bytes[4..16];
    let (scale, min) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (packed[part + 4] & 15 | packed[part - 4] >> 6 << 4, packed[part + 4] >> 4 | packed[part] >> 6 << 4)
    };
    block.scale = [scale as i8; 2];
    block.min = min;
    let (high, low) =
        if dtype == GgmlDType::Q5K { bytes[16..].split_at(32) } else { (&[][..], &bytes[16..]) };
    for i in 0..BLOCK {
        block.codes[i] = low[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
        if let Some(byte) = high.get(i) {
            block.codes[i] |= (byte >> part & 1) << 4;
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    /// candle's own dequantization is the reference.
    #[test]
    fn every_format_reads_as_candle_reads_it() {
        let (n, k) = (3, 512);
        let values = Tensor::randn(0f32, 1f32, (n, k), &Device::Cpu).unwrap();
        for dtype in [
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q8_0,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
            GgmlDType::F16,
            GgmlDType::BF16,
            GgmlDType::F32,
        ] {
            let tensor = QTensor::quantize(&values, dtype).unwrap();
            let expected: Vec<Vec<f32>> = tensor.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
            let blocks = Blocks::of(dtype).unwrap();
            let data = tensor.data().unwrap();
            let row_bytes = blocks.row_bytes(k);
            assert_eq!(data.len(), n * row_bytes);
            let mut out = vec![0f32; k];
            for (row, expected) in data.chunks_exact(row_bytes).zip(&expected) {
                blocks.dequantize_row(row, &mut out);
                for (got, want) in out.iter().zip(expected) {
                    assert!((got - want).abs() <= want.abs() * 1e-6 + 1e-7, "{dtype:?}: {got} {want}");
                }
            }
        }
    }
}
