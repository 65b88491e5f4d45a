//! Loading weights for the kernels of this crate: repacked before and mapped, or repacked now.

use super::packed::Layer;
use crate::config::{Architecture, Config};
use crate::error::ModelError;
use crate::gguf::GgufFile;
use crate::kernels::attention::Heads;
use crate::kernels::packed::Packed;
use crate::kernels::pool::Pool;
use crate::repacked::Repacked;

/// What loading takes.
pub(super) struct Loader<'a> {
    pub(super) file: &'a GgufFile,
    pub(super) config: &'a Config,
    pub(super) pool: &'a Pool,
    /// Weights that were repacked before.
    pub(super) kept: Option<Repacked>,
}

impl Loader<'_> {
    /// One layer.
    pub(super) fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let config = self.config;
        let Heads { heads, kv_heads, head_dim: d } = config.heads;
        let name = |part: &str| format!("blk.{index}.{part}");
        let vector = |part: &str, len| self.file.vector(&name(part), len);
        let optional = |part: &str, len| self.file.has(&name(part)).then(|| vector(part, len)).transpose();
        let linear = |part: &str, n, k| self.matrix(&name(&format!("{part}.weight")), n, k, None);
        let rotated = |part: &str, count: usize| {
            let order = (config.architecture == Architecture::Llama).then_some(d);
            self.matrix(&name(&format!("{part}.weight")), count * d, config.hidden, order)
        };
        let mut layer = Layer {
            attn_norm: vector("attn_norm.weight", config.hidden)?,
            attn_q: rotated("attn_q", heads)?,
            attn_k: rotated("attn_k", kv_heads)?,
            attn_v: linear("attn_v", kv_heads * d, config.hidden)?,
            attn_q_norm: optional("attn_q_norm.weight", d)?,
            attn_k_norm: optional("attn_k_norm.weight", d)?,
            attn_output: linear("attn_output", config.hidden, heads * d)?,
            ffn_norm: vector("ffn_norm.weight", config.hidden)?,
            ffn_gate: linear("ffn_gate", config.feed_forward, config.hidden)?,
            ffn_up: linear("ffn_up", config.feed_forward, config.hidden)?,
            ffn_down: linear("ffn_down", config.hidden, config.feed_forward)?,
        };
        layer.attn_q.bias = optional("attn_q.bias", heads * d)?;
        layer.attn_k.bias = optional("attn_k.bias", kv_heads * d)?;
        layer.attn_v.bias = optional("attn_v.bias", kv_heads * d)?;
        Ok(layer)
    }

    /// Loads a matrix `[n, k]`, repacked before or now. With `interleaved` heads of that size, rows are brought into the
    /// order in which the pair `(i, i + d / 2)` is rotated: GGUF files of the llama architecture hold the pair side by
    /// side.
    pub(super) fn matrix(
        &self,
        name: &str,
        n: usize,
        k: usize,
        interleaved: Option<usize>,
    ) -> Result<Packed, ModelError> {
        let file = self.file;
        let tensor = file.matrix(name, n, k)?;
        if let Some(kept) = &self.kept
            && let Some(packed) = Packed::from_kept(|len| kept.matrix(name, len), tensor.blocks, n, k)
        {
            return Ok(packed);
        }
        let raw = file.bytes(&tensor);
        let reordered: Vec<u8>;
        let rows = match interleaved {
            None => raw,
            Some(d) => {
                let row_bytes = tensor.blocks.row_bytes(k);
                let row = |index: usize| &raw[index * row_bytes..(index + 1) * row_bytes];
                let source = |index: usize| {
                    let (head, i) = (index / d, index % d);
                    head * d + i % (d / 2) * 2 + i / (d / 2)
                };
                reordered = (0..n).flat_map(|index| row(source(index)).iter().copied()).collect();
                &reordered
            }
        };
        let packed = Packed::from_gguf(rows, tensor.blocks, n, k, self.pool)
            .ok_or_else(|| ModelError::Unsupported(format!("tensor {name} has rows of {k} values")))?;
        file.release(&tensor);
        Ok(packed)
    }
}
