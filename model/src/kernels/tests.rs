//! Linear layers and attention against plain f64 sums, and every instruction set against the portable one, bit for bit.

use super::attention::{Heads, KvFormat, LayerCache, Span, attention};
use super::blocks::Blocks;
use super::isa::Isa;
use super::linear::{argmax, linear, linear_add, linear_swiglu};
use super::low_rank::{LowRank, project};
use super::ops::swiglu;
use super::packed::{CHUNK, Packed};
use super::pool::Pool;
use super::quantize::Activations;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

/// Numbers in -1..1 that depend on `seed` alone.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn activations(isa: Isa, pool: &Pool, values: &[f32], m: usize, k: usize) -> Activations {
    let mut x = Activations::default();
    x.reshape(m, k);
    x.fill(isa, pool, &|row, out| out.copy_from_slice(&values[row * k..(row + 1) * k]));
    x
}

const FORMATS: [GgmlDType; 9] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::F16,
];

/// A matrix in every format, with rows that quantize badly: zeros, one huge value, alternating extremes.
fn matrices(n: usize, k: usize) -> Vec<(Packed, Vec<f32>)> {
    let mut values = noise(n * k, 7);
    values[..k].fill(0.0);
    values[k..2 * k].fill(1e-4);
    values[k + 3] = 100.0;
    for (i, value) in values[2 * k..3 * k].iter_mut().enumerate() {
        *value = if i % 2 == 0 { 1.0 } else { -1.0 };
    }
    let tensor = Tensor::from_vec(values, (n, k), &Device::Cpu).unwrap();
    let pool = Pool::new(2);
    let formats = FORMATS.into_iter().filter(|format| k.is_multiple_of(format.block_size()));
    formats
        .map(|format| {
            let quantized = QTensor::quantize(&tensor, format).unwrap();
            let blocks = Blocks::of(format).unwrap();
            let raw = quantized.data().unwrap();
            let mut packed = Packed::from_gguf(&raw, blocks, n, k, &pool).unwrap();
            packed.bias = Some(noise(n, 11));
            let dense = quantized.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
            (packed, dense.to_vec1().unwrap())
        })
        .collect()
}

fn largest_of(isa: Isa, pool: &Pool, x: &Activations, matrix: &Packed) -> Vec<u32> {
    let mut found = Vec::new();
    argmax(isa, pool, x, matrix, &mut found);
    found
}

#[test]
fn linear_is_the_product_of_the_quantized_values() {
    let (n, k, m) = (100, 512, 5);
    let pool = Pool::new(2);
    let values = noise(m * k, 3);
    let x = activations(Isa::Portable, &pool, &values, m, k);
    for (packed, dense) in matrices(n, k) {
        let mut out = vec![0.0; m * n];
        linear(Isa::Portable, &pool, &x, &[&packed], &mut out);
        for row in 0..m {
            for column in 0..n {
                let exact: f64 = (0..k)
                    .map(|i| {
                        let at = x.place(row, i / CHUNK * CHUNK) + i % CHUNK;
                        let scale = x.scales[at / x.group];
                        f64::from(x.q[at]) * f64::from(scale) * f64::from(dense[column * k + i])
                    })
                    .sum::<f64>()
                    + f64::from(packed.bias.as_ref().unwrap()[column]);
                let got = f64::from(out[row * n + column]);
                // F16 weights are rounded to eight bits, whence the wider bound.
                let bound = if packed.blocks.dtype == GgmlDType::F16 { 0.3 } else { 2e-3 };
                assert!(
                    (got - exact).abs() < bound,
                    "{:?} {row} {column}: {got} {exact}",
                    packed.blocks.dtype
                );
            }
        }
    }
}

#[test]
fn every_instruction_set_chunk_size_and_thread_count_gives_the_same_bits() {
    for (n, k) in [(100, 512), (64, 896), (200, 96), (130, 576)] {
        let m = 37;
        let mut values = noise(m * k, 5);
        values[..k].fill(0.0);
        values[k..2 * k].iter_mut().enumerate().for_each(|(i, v)| *v = if i % 3 == 0 { 1e4 } else { -1e4 });
        let pools = [Pool::new(1), Pool::new(3)];
        for (packed, _) in matrices(n, k) {
            let x = activations(Isa::Portable, &pools[0], &values, m, k);
            let mut want = vec![0.0; m * n];
            linear(Isa::Portable, &pools[0], &x, &[&packed], &mut want);
            let best = largest_of(Isa::Portable, &pools[0], &x, &packed);
            for isa in Isa::available() {
                for pool in &pools {
                    for chunk in [1, 2, 3, 7, 16, 17, 37] {
                        let mut got = Vec::new();
                        let mut got_best = Vec::new();
                        for first in (0..m).step_by(chunk) {
                            let rows = chunk.min(m - first);
                            let x = activations(isa, pool, &values[first * k..], rows, k);
                            let mut out = vec![f32::NAN; rows * n];
                            linear(isa, pool, &x, &[&packed], &mut out);
                            got.extend(out);
                            got_best.extend(largest_of(isa, pool, &x, &packed));
                        }
                        let format = packed.blocks.dtype;
                        assert!(got == want, "{isa} {format:?} {n}x{k} in chunks of {chunk}");
                        assert!(got_best == best, "{isa} {format:?} {n}x{k} argmax in chunks of {chunk}");
                    }
                }
            }
        }
    }
}

