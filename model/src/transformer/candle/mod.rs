//! The forward pass on a device of candle's, with candle's quantized products and operations, in f32.
//!
//! Shapes: `m` tokens of the chunk, `d` the head size. Sequences run one after the other. How a result is rounded is
//! candle's business and may depend on the chunk; see [`crate::device`].

mod cache;
mod weights;

pub(crate) use cache::LayerTensors;

use super::{Backend, Segment, Source};
use crate::adapter::AdapterFile;
use crate::config::{Architecture, Config};
use crate::device::Device;
use crate::error::ModelError;
use crate::kernels::attention::Heads;
use crate::kernels::ops::Rotary;
use crate::kernels::pool::Pool;
use crate::kv_cache::{KvFormat, Layers};
use candle_core::{D, Result, Tensor};
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};
use weights::Weights;

/// Rows of logits that are held at once, each as wide as the vocabulary.
const ROWS: usize = 64;

/// The weights on the device, and what the last forward left there.
pub(super) struct Candle {
    name: Device,
    device: candle_core::Device,
    weights: Weights,
    angles: Angles,
    /// Whether forwards go through the adapter, if there is one.
    adapted: bool,
    /// What the output layer reads, `[m, hidden]`; nothing before a forward that had tokens.
    hidden: Option<Tensor>,
    /// The most likely next tokens.
    chosen: Vec<u32>,
}

/// What the rotary embedding turns by.
struct Angles {
    rotary: Rotary,
    /// Cosines and sines, each `[positions, d / 2]`, as far as positions were asked for.
    tables: Option<(Tensor, Tensor)>,
    /// Whether neighbours are the pairs that turn, as files of the llama architecture have them.
    interleaved: bool,
}

/// What the layers need to know of a chunk.
struct Chunk {
    /// Position of its first token.
    start: usize,
    /// Cosines and sines, each `[m, d / 2]`.
    angles: (Tensor, Tensor),
    /// Added to the scores, `[m, positions]`; nothing for a single token, which sees all.
    mask: Option<Tensor>,
}

impl Candle {
    /// Loads the weights of `source` onto `device`.
    pub(super) fn load(
        source: &Source,
        name: Device,
        device: candle_core::Device,
    ) -> std::result::Result<Candle, ModelError> {
        let config = &source.config;
        let factors = source.rope_factors()?;
        let rotary = Rotary::new(config.heads.head_dim, config.rope_base, factors.as_deref());
        let interleaved = config.architecture == Architecture::Llama;
        Ok(Candle {
            weights: Weights::load(source, name, &device)?,
            angles: Angles { rotary, tables: None, interleaved },
            name,
            device,
            adapted: false,
            hidden: None,
            chosen: Vec::new(),
        })
    }

