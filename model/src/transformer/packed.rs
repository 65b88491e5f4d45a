//! The forward pass on the processor, with the kernels of this crate.
//!
//! Shapes: `m` tokens of the chunk, `d` the head size. A position's result depends on the tokens before it alone, never
//! on the chunk that it was computed in (see [`crate::kernels`]).

use super::load::Loader;
use super::{Backend, Segment, Source};
use crate::adapter::AdapterFile;
use crate::cache;
use crate::config::Config;
use crate::error::ModelError;
use crate::kernels::attention::{Heads, KEYS, LayerCache, Span, attention};
use crate::kernels::isa::Isa;
use crate::kernels::linear::{argmax, linear, linear_add, linear_swiglu};
use crate::kernels::low_rank::{LowRank, project};
use crate::kernels::ops::{Rotary, rms_norm};
use crate::kernels::packed::Packed;
use crate::kernels::pool::Pool;
use crate::kernels::quantize::Activations;
use crate::kv_cache::{KvFormat, Layers};
use crate::repacked::{self, Repacked};
use smallvec::{SmallVec, smallvec};
use std::path::Path;

/// Sequences of one forward whose handles need no memory of their own.
const FEW: usize = 8;

/// One decoder layer's weights.
pub(super) struct Layer {
    pub(super) attn_norm: Vec<f32>,
    pub(super) attn_q: Packed,
    pub(super) attn_k: Packed,
    pub(super) attn_v: Packed,
    /// Norms on each head of q and k (qwen3), `[d]`.
    pub(super) attn_q_norm: Option<Vec<f32>>,
    pub(super) attn_k_norm: Option<Vec<f32>>,
    pub(super) attn_output: Packed,
    pub(super) ffn_norm: Vec<f32>,
    pub(super) ffn_gate: Packed,
    pub(super) ffn_up: Packed,
    pub(super) ffn_down: Packed,
}

/// The matrices of a layer as GGUF files call them, those with the same input together.
const PARTS: [&[&str]; 4] =
    [&["attn_q", "attn_k", "attn_v"], &["attn_output"], &["ffn_gate", "ffn_up"], &["ffn_down"]];

impl Layer {
    /// The matrices in the order of [`PARTS`].
    fn by_input(&mut self) -> [Vec<&mut Packed>; 4] {
        [
            vec![&mut self.attn_q, &mut self.attn_k, &mut self.attn_v],
            vec![&mut self.attn_output],
            vec![&mut self.ffn_gate, &mut self.ffn_up],
            vec![&mut self.ffn_down],
        ]
    }
}

/// The weights, repacked, with the threads and the working memory.
pub(super) struct Packing {
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    output: Packed,
    rotary: Rotary,
    pool: Pool,
    isa: Isa,
    work: Workspace,
    /// Whether forwards go through the adapter, if there is one.
    adapted: bool,
}

/// Buffers of the forward pass, kept between calls.
#[derive(Default)]
struct Workspace {
    /// Each row's segment, and its position there.
    rows: Vec<(usize, usize)>,
    /// Residual stream `[m][hidden]`; after a forward, what the output layer reads.
    x: Vec<f32>,
    /// `[m][(heads + 2 kv_heads) d]`
    qkv: Vec<f32>,
    /// `[m][heads d]`
    attended: Vec<f32>,
    /// `[m][hidden]` or `[m][heads d]`, the input of the next matrix.
    activations: Activations,
    /// `[m][feed_forward]`
    gated: Activations,
    /// The most likely next tokens.
    chosen: Vec<u32>,
    /// Tokens of the last forward.
    m: usize,
}

impl Packing {
    /// Loads the model at `path` and repacks its weights.
    pub(super) fn load(
        source: &Source,
        path: &Path,
        threads: usize,
        isa: Isa,
    ) -> Result<Packing, ModelError> {
        let Source { file, config, .. } = source;
        let pool = Pool::new(threads);
        let cache = cache::folder().ok();
        let kept = cache.as_deref().and_then(|cache| Repacked::open(cache, path));
        let loader = Loader { file, config, pool: &pool, kept };
        let layers = (0..config.layers).map(|index| loader.layer(index)).collect::<Result<Vec<_>, _>>()?;
        let output = loader.matrix(source.output_name(), config.vocab, config.hidden, None)?;
        let factors = source.rope_factors()?;
        let packing = Packing {
            rotary: Rotary::new(config.heads.head_dim, config.rope_base, factors.as_deref()),
            output_norm: file.vector("output_norm.weight", config.hidden)?,
            layers,
            output,
            pool,
            isa,
            work: Workspace::default(),
            adapted: false,
        };
        if let Some(cache) = cache {
            packing.keep_repacked(&cache, path, source.output_name());
        }
        Ok(packing)
    }