/// The form of AVX-VNNI's dot product that AVX-512 processors have: the same instruction in another encoding.
#[cfg(target_arch = "x86_64")]
struct Evex;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
impl super::avx2::Dot for Evex {
    const SIGNED: bool = <super::avx2::AvxVnni as super::avx2::Dot>::SIGNED;

    #[inline(always)]
    unsafe fn dot<const EIGHT: bool>(
        sum: std::arch::x86_64::__m256i,
        w: std::arch::x86_64::__m256i,
        a: std::arch::x86_64::__m256i,
    ) -> std::arch::x86_64::__m256i {
        // SAFETY: the test looks for AVX-512 VNNI first.
        unsafe { std::arch::x86_64::_mm256_dpbusd_epi32(sum, w, a) }
    }
}

/// Processors with AVX-VNNI are rare among those that run tests: all of its kernel but the encoding of one instruction.
#[cfg(target_arch = "x86_64")]
#[test]
#[allow(unsafe_code)]
fn the_kernel_of_avx_vnni_gives_the_same_bits() {
    use super::linear::{RowsView, Scratch};

    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512vl,avx512vnni")]
    unsafe fn multiply(w: &Packed, view: &RowsView<'_>, scratch: &mut Scratch, sums: &mut [f32]) {
        // SAFETY: this function has the features.
        unsafe {
            super::avx2::multiply_with::<Evex>(&w.blocks, &w.chunk(0, view.start), view, scratch, sums);
        }
    }
    if !Isa::available().contains(&Isa::Avx512Vnni) {
        return;
    }
    let (k, m) = (512, 7);
    let pool = Pool::new(1);
    let x = activations(Isa::Portable, &pool, &noise(m * k, 13), m, k);
    for (packed, _) in matrices(64, k) {
        let mut scratch = Scratch::default();
        let (mut got, mut want) = (vec![0.0; m * 64], vec![0.0; m * 64]);
        for start in (0..k).step_by(CHUNK) {
            let view = RowsView { x: &x, row: 0, rows: m, start, len: CHUNK };
            // SAFETY: the processor was asked.
            unsafe { multiply(&packed, &view, &mut scratch, &mut got) };
            let chunk = packed.chunk(0, start);
            super::portable::multiply(&packed.blocks, &chunk, &view, &mut scratch, &mut want);
        }
        assert!(got == want, "{:?}", packed.blocks.dtype);
    }
}

#[test]
fn a_product_can_be_added_and_gated() {
    for (n, k) in [(128, 512), (192, 96), (96, 64)] {
        let m = 9;
        let pool = Pool::new(3);
        let x = activations(Isa::best(), &pool, &noise(m * k, 17), m, k);
        let all = matrices(n, k);
        let (gate, up) = (&all[0].0, &all[1].0);
        let mut both = vec![0.0; m * 2 * n];
        linear(Isa::best(), &pool, &x, &[gate, up], &mut both);

        let mut sum = noise(m * n, 19);
        let before = sum.clone();
        linear_add(Isa::best(), &pool, &x, gate, &mut sum);
        for row in 0..m {
            for column in 0..n {
                let at = row * n + column;
                assert_eq!(sum[at], before[at] + both[row * 2 * n + column]);
            }
        }

        let mut gated = vec![0.0; m * n];
        for row in 0..m {
            let (gates, ups) = both[row * 2 * n..(row + 1) * 2 * n].split_at(n);
            swiglu(Isa::best(), gates, ups, &mut gated[row * n..(row + 1) * n]);
        }
        let want = activations(Isa::best(), &pool, &gated, m, n);
        for isa in Isa::available() {
            let mut got = Activations::default();
            linear_swiglu(isa, &pool, &x, gate, up, &mut got);
            assert!(got.q == want.q && got.scales == want.scales && got.sums == want.sums, "{isa} {n}x{k}");
        }
    }
}

