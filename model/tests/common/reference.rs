//! A transformer in plain f32, slow and short, to check the engine against: dequantized weights, candle's dense
//! operations, no cache, no chunks.

use candle_core::quantized::gguf_file::Content;
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A model file of the qwen2, qwen3 or llama architecture.
pub(crate) struct Reference {
    file: RefCell<BufReader<File>>,
    content: Content,
    architecture: String,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    epsilon: f32,
    rope_base: f32,
    embedding: Tensor,
    /// What is added to weights, by their names.
    added: HashMap<String, Tensor>,
}

impl Reference {
    pub(crate) fn load(path: &Path) -> Result<Reference> {
        let mut file = BufReader::new(File::open(path)?);
        let content = Content::read(&mut file)?;
        let architecture = content.metadata["general.architecture"].to_string()?.clone();
        let value = |key: &str| &content.metadata[&format!("{architecture}.{key}")];
        let number = |key: &str| value(key).to_u32().map(|number| number as usize);
        let (layers, heads) = (number("block_count")?, number("attention.head_count")?);
        let kv_heads = number("attention.head_count_kv")?;
        let epsilon = value("attention.layer_norm_rms_epsilon").to_f32()?;
        let rope_base = value("rope.freq_base").to_f32()?;
        let embedding =
            content.tensor(&mut file, "token_embd.weight", &Device::Cpu)?.dequantize(&Device::Cpu)?;
        let file = RefCell::new(file);
        let added = HashMap::new();
        Ok(Reference {
            file,
            content,
            architecture,
            layers,
            heads,
            kv_heads,
            epsilon,
            rope_base,
            embedding,
            added,
        })
    }

    /// Merges an adapter into the weights: the products of its parts, by the names of the matrices.
    pub(crate) fn merge(&mut self, adapter: Vec<(String, Tensor)>) {
        self.added.extend(adapter);
    }

    /// A weight in f32. Read anew each time: all weights at once would take four times the file's size.
    fn weight(&self, name: &str) -> Result<Tensor> {
        let full = format!("{name}.weight");
        let weight = self.content.tensor(&mut *self.file.borrow_mut(), &full, &Device::Cpu)?;
        let weight = weight.dequantize(&Device::Cpu)?;
        self.added.get(name).map_or(Ok(weight.clone()), |added| weight + added)
    }

    /// x W^T, with the bias that qwen2 has on q, k and v.
    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let product = x.matmul(&self.weight(name)?.t()?)?;
        let bias = format!("{name}.bias");
        if !self.content.tensor_infos.contains_key(&bias) {
            return Ok(product);
        }
        let bias = self.content.tensor(&mut *self.file.borrow_mut(), &bias, &Device::Cpu)?;
        product.broadcast_add(&bias.dequantize(&Device::Cpu)?)
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        rms_norm(&x.contiguous()?, &self.weight(name)?, self.epsilon)
    }

    /// [n, heads * d] -> [1, heads, n, d], rotated unless these are values.
    fn heads(&self, x: &Tensor, heads: usize, norm: Option<&str>, rotate: bool) -> Result<Tensor> {
        let (n, width) = x.dims2()?;
        let d = width / heads;
        let mut x = x.reshape((1, n, heads, d))?.transpose(1, 2)?.contiguous()?;
        // Qwen 3 normalizes each head of q and k.
        if let Some(norm) =
            norm.filter(|norm| self.content.tensor_infos.contains_key(&format!("{norm}.weight")))
        {
            x = self.norm(&x, norm)?;
        }
        if !rotate {
            return Ok(x);
        }
        let frequencies: Vec<f32> =
            (0..d / 2).map(|i| self.rope_base.powf(-2.0 * i as f32 / d as f32)).collect();
        let positions = Tensor::arange(0, n as u32, &Device::Cpu)?.to_dtype(DType::F32)?.reshape((n, 1))?;
        let angles = positions.matmul(&Tensor::from_vec(frequencies, (1, d / 2), &Device::Cpu)?)?;
        let (cos, sin) = (angles.cos()?, angles.sin()?);
        // Files of the llama architecture have q and k permuted, so that neighbours are the pairs that turn.
        if self.architecture == "llama" { rope_i(&x, &cos, &sin) } else { rope(&x, &cos, &sin) }
    }

    fn attention(&self, x: &Tensor, layer: &str) -> Result<Tensor> {
        let n = x.dim(0)?;
        let name = |part: &str| format!("{layer}.{part}");
        let q =
            self.heads(&self.linear(x, &name("attn_q"))?, self.heads, Some(&name("attn_q_norm")), true)?;
        let k =
            self.heads(&self.linear(x, &name("attn_k"))?, self.kv_heads, Some(&name("attn_k_norm")), true)?;
        let v = self.heads(&self.linear(x, &name("attn_v"))?, self.kv_heads, None, false)?;
        let groups = self.heads / self.kv_heads;
        let d = q.dim(D::Minus1)?;
        let repeat = |x: Tensor| {
            let x = x.unsqueeze(2)?.broadcast_as((1, self.kv_heads, groups, n, d))?;
            x.reshape((1, self.heads, n, d))
        };
        let (k, v) = (repeat(k)?, repeat(v)?);
        let future: Vec<f32> =
            (0..n * n).map(|at| if at % n > at / n { f32::NEG_INFINITY } else { 0.0 }).collect();
        let future = Tensor::from_vec(future, (1, 1, n, n), &Device::Cpu)?;
        let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / (d as f64).sqrt())?;
        let weights = softmax_last_dim(&scores.broadcast_add(&future)?)?;
        let mixed = weights.matmul(&v.contiguous()?)?.transpose(1, 2)?.reshape((n, self.heads * d))?;
        self.linear(&mixed, &name("attn_output"))
    }

    /// The logits after each token: [n, vocabulary].
    pub(crate) fn logits(&self, tokens: &[u32]) -> Result<Tensor> {
        let mut x = self.embedding.index_select(&Tensor::new(tokens, &Device::Cpu)?, 0)?;
        for layer in 0..self.layers {
            let layer = format!("blk.{layer}");
            let name = |part: &str| format!("{layer}.{part}");
            x = (&x + self.attention(&self.norm(&x, &name("attn_norm"))?, &layer)?)?;
            let h = self.norm(&x, &name("ffn_norm"))?;
            let gate = silu(&self.linear(&h, &name("ffn_gate"))?)?;
            let up = self.linear(&h, &name("ffn_up"))?;
            x = (&x + self.linear(&(gate * up)?, &name("ffn_down"))?)?;
        }
        let x = self.norm(&x, "output_norm")?;
        if self.content.tensor_infos.contains_key("output.weight") {
            return self.linear(&x, "output");
        }
        x.matmul(&self.embedding.t()?)
    }
}