    /// Keeps the repacked weights for the next start, if they are not kept already. That this fails is no failure.
    fn keep_repacked(&self, cache: &Path, path: &Path, output: &'static str) {
        let matrices = self.matrices(output);
        if matrices.iter().all(|(_, matrix)| matrix.is_mapped()) {
            return;
        }
        let bytes: Vec<_> = matrices.into_iter().map(|(name, matrix)| (name, matrix.data())).collect();
        if let Err(error) = repacked::write(cache, path, &bytes) {
            tracing::debug!("the repacked weights are not kept: {error}");
        }
    }

    /// Every matrix under the name by which it is kept, that of the output layer given.
    fn matrices(&self, output: &str) -> Vec<(String, &Packed)> {
        let mut all = vec![(output.to_owned(), &self.output)];
        for (index, layer) in self.layers.iter().enumerate() {
            let parts = [
                ("attn_q", &layer.attn_q),
                ("attn_k", &layer.attn_k),
                ("attn_v", &layer.attn_v),
                ("attn_output", &layer.attn_output),
                ("ffn_gate", &layer.ffn_gate),
                ("ffn_up", &layer.ffn_up),
                ("ffn_down", &layer.ffn_down),
            ];
            all.extend(parts.map(|(part, matrix)| (format!("blk.{index}.{part}.weight"), matrix)));
        }
        all
    }

    /// `x += output(attention(q, k, v))` with `q, k, v` of the normed `x`.
    fn attend(&mut self, config: &Config, index: usize, segments: &mut [Segment<'_>]) {
        let layer = &self.layers[index];
        let Heads { heads, kv_heads, head_dim: d } = config.heads;
        let (isa, pool, eps, w) = (self.isa, &self.pool, config.norm_eps, &mut self.work);
        let (hidden, m) = (config.hidden, w.m);
        let x = &w.x;
        w.activations.reshape(m, hidden);
        w.activations.fill(isa, pool, &|row, out| {
            rms_norm(isa, &x[row * hidden..(row + 1) * hidden], &layer.attn_norm, eps, out);
        });
        let matrices = [&layer.attn_q, &layer.attn_k, &layer.attn_v];
        if self.adapted {
            project(isa, pool, &mut w.activations, &matrices);
        }
        linear(isa, pool, &w.activations, &matrices, &mut w.qkv);

        let stride = (heads + 2 * kv_heads) * d;
        let writers: SmallVec<[_; FEW]> =
            segments.iter_mut().map(|segment| segment.cache.packed_mut()[index].writer()).collect();
        let (rotary, rows) = (&self.rotary, &w.rows);
        pool.for_each_row(&mut w.qkv[..m * stride], stride, &|row, qkv| {
            let (segment, position) = rows[row];
            let (q, kv) = qkv.split_at_mut(heads * d);
            let (k, v) = kv.split_at_mut(kv_heads * d);
            let norms = if layer.attn_q_norm.is_some() { d } else { 0 };
            let mut normed: SmallVec<[f32; 128]> = smallvec![0.0; norms];
            let parts = [(q, &layer.attn_q_norm), (&mut *k, &layer.attn_k_norm)];
            for (part, norm) in parts {
                for head in part.chunks_exact_mut(d) {
                    if let Some(norm) = norm {
                        rms_norm(isa, head, norm, eps, &mut normed);
                        head.copy_from_slice(&normed);
                    }
                    rotary.rotate(position, head);
                }
            }
            for (head, (k, v)) in k.chunks_exact(d).zip(v.chunks_exact(d)).enumerate() {
                // SAFETY: the caches outlive this region, and each row writes its own position of its own cache.
                #[allow(unsafe_code)]
                unsafe {
                    writers[segment].write(isa, head, position, k, v);
                }
            }
        });
        let mut row = 0;
        let mut spans = SmallVec::<[_; FEW]>::new();
        for Segment { cache, tokens } in segments.iter() {
            let (start, tokens) = (cache.len() - tokens.len(), tokens.len());
            spans.push(Span { cache: &cache.packed()[index], start, tokens, row });
            row += tokens;
        }
        attention(isa, pool, config.heads, &spans, &w.qkv, stride, &mut w.attended);

        let width = heads * d;
        let attended = &w.attended;
        w.activations.reshape(m, width);
        w.activations.fill(isa, pool, &|row, out| {
            out.copy_from_slice(&attended[row * width..(row + 1) * width]);
        });
        if self.adapted {
            project(isa, pool, &mut w.activations, &[&layer.attn_output]);
        }
        linear_add(isa, pool, &w.activations, &layer.attn_output, &mut w.x);
    }

    /// `x += down(silu(gate(n)) * up(n))` with `n` the normed `x`.
    fn feed_forward(&mut self, config: &Config, index: usize) {
        let layer = &self.layers[index];
        let (isa, pool, eps, w) = (self.isa, &self.pool, config.norm_eps, &mut self.work);
        let (hidden, m) = (config.hidden, w.m);
        let x = &w.x;
        w.activations.reshape(m, hidden);
        w.activations.fill(isa, pool, &|row, out| {
            rms_norm(isa, &x[row * hidden..(row + 1) * hidden], &layer.ffn_norm, eps, out);
        });
        if self.adapted {
            project(isa, pool, &mut w.activations, &[&layer.ffn_gate, &layer.ffn_up]);
        }
        linear_swiglu(isa, pool, &w.activations, &layer.ffn_gate, &layer.ffn_up, &mut w.gated);
        if self.adapted {
            project(isa, pool, &mut w.gated, &[&layer.ffn_down]);
        }
        linear_add(isa, pool, &w.gated, &layer.ffn_down, &mut w.x);
    }

    fn normalize_output(&mut self, config: &Config, from: usize) {
        let (isa, eps, hidden, w) = (self.isa, config.norm_eps, config.hidden, &mut self.work);
        let (x, norm) = (&w.x, &self.output_norm);
        w.activations.reshape(w.m.saturating_sub(from), hidden);
        w.activations.fill(isa, &self.pool, &|row, out| {
            let row = row + from;
            rms_norm(isa, &x[row * hidden..(row + 1) * hidden], norm, eps, out);
        });
    }
}

impl Backend for Packing {
    fn attach(&mut self, adapter: &AdapterFile) -> Result<usize, ModelError> {
        let mut found = 0;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (input, group) in layer.by_input().into_iter().enumerate() {
                let mut at = 0;
                for (part, matrix) in PARTS[input].iter().zip(group) {
                    let name = format!("blk.{index}.{part}.weight");
                    matrix.low_rank = adapter.beside(&name, matrix.n, matrix.k, at)?;
                    at += matrix.low_rank.as_ref().map_or(0, LowRank::rank);
                    found += usize::from(matrix.low_rank.is_some());
                }
            }
        }
        Ok(found)
    }