#[test]
fn several_matrices_at_once_equal_each_alone() {
    let (k, m) = (512, 9);
    let pool = Pool::new(2);
    let x = activations(Isa::best(), &pool, &noise(m * k, 9), m, k);
    let all: Vec<Packed> = [100, 64, 30]
        .iter()
        .flat_map(|n| matrices(*n, k).into_iter().take(1))
        .map(|(packed, _)| packed)
        .collect();
    let refs: Vec<&Packed> = all.iter().collect();
    let mut together = vec![0.0; m * 194];
    linear(Isa::best(), &pool, &x, &refs, &mut together);
    let mut offset = 0;
    for packed in refs {
        let mut alone = vec![0.0; m * packed.n];
        linear(Isa::best(), &pool, &x, &[packed], &mut alone);
        for row in 0..m {
            let part = &together[row * 194 + offset..][..packed.n];
            assert_eq!(part, &alone[row * packed.n..(row + 1) * packed.n]);
        }
        offset += packed.n;
    }
}

#[test]
fn of_equal_largest_the_first_column_wins() {
    let (n, k) = (200, 64);
    let mut values = vec![0.0; n * k];
    for column in [70, 150, 199] {
        values[column * k..(column + 1) * k].fill(1.0);
    }
    let tensor = Tensor::from_vec(values, (n, k), &Device::Cpu).unwrap();
    let raw = QTensor::quantize(&tensor, GgmlDType::Q8_0).unwrap();
    let pool = Pool::new(2);
    let blocks = Blocks::of(GgmlDType::Q8_0).unwrap();
    let packed = Packed::from_gguf(&raw.data().unwrap(), blocks, n, k, &pool).unwrap();
    for isa in Isa::available() {
        let up = activations(isa, &pool, &[1.0; 64], 1, k);
        assert_eq!(largest_of(isa, &pool, &up, &packed), [70]);
        let down = activations(isa, &pool, &[-1.0; 64], 1, k);
        assert_eq!(largest_of(isa, &pool, &down, &packed), [0]);
    }
}

const SHAPE: Heads = Heads { heads: 6, kv_heads: 2, head_dim: 64 };

/// Attention of all tokens in chunks, keys and values written chunk by chunk as in a forward pass.
fn attend(format: KvFormat, isa: Isa, pool: &Pool, tokens: usize, chunk: usize) -> Vec<f32> {
    let Heads { heads, kv_heads, head_dim: d } = SHAPE;
    let stride = (heads + 2 * kv_heads) * d;
    let qkv: Vec<f32> = noise(tokens * stride, 21).iter().map(|value| value * 3.0).collect();
    let mut cache = LayerCache::new(format, kv_heads, d, 256);
    let mut out = Vec::new();
    for start in (0..tokens).step_by(chunk) {
        let m = chunk.min(tokens - start);
        let rows = &qkv[start * stride..(start + m) * stride];
        let writer = cache.writer();
        for (row, qkv) in rows.chunks_exact(stride).enumerate() {
            for head in 0..kv_heads {
                let key = &qkv[(heads + head) * d..][..d];
                let value = &qkv[(heads + kv_heads + head) * d..][..d];
                // SAFETY: the cache lives, and there is one thread.
                #[allow(unsafe_code)]
                unsafe {
                    writer.write(isa, head, start + row, key, value);
                }
            }
        }
        let mut part = vec![f32::NAN; m * heads * d];
        let span = Span { cache: &cache, start, tokens: m, row: 0 };
        attention(isa, pool, SHAPE, &[span], rows, stride, &mut part);
        out.extend(part);
    }
    out
}

#[test]
fn attention_is_softmax_of_scaled_products_over_the_past() {
    let Heads { heads, kv_heads, head_dim: d } = SHAPE;
    let (tokens, stride) = (150, (heads + 2 * kv_heads) * d);
    let qkv: Vec<f32> = noise(tokens * stride, 21).iter().map(|value| value * 3.0).collect();
    for (format, bound) in [(KvFormat::Int16, 2e-3), (KvFormat::Int8, 6e-2)] {
        let got = attend(format, Isa::best(), &Pool::new(2), tokens, tokens);
        is_attention(&qkv, &got, bound);
    }
}