    /// Runs every segment that has tokens; gives what the output layer reads of each, and nothing if it was interrupted.
    fn run(
        &mut self,
        source: &Source,
        segments: &mut [Segment<'_>],
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<Tensor>>> {
        let config = &source.config;
        let mut rows = Vec::new();
        for segment in segments.iter_mut().filter(|segment| !segment.tokens.is_empty()) {
            let (start, m) = (segment.cache.len(), segment.tokens.len());
            let mut x = vec![0.0; m * config.hidden];
            source.embed(std::slice::from_ref(segment), &mut x);
            let mut x = Tensor::from_vec(x, (m, config.hidden), &self.device)?;
            let angles = self.angles.between(start, start + m, &self.device)?;
            let chunk = Chunk { start, angles, mask: mask(start, m, &self.device)? };
            for (index, keys_values) in segment.cache.tensors_mut().iter_mut().enumerate() {
                if interrupted() {
                    return Ok(None);
                }
                x = (&x + self.attend(config, index, &x, &chunk, keys_values)?)?;
                x = (&x + self.feed_forward(config, index, &x)?)?;
            }
            rows.push(x);
        }
        Ok(Some(rows))
    }

    /// `output(attention(q, k, v))` with `q, k, v` of the normed `x` `[m, hidden]`.
    fn attend(
        &self,
        config: &Config,
        index: usize,
        x: &Tensor,
        chunk: &Chunk,
        keys_values: &mut LayerTensors,
    ) -> Result<Tensor> {
        let (layer, adapted, eps) = (&self.weights.layers[index], self.adapted, config.norm_eps);
        let Heads { heads, kv_heads, head_dim: d } = config.heads;
        let m = x.dim(0)?;
        let x = rms_norm(x, &layer.attn_norm, eps)?;
        // [m, count d] to [count, m, d]
        let split = |x: Tensor, count: usize| x.reshape((m, count, d))?.transpose(0, 1)?.contiguous();
        let turned = |x: Tensor, count: usize, norm: Option<&Tensor>| {
            let x = split(x, count)?;
            let x = norm.map_or(Ok(x.clone()), |norm| rms_norm(&x, norm, eps))?;
            self.angles.turn(&x, &chunk.angles)
        };
        let q = turned(layer.attn_q.forward(&x, adapted)?, heads, layer.attn_q_norm.as_ref())?;
        let k = turned(layer.attn_k.forward(&x, adapted)?, kv_heads, layer.attn_k_norm.as_ref())?;
        let v = split(layer.attn_v.forward(&x, adapted)?, kv_heads)?;
        let (k, v) = keys_values.write(chunk.start, &k, &v)?;
        let positions = chunk.start + m;

        // The query heads of one key head lie together: [kv_heads, heads / kv_heads m, d].
        let q = (q * (d as f64).powf(-0.5))?.reshape((kv_heads, heads / kv_heads * m, d))?;
        let mut scores = q.matmul(&k.t()?)?;
        if let Some(mask) = &chunk.mask {
            let by_head = scores.reshape((heads, m, positions))?.broadcast_add(mask)?;
            scores = by_head.reshape((kv_heads, heads / kv_heads * m, positions))?;
        }
        let attended = softmax_last_dim(&scores)?.matmul(&v)?;
        let attended = attended.reshape((heads, m, d))?.transpose(0, 1)?.reshape((m, heads * d))?;
        layer.attn_output.forward(&attended, adapted)
    }

    /// `down(silu(gate(n)) * up(n))` with `n` the normed `x`.
    fn feed_forward(&self, config: &Config, index: usize, x: &Tensor) -> Result<Tensor> {
        let (layer, adapted) = (&self.weights.layers[index], self.adapted);
        let x = rms_norm(x, &layer.ffn_norm, config.norm_eps)?;
        let gate = layer.ffn_gate.forward(&x, adapted)?.silu()?;
        layer.ffn_down.forward(&(gate * layer.ffn_up.forward(&x, adapted)?)?, adapted)
    }

    /// Calls `take` with the logits `[ROWS or fewer, vocab]` of the last forward's rows from the `from`-th on.
    fn for_logits(
        &self,
        config: &Config,
        from: usize,
        mut take: impl FnMut(&Tensor) -> Result<()>,
    ) -> Result<()> {
        let Some(hidden) = &self.hidden else { return Ok(()) };
        let m = hidden.dim(0)?;
        for first in (from..m).step_by(ROWS) {
            let rows = hidden.narrow(0, first, ROWS.min(m - first))?;
            let rows = rms_norm(&rows, &self.weights.output_norm, config.norm_eps)?;
            take(&self.weights.output.forward(&rows, false)?)?;
        }
        Ok(())
    }
}

impl Backend for Candle {
    fn attach(&mut self, adapter: &AdapterFile) -> std::result::Result<usize, ModelError> {
        self.weights.attach(adapter, self.name, &self.device)
    }

    fn use_adapter(&mut self, adapted: bool) {
        self.adapted = adapted;
    }

    fn new_layers(
        &self,
        config: &Config,
        format: KvFormat,
        capacity: usize,
    ) -> std::result::Result<Layers, ModelError> {
        if format != KvFormat::default() {
            return Err(ModelError::Unsupported(format!(
                "keys and values in {} on `{}`, where they are kept in f32; leave `model.kv` (`--kv`) at {}",
                format.name(),
                self.name,
                KvFormat::default().name()
            )));
        }
        Ok(Layers::Candle((0..config.layers).map(|_| LayerTensors::new(capacity)).collect()))
    }

    fn threads(&self) -> usize {
        self.name.own_threads().unwrap_or(1)
    }

    fn swap_pool(&mut self, _: &mut Pool) {}

    fn weight_bytes(&self) -> usize {
        self.weights.bytes()
    }

    fn forward(
        &mut self,
        source: &Source,
        segments: &mut [Segment<'_>],
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> std::result::Result<(), ModelError> {
        self.hidden = None;
        let device = self.device.clone();
        let done = device.with_context(|| self.run(source, segments, interrupted));
        let rows = done.map_err(|error| self.name.failed(&error))?.ok_or(ModelError::Interrupted)?;
        if !rows.is_empty() {
            self.hidden = Some(Tensor::cat(&rows, 0).map_err(|error| self.name.failed(&error))?);
        }
        for Segment { cache, tokens } in segments {
            cache.extend(tokens)?;
        }
        Ok(())
    }

    fn argmax(&mut self, config: &Config, from: usize) -> std::result::Result<&[u32], ModelError> {
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.clear();
        let done = self.device.with_context(|| {
            self.for_logits(config, from, |logits| {
                chosen.extend(logits.argmax(D::Minus1)?.to_vec1::<u32>()?);
                Ok(())
            })
        });
        self.chosen = chosen;
        done.map_err(|error| self.name.failed(&error))?;
        Ok(&self.chosen)
    }

    fn logits(
        &mut self,
        config: &Config,
        from: usize,
        out: &mut Vec<f32>,
    ) -> std::result::Result<(), ModelError> {
        out.clear();
        let done = self.device.with_context(|| {
            self.for_logits(config, from, |logits| {
                out.extend(logits.flatten_all()?.to_vec1::<f32>()?);
                Ok(())
            })
        });
        done.map_err(|error| self.name.failed(&error))
    }
}

impl Angles {
    /// Cosines and sines of these positions.
    fn between(
        &mut self,
        start: usize,
        end: usize,
        device: &candle_core::Device,
    ) -> Result<(Tensor, Tensor)> {
        let made = self.tables.as_ref().map_or(0, |(cos, _)| cos.dims()[0]);
        let tables = match &self.tables {
            Some(tables) if end <= made => tables,
            _ => {
                self.rotary.extend_to(end.max(2 * made));
                let (cos, sin) = self.rotary.tables();
                let half = self.rotary.pairs();
                let upload = |values: &[f32]| Tensor::from_slice(values, (values.len() / half, half), device);
                self.tables.insert((upload(cos)?, upload(sin)?))
            }
        };
        Ok((tables.0.narrow(0, start, end - start)?, tables.1.narrow(0, start, end - start)?))
    }

    /// Rotates heads `[count, m, d]`.
    fn turn(&self, x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
        let turn = if self.interleaved { rope_i } else { rope };
        turn(&x.unsqueeze(0)?, cos, sin)?.squeeze(0)
    }
}

/// What keeps tokens from seeing those after them: minus infinity there, `[m, start + m]`.
fn mask(start: usize, m: usize, device: &candle_core::Device) -> Result<Option<Tensor>> {
    if m == 1 {
        return Ok(None);
    }
    let numbers = |from: usize| Tensor::arange(from as u32, (start + m) as u32, device);
    let later = numbers(0)?.unsqueeze(0)?.broadcast_gt(&numbers(start)?.unsqueeze(1)?)?;
    let never = Tensor::full(f32::NEG_INFINITY, later.shape(), device)?;
    later.where_cond(&never, &never.zeros_like()?).map(Some)
}