    fn use_adapter(&mut self, adapted: bool) {
        self.adapted = adapted;
    }

    fn new_layers(&self, config: &Config, format: KvFormat, capacity: usize) -> Result<Layers, ModelError> {
        let Heads { kv_heads, head_dim, .. } = config.heads;
        let layer = || LayerCache::new(format, kv_heads, head_dim, capacity.next_multiple_of(KEYS));
        Ok(Layers::Packed(self.layers.iter().map(|_| layer()).collect()))
    }

    fn threads(&self) -> usize {
        self.pool.threads()
    }

    fn swap_pool(&mut self, pool: &mut Pool) {
        std::mem::swap(&mut self.pool, pool);
    }

    fn weight_bytes(&self) -> usize {
        self.matrices("").into_iter().map(|(_, matrix)| matrix.bytes()).sum()
    }

    fn forward(
        &mut self,
        source: &Source,
        segments: &mut [Segment<'_>],
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), ModelError> {
        let config = &source.config;
        self.work.reshape(config, segments.iter().map(|segment| segment.tokens.len()).sum());
        source.embed(segments, &mut self.work.x);
        self.work.rows.clear();
        for (index, Segment { cache, tokens }) in segments.iter_mut().enumerate() {
            let start = cache.extend(tokens)?;
            self.rotary.extend_to(start + tokens.len());
            self.work.rows.extend((start..start + tokens.len()).map(|position| (index, position)));
        }
        for index in 0..self.layers.len() {
            if interrupted() {
                for Segment { cache, tokens } in segments.iter_mut() {
                    cache.truncate(cache.len() - tokens.len());
                }
                return Err(ModelError::Interrupted);
            }
            self.attend(config, index, segments);
            self.feed_forward(config, index);
        }
        Ok(())
    }

    fn argmax(&mut self, config: &Config, from: usize) -> Result<&[u32], ModelError> {
        self.normalize_output(config, from);
        argmax(self.isa, &self.pool, &self.work.activations, &self.output, &mut self.work.chosen);
        Ok(&self.work.chosen)
    }

    fn logits(&mut self, config: &Config, from: usize, out: &mut Vec<f32>) -> Result<(), ModelError> {
        self.normalize_output(config, from);
        out.resize(self.work.activations.m * config.vocab, 0.0);
        linear(self.isa, &self.pool, &self.work.activations, &[&self.output], out);
        Ok(())
    }
}

impl Workspace {
    fn reshape(&mut self, config: &Config, m: usize) {
        let Heads { heads, kv_heads, head_dim } = config.heads;
        let grow = |buffer: &mut Vec<f32>, width: usize| {
            if buffer.len() < m * width {
                buffer.resize(m * width, 0.0);
            }
        };
        grow(&mut self.x, config.hidden);
        grow(&mut self.qkv, (heads + 2 * kv_heads) * head_dim);
        grow(&mut self.attended, heads * head_dim);
        self.m = m;
    }
}
