//! Models of noise: files of each architecture, small enough to be made and run in a moment.

use crate::noise::noise;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use std::path::Path;

pub(crate) const VOCAB: usize = 320;
const HIDDEN: usize = 256;
const FEED_FORWARD: usize = 512;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 64;
pub(crate) const LAYERS: usize = 2;

/// Parts of a layer with their outputs and inputs, and the format of each.
pub(crate) const PARTS: [((&str, usize, usize), GgmlDType); 7] = [
    (("attn_q", HEADS * HEAD_DIM, HIDDEN), GgmlDType::Q4K),
    (("attn_k", KV_HEADS * HEAD_DIM, HIDDEN), GgmlDType::Q5_0),
    (("attn_v", KV_HEADS * HEAD_DIM, HIDDEN), GgmlDType::Q8_0),
    (("attn_output", HIDDEN, HEADS * HEAD_DIM), GgmlDType::Q5K),
    (("ffn_gate", FEED_FORWARD, HIDDEN), GgmlDType::Q4_0),
    (("ffn_up", FEED_FORWARD, HIDDEN), GgmlDType::F16),
    (("ffn_down", HIDDEN, FEED_FORWARD), GgmlDType::Q6K),
];

/// Writes a model of this architecture, with its output layer of its own or tied to the embedding.
pub(crate) fn write(path: &Path, architecture: &str, tied: bool) {
    let mut metadata = vec![("general.architecture".to_owned(), Value::String(architecture.to_owned()))];
    let numbers = [
        ("block_count", LAYERS),
        ("embedding_length", HIDDEN),
        ("feed_forward_length", FEED_FORWARD),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("attention.key_length", HEAD_DIM),
        ("context_length", 4096),
    ];
    let key = |name: &str| format!("{architecture}.{name}");
    metadata.extend(numbers.map(|(name, number)| (key(name), Value::U32(number as u32))));
    let floats = [("rope.freq_base", 10_000.0), ("attention.layer_norm_rms_epsilon", 1e-5)];
    metadata.extend(floats.map(|(name, number)| (key(name), Value::F32(number))));

    let mut tensors = Vec::new();
    let mut add = |name: String, rows: usize, width: usize, middle: f32, size: f32, kind: GgmlDType| {
        let values = noise(rows * width, size, tensors.len() as u32 + 1);
        let values = values.iter().map(|value| middle + value).collect();
        let shape = if rows == 1 { vec![width] } else { vec![rows, width] };
        let values = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        tensors.push((name, QTensor::quantize(&values, kind).unwrap()));
    };
    add("token_embd.weight".to_owned(), VOCAB, HIDDEN, 0.0, 1.0, GgmlDType::Q8_0);
    add("output_norm.weight".to_owned(), 1, HIDDEN, 1.0, 0.3, GgmlDType::F32);
    if !tied {
        add("output.weight".to_owned(), VOCAB, HIDDEN, 0.0, 0.2, GgmlDType::Q6K);
    }
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for ((part, rows, width), kind) in PARTS {
            add(name(&format!("{part}.weight")), rows, width, 0.0, 0.15, kind);
            if architecture == "qwen2" && ["attn_q", "attn_k", "attn_v"].contains(&part) {
                add(name(&format!("{part}.bias")), 1, rows, 0.0, 2.0, GgmlDType::F32);
            }
        }
        for norm in ["attn_norm", "ffn_norm"] {
            add(name(&format!("{norm}.weight")), 1, HIDDEN, 1.0, 0.3, GgmlDType::F32);
        }
        if architecture == "qwen3" {
            for norm in ["attn_q_norm", "attn_k_norm"] {
                add(name(&format!("{norm}.weight")), 1, HEAD_DIM, 1.0, 0.5, GgmlDType::F32);
            }
        }
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
}