/// Compares some results with sums in f64.
fn is_attention(qkv: &[f32], got: &[f32], bound: f64) {
    let Heads { heads, kv_heads, head_dim: d } = SHAPE;
    let stride = (heads + 2 * kv_heads) * d;
    for token in [0, 1, 63, 64, 149] {
        for head in 0..heads {
            let query = &qkv[token * stride + head * d..][..d];
            let kv = head / (heads / kv_heads);
            let row = |position: usize, offset: usize| &qkv[position * stride + (offset + kv) * d..][..d];
            let weights: Vec<f64> = (0..=token)
                .map(|position| {
                    let key = row(position, heads);
                    let dot: f64 = query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    (dot / (d as f64).sqrt()).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            for i in [0, 17, 63] {
                let values = weights.iter().enumerate();
                let want: f64 =
                    values.map(|(p, w)| w * f64::from(row(p, heads + kv_heads)[i])).sum::<f64>() / total;
                let have = f64::from(got[(token * heads + head) * d + i]);
                assert!((have - want).abs() < bound, "token {token} head {head} dim {i}: {have} {want}");
            }
        }
    }
}

#[test]
fn attention_does_not_depend_on_chunks_threads_or_instruction_set() {
    for format in KvFormat::ALL {
        let want = attend(format, Isa::Portable, &Pool::new(1), 150, 150);
        for isa in Isa::available() {
            for chunk in [1, 5, 8, 33, 64, 150] {
                let got = attend(format, isa, &Pool::new(3), 150, chunk);
                assert!(got == want, "{isa}, {} in chunks of {chunk}", format.name());
            }
        }
    }
}

/// A matrix with an adapter of rank `rank` that stands at `at`, and the adapter's parts as bf16 holds them.
fn adapted(n: usize, k: usize, rank: usize, at: usize) -> (Packed, Vec<f32>, Vec<f32>) {
    let round = |values: Vec<f32>| -> Vec<f32> {
        values.into_iter().map(|value| half::bf16::from_f32(value).to_f32()).collect()
    };
    let (a, b) = (round(noise(rank * k, 21 + at as u64)), round(noise(n * rank, 22 + at as u64)));
    let (mut packed, _) = matrices(n, k).swap_remove(0);
    packed.low_rank = Some(LowRank::new(&a, &b, rank, 2.0, at).unwrap());
    (packed, a, b)
}

#[test]
fn an_adapter_adds_its_product_to_that_of_the_matrix() {
    let (k, m, rank) = (288, 5, 5);
    let pool = Pool::new(2);
    let mut x = activations(Isa::Portable, &pool, &noise(m * k, 3), m, k);
    let (first, ..) = adapted(100, k, 3, 0);
    let (second, a, b) = adapted(70, k, rank, 3);
    let (plain, _) = matrices(30, k).swap_remove(0);
    let width = 100 + 70 + 30;
    let multiply = |x: &Activations| {
        let mut out = vec![0.0; m * width];
        linear(Isa::Portable, &pool, x, &[&first, &second, &plain], &mut out);
        out
    };
    let without = multiply(&x);
    project(Isa::Portable, &pool, &mut x, &[&first, &second, &plain]);
    let with = multiply(&x);
    for row in 0..m {
        let value = |i: usize| {
            let at = x.place(row, i / CHUNK * CHUNK) + i % CHUNK;
            f64::from(x.q[at]) * f64::from(x.scales[at / x.group])
        };
        let low: Vec<f64> =
            (0..rank).map(|r| (0..k).map(|i| value(i) * f64::from(a[r * k + i])).sum()).collect();
        for column in 0..70 {
            let added: f64 = (0..rank).map(|r| 2.0 * low[r] * f64::from(b[column * rank + r])).sum();
            let at = row * width + 100 + column;
            let got = f64::from(with[at]) - f64::from(without[at]);
            assert!((got - added).abs() < 1e-3, "{row} {column}: {got} instead of {added}");
        }
        let rest = row * width + 170..(row + 1) * width;
        assert_eq!(with[rest.clone()], without[rest], "a matrix without an adapter stays as it is");
    }
}

#[test]
fn an_adapter_gives_the_same_bits_on_every_instruction_set_and_in_any_chunks() {
    let (n, k, m, rank) = (100, 896, 9, 6);
    let values = noise(m * k, 5);
    let (matrix, ..) = adapted(n, k, rank, 0);
    let run = |isa: Isa, pool: &Pool, rows: std::ops::Range<usize>| {
        let m = rows.len();
        let mut x = activations(isa, pool, &values[rows.start * k..rows.end * k], m, k);
        project(isa, pool, &mut x, &[&matrix]);
        let mut out = vec![0.0; m * n];
        linear(isa, pool, &x, &[&matrix], &mut out);
        out
    };
    let pool = Pool::new(2);
    let expected = run(Isa::Portable, &pool, 0..m);
    for isa in Isa::available() {
        for chunk in [1, 2, 4, 7, m] {
            let mut out = Vec::new();
            for start in (0..m).step_by(chunk) {
                out.extend(run(isa, &Pool::new(1), start..m.min(start + chunk)));
            }
            assert!(out == expected, "{isa:?} in chunks of {chunk}");
        }
    }
}
