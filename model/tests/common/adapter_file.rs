//! Adapters of noise, in files of the form that the engine reads.

use crate::noise::noise;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use std::path::Path;

const RANK: usize = 4;

/// Writes an adapter of noise for these parts of the first `layers` layers; `size` scales what it adds. Gives the
/// matrices' names and what is to be added to each.
pub(crate) fn write(
    path: &Path,
    parts: &[(&str, usize, usize)],
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
        for (part, &(name, n, k)) in parts.iter().enumerate() {
            let mut ends = Vec::new();
            let seed = (layer * parts.len() + part) as u32;
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
