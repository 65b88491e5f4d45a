//! Adapters of noise, in files of the form that the engine reads.

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use std::path::Path;

const RANK: usize = 4;
const HIDDEN: usize = 896;
const FEED_FORWARD: usize = 4864;
/// Parts of a layer with their outputs and inputs.
const PARTS: [(&str, usize, usize); 7] = [
    ("attn_q", HIDDEN, HIDDEN),
    ("attn_k", 128, HIDDEN),
    ("attn_v", 128, HIDDEN),
    ("attn_output", HIDDEN, HIDDEN),
    ("ffn_gate", FEED_FORWARD, HIDDEN),
    ("ffn_up", FEED_FORWARD, HIDDEN),
    ("ffn_down", HIDDEN, FEED_FORWARD),
];

/// Numbers in `-size..size` that depend on `seed` alone.
fn noise(len: usize, size: f32, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| size * next()).collect()
}

/// Writes an adapter of noise for the first `layers` layers; `size` scales what it adds. Gives the matrices' names and what
/// is to be added to each.
pub(crate) fn write(
    path: &Path,
    layers: usize,
    size: f32,
    metadata: &[(&str, Value)],
) -> Vec<(String, Tensor)> {
    let text = |text: &str| Value::String(text.to_owned());
    let mut entries = vec![
        ("general.type", text("adapter")),
        ("general.architecture", text("qwen2")),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(2.0 * RANK as f32)),
    ];
    entries.retain(|(key, _)| metadata.iter().all(|(other, _)| other != key));
    entries.extend(metadata.iter().cloned());
    let entries: Vec<(&str, &Value)> = entries.iter().map(|(key, value)| (*key, value)).collect();
    let (mut tensors, mut added) = (Vec::new(), Vec::new());
    for layer in 0..layers {
        for (part, (name, n, k)) in PARTS.into_iter().enumerate() {
            let mut ends = Vec::new();
            let seed = (layer * PARTS.len() + part) as u32;
            for (end, rows, columns, size, seed) in
                [("lora_a", RANK, k, 0.05, seed), ("lora_b", n, RANK, 0.05 * size, seed + 7000)]
            {
                let values = noise(rows * columns, size, seed);
                let tensor = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
                let quantized = QTensor::quantize(&tensor, GgmlDType::F32).unwrap();
                tensors.push((format!("blk.{layer}.{name}.weight.{end}"), quantized));
                ends.push(tensor);
            }
            // Twice, as alpha is twice the rank.
            let product = (ends[1].matmul(&ends[0]).unwrap() * 2.0).unwrap();
            added.push((format!("blk.{layer}.{name}"), product));
        }
    }
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = std::fs::File::create(path).unwrap();
    gguf_file::write(&mut file, &entries, &tensors).unwrap();
    added
}
