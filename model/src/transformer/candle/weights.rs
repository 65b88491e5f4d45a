//! A model's weights on a device of candle's, as quantized as the file has them.

use super::super::Source;
use crate::adapter::AdapterFile;
use crate::device::Device;
use crate::error::ModelError;
use crate::kernels::attention::Heads;
use candle_core::quantized::QMatMul;
use candle_core::{Module, Tensor};

/// A matrix `[n, k]` and what goes with it.
pub(super) struct Linear {
    weight: QMatMul,
    n: usize,
    k: usize,
    bias: Option<Tensor>,
    /// An adapter's parts, `[k, rank]` and `[rank, n]`, the scale in the second.
    low_rank: Option<(Tensor, Tensor)>,
}

impl Linear {
    /// The product with each row of `x` `[m, k]`: `[m, n]`.
    pub(super) fn forward(&self, x: &Tensor, adapted: bool) -> candle_core::Result<Tensor> {
        let mut y = self.weight.forward(x)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        match &self.low_rank {
            Some((a, b)) if adapted => y + x.matmul(a)?.matmul(b)?,
            _ => Ok(y),
        }
    }

    fn bytes(&self) -> usize {
        match &self.weight {
            QMatMul::QTensor(weight) => weight.storage_size_in_bytes(),
            QMatMul::Tensor(weight) | QMatMul::TensorF16(weight) => {
                weight.elem_count() * weight.dtype().size_in_bytes()
            }
        }
    }
}

/// One decoder layer.
pub(super) struct Layer {
    pub(super) attn_norm: Tensor,
    pub(super) attn_q: Linear,
    pub(super) attn_k: Linear,
    pub(super) attn_v: Linear,
    /// Norms on each head of q and k (qwen3), `[d]`.
    pub(super) attn_q_norm: Option<Tensor>,
    pub(super) attn_k_norm: Option<Tensor>,
    pub(super) attn_output: Linear,
    pub(super) ffn_norm: Tensor,
    pub(super) ffn_gate: Linear,
    pub(super) ffn_up: Linear,
    pub(super) ffn_down: Linear,
}

impl Layer {
    /// The matrices under the names that the file has for them.
    fn matrices(&mut self) -> [(&'static str, &mut Linear); 7] {
        [
            ("attn_q", &mut self.attn_q),
            ("attn_k", &mut self.attn_k),
            ("attn_v", &mut self.attn_v),
            ("attn_output", &mut self.attn_output),
            ("ffn_gate", &mut self.ffn_gate),
            ("ffn_up", &mut self.ffn_up),
            ("ffn_down", &mut self.ffn_down),
        ]
    }
}

/// All weights but the embedding, of which rows are read on the host.
pub(super) struct Weights {
    pub(super) layers: Vec<Layer>,
    pub(super) output_norm: Tensor,
    pub(super) output: Linear,
    bytes: usize,
}

impl Weights {
    /// Loads them onto `device`.
    pub(super) fn load(
        source: &Source,
        name: Device,
        device: &candle_core::Device,
    ) -> Result<Weights, ModelError> {
        let config = &source.config;
        let loader = Loader { source, name, device };
        let mut layers =
            (0..config.layers).map(|index| loader.layer(index)).collect::<Result<Vec<_>, _>>()?;
        let output = loader.matrix(source.output_name(), config.vocab, config.hidden)?;
        let matrices = layers.iter_mut().flat_map(Layer::matrices);
        Ok(Weights {
            bytes: output.bytes() + matrices.map(|(_, matrix)| matrix.bytes()).sum::<usize>(),
            output_norm: loader.vector("output_norm.weight", config.hidden)?,
            output,
            layers,
        })
    }

    /// Bytes of the matrices.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts the adapter's parts beside the matrices that it has some for, and says how many these are.
    pub(super) fn attach(
        &mut self,
        adapter: &AdapterFile,
        name: Device,
        device: &candle_core::Device,
    ) -> Result<usize, ModelError> {
        let mut found = 0;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (part, matrix) in layer.matrices() {
                let parts = adapter.parts(&format!("blk.{index}.{part}.weight"), matrix.n, matrix.k)?;
                let upload = |values: Vec<f32>, rows: usize, width: usize| {
                    Tensor::from_vec(values, (rows, width), device)?.t()?.contiguous()
                };
                let low_rank = parts.map(|parts| {
                    let b = upload(parts.b, matrix.n, parts.rank)?;
                    Ok((upload(parts.a, parts.rank, matrix.k)?, (b * f64::from(parts.scale))?))
                });
                matrix.low_rank =
                    low_rank.transpose().map_err(|error: candle_core::Error| name.failed(&error))?;
                found += usize::from(matrix.low_rank.is_some());
            }
        }
        Ok(found)
    }
}

/// What loading takes.
struct Loader<'a> {
    source: &'a Source,
    name: Device,
    device: &'a candle_core::Device,
}

impl Loader<'_> {
    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let config = &self.source.config;
        let Heads { heads, kv_heads, head_dim: d } = config.heads;
        let (hidden, wide) = (config.hidden, config.feed_forward);
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let vector = |part: &str, len| self.vector(&name(part), len);
        let optional = |part: &str| self.optional(&name(part), d);
        let matrix = |part: &str, n, k| {
            let bias = self.optional(&format!("blk.{index}.{part}.bias"), n)?;
            Ok(Linear { bias, ..self.matrix(&name(part), n, k)? })
        };
        Ok(Layer {
            attn_norm: vector("attn_norm", hidden)?,
            attn_q: matrix("attn_q", heads * d, hidden)?,
            attn_k: matrix("attn_k", kv_heads * d, hidden)?,
            attn_v: matrix("attn_v", kv_heads * d, hidden)?,
            attn_q_norm: optional("attn_q_norm")?,
            attn_k_norm: optional("attn_k_norm")?,
            attn_output: matrix("attn_output", hidden, heads * d)?,
            ffn_norm: vector("ffn_norm", hidden)?,
            ffn_gate: matrix("ffn_gate", wide, hidden)?,
            ffn_up: matrix("ffn_up", wide, hidden)?,
            ffn_down: matrix("ffn_down", hidden, wide)?,
        })
    }

    fn matrix(&self, name: &str, n: usize, k: usize) -> Result<Linear, ModelError> {
        let file = &self.source.file;
        let tensor = file.matrix(name, n, k)?;
        let weight = file.quantized(name, self.device).and_then(QMatMul::from_qtensor);
        file.release(&tensor);
        let weight = weight.map_err(|error| self.name.failed(&error))?;
        Ok(Linear { weight, n, k, bias: None, low_rank: None })
    }

    fn vector(&self, name: &str, len: usize) -> Result<Tensor, ModelError> {
        let values = self.source.file.vector(name, len)?;
        Tensor::from_vec(values, len, self.device).map_err(|error| self.name.failed(&error))
    }

    fn optional(&self, name: &str, len: usize) -> Result<Option<Tensor>, ModelError> {
        self.source.file.has(name).then(|| self.vector(name, len)).transpose()
    }
}
