//! The transformer, top to bottom: weights and the forward pass of a chunk of tokens at any offset.
//!
//! Shapes: `m` tokens of the chunk, `d` the head size. A position's result depends on the tokens before it alone, never
//! on the chunk that it was computed in (see [`crate::kernels`]).

use crate::adapter::AdapterFile;
use crate::cache;
use crate::config::{Architecture, Config};
use crate::error::ModelError;
use crate::gguf::{GgufFile, TensorBytes};
use crate::kernels::attention::{Heads, Span, attention};
use crate::kernels::isa::Isa;
use crate::kernels::linear::{argmax, linear, linear_add, linear_swiglu};
use crate::kernels::low_rank::{LowRank, project};
use crate::kernels::ops::{Rotary, rms_norm};
use crate::kernels::packed::Packed;
use crate::kernels::pool::Pool;
use crate::kernels::quantize::Activations;
use crate::kv_cache::KvCache;
use crate::repacked::{self, Repacked};
use smallvec::{SmallVec, smallvec};
use std::path::Path;

/// Sequences of one forward whose handles need no memory of their own.
const FEW: usize = 8;

/// One decoder layer's weights.
struct Layer {
    attn_norm: Vec<f32>,
    attn_q: Packed,
    attn_k: Packed,
    attn_v: Packed,
    /// Norms on each head of q and k (qwen3), `[d]`.
    attn_q_norm: Option<Vec<f32>>,
    attn_k_norm: Option<Vec<f32>>,
    attn_output: Packed,
    ffn_norm: Vec<f32>,
    ffn_gate: Packed,
    ffn_up: Packed,
    ffn_down: Packed,
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

/// A loaded model with its threads and working memory. Not shared: one thread runs it.
pub struct Transformer {
    config: Config,
    file: GgufFile,
    token_embd: TensorBytes,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    output: Packed,
    rotary: Rotary,
    pool: Pool,
    isa: Isa,
    work: Workspace,
    /// Whether forwards go through the adapter, if there is one.
    adapted: bool,
    /// Says whether the forward that runs is to be given up.
    interrupt: Option<Interrupt>,
}

/// Asked between two layers; true gives the forward up.
pub(crate) type Interrupt = Box<dyn Fn() -> bool + Send>;

/// Tokens of one sequence, to be run after what its cache holds.
pub struct Segment<'a> {
    /// The sequence so far; takes the tokens up.
    pub cache: &'a mut KvCache,
    /// The tokens to run.
    pub tokens: &'a [u32],
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

impl Transformer {
    /// Loads `path` and repacks its weights, on `threads` threads.
    pub fn load(path: &Path, threads: usize) -> Result<Transformer, ModelError> {
        Self::load_with(path, threads, Isa::best())
    }

    /// As [`Transformer::load`], with the instruction set named (one of [`Isa::available`]).
    pub fn load_with(path: &Path, threads: usize, isa: Isa) -> Result<Transformer, ModelError> {
        let file = GgufFile::open(path)?;
        let config = Config::from_gguf(&file)?;
        let pool = Pool::new(threads);
        let cache = cache::folder().ok();
        let kept = cache.as_deref().and_then(|cache| Repacked::open(cache, path));
        let loader = Loader { file: &file, config: &config, pool: &pool, kept };
        let layers = (0..config.layers).map(|index| loader.layer(index)).collect::<Result<Vec<_>, _>>()?;
        let token_embd = file.tensor("token_embd.weight")?;
        if token_embd.k != config.hidden {
            return Err(file.corrupt("the embedding's width is not the hidden size"));
        }
        let output = loader.matrix(output_name(&file), config.vocab, config.hidden, None)?;
        let d = config.heads.head_dim;
        let factors =
            file.has("rope_freqs.weight").then(|| file.vector("rope_freqs.weight", d / 2)).transpose()?;
        let model = Transformer {
            rotary: Rotary::new(d, config.rope_base, factors.as_deref()),
            output_norm: file.vector("output_norm.weight", config.hidden)?,
            layers,
            output,
            token_embd,
            pool,
            isa,
            work: Workspace::default(),
            adapted: false,
            interrupt: None,
            config,
            file,
        };
        if let Some(cache) = cache {
            model.keep_repacked(&cache, path);
        }
        Ok(model)
    }

    /// Keeps the repacked weights for the next start, if they are not kept already. That this fails is no failure.
    fn keep_repacked(&self, cache: &Path, path: &Path) {
        let matrices = self.matrices();
        if matrices.iter().all(|(_, matrix)| matrix.is_mapped()) {
            return;
        }
        let bytes: Vec<_> = matrices.into_iter().map(|(name, matrix)| (name, matrix.data())).collect();
        if let Err(error) = repacked::write(cache, path, &bytes) {
            tracing::debug!("the repacked weights are not kept: {error}");
        }
    }

    /// Every matrix under the name by which it is kept.
    fn matrices(&self) -> Vec<(String, &Packed)> {
        let mut all = vec![(output_name(&self.file).to_owned(), &self.output)];
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

    /// Puts the adapter in the file `path` beside the weights; [`Transformer::use_adapter`] says when it counts.
    pub fn attach(&mut self, path: &Path) -> Result<(), ModelError> {
        if self.config.architecture == Architecture::Llama {
            let what = "adapters beside models of the llama architecture";
            return Err(ModelError::Unsupported(what.to_owned()));
        }
        let adapter = AdapterFile::open(path, &self.file, self.config.architecture.name())?;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (input, group) in layer.by_input().into_iter().enumerate() {
                let mut at = 0;
                for (part, matrix) in PARTS[input].iter().zip(group) {
                    let name = format!("blk.{index}.{part}.weight");
                    matrix.low_rank = adapter.beside(&name, matrix.n, matrix.k, at)?;
                    at += matrix.low_rank.as_ref().map_or(0, LowRank::rank);
                }
            }
        }
        if self.matrices().iter().all(|(_, matrix)| matrix.low_rank.is_none()) {
            let what = format!("{}: the adapter goes beside no matrix of the model", path.display());
            return Err(ModelError::Unsupported(what));
        }
        Ok(())
    }

    /// Whether the forwards from now on go through the attached adapter. A cache that was filled in one way must not be
    /// gone on with in the other.
    pub fn use_adapter(&mut self, adapted: bool) {
        self.adapted = adapted;
    }

    /// Forwards from now on are given up within a layer once `interrupt` says so: they fail with
    /// [`ModelError::Interrupted`], and their caches are as before.
    pub(crate) fn interrupt_when(&mut self, interrupt: Option<Interrupt>) {
        self.interrupt = interrupt;
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file it was loaded from.
    pub fn file(&self) -> &GgufFile {
        &self.file
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The number of threads in use.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Computes with the threads of `pool` from now on, and hands its own over.
    pub fn swap_pool(&mut self, pool: &mut Pool) {
        std::mem::swap(&mut self.pool, pool);
    }

    /// Bytes of weights that one decoded token reads.
    pub fn weight_bytes(&self) -> usize {
        self.matrices().into_iter().map(|(_, matrix)| matrix.bytes()).sum()
    }

    /// Runs `tokens` after what `cache` holds and adds them to it. [`Transformer::argmax`] and [`Transformer::logits`]
    /// then answer for these tokens.
    pub fn forward(&mut self, cache: &mut KvCache, tokens: &[u32]) -> Result<(), ModelError> {
        self.forward_segments(&mut [Segment { cache, tokens }])
    }

    /// Runs several sequences' tokens in one pass over the weights; rows follow one another as the segments do. A
    /// sequence's results are those that it would have alone.
    pub fn forward_segments(&mut self, segments: &mut [Segment<'_>]) -> Result<(), ModelError> {
        let all = || segments.iter().flat_map(|segment| segment.tokens);
        if let Some(bad) = all().find(|token| **token as usize >= self.config.vocab) {
            return Err(ModelError::UnknownToken(*bad));
        }
        for segment in segments.iter() {
            segment.cache.has_room(segment.tokens.len())?;
        }
        self.work.reshape(&self.config, all().count());
        self.embed(segments);
        self.work.rows.clear();
        for (index, Segment { cache, tokens }) in segments.iter_mut().enumerate() {
            let start = cache.extend(tokens)?;
            self.rotary.extend_to(start + tokens.len());
            self.work.rows.extend((start..start + tokens.len()).map(|position| (index, position)));
        }
        for index in 0..self.layers.len() {
            if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) {
                for Segment { cache, tokens } in segments.iter_mut() {
                    cache.truncate(cache.len() - tokens.len());
                }
                return Err(ModelError::Interrupted);
            }
            self.attend(index, segments);
            self.feed_forward(index);
        }
        Ok(())
    }

    /// The most likely next token after each token of the last forward, from the `from`-th on.
    pub fn argmax(&mut self, from: usize) -> &[u32] {
        self.normalize_output(from);
        argmax(self.isa, &self.pool, &self.work.activations, &self.output, &mut self.work.chosen);
        &self.work.chosen
    }

    /// The logits `[m - from][vocab]` after each token of the last forward, from the `from`-th on.
    pub fn logits(&mut self, from: usize, out: &mut Vec<f32>) {
        self.normalize_output(from);
        out.resize(self.work.activations.m * self.config.vocab, 0.0);
        linear(self.isa, &self.pool, &self.work.activations, &[&self.output], out);
    }

    fn embed(&mut self, segments: &[Segment<'_>]) {
        let tokens = segments.iter().flat_map(|segment| segment.tokens);
        let bytes = self.file.bytes(&self.token_embd);
        let row_bytes = self.token_embd.blocks.row_bytes(self.config.hidden);
        for (token, x) in tokens.zip(self.work.x.chunks_exact_mut(self.config.hidden)) {
            let row = &bytes[*token as usize * row_bytes..][..row_bytes];
            self.token_embd.blocks.dequantize_row(row, x);
        }
    }

    /// `x += output(attention(q, k, v))` with `q, k, v` of the normed `x`.
    fn attend(&mut self, index: usize, segments: &mut [Segment<'_>]) {
        let layer = &self.layers[index];
        let Heads { heads, kv_heads, head_dim: d } = self.config.heads;
        let (isa, pool, eps, w) = (self.isa, &self.pool, self.config.norm_eps, &mut self.work);
        let (hidden, m) = (self.config.hidden, w.m);
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
            segments.iter_mut().map(|segment| segment.cache.layers[index].writer()).collect();
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
            spans.push(Span { cache: &cache.layers[index], start, tokens, row });
            row += tokens;
        }
        attention(isa, pool, self.config.heads, &spans, &w.qkv, stride, &mut w.attended);

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
    fn feed_forward(&mut self, index: usize) {
        let layer = &self.layers[index];
        let (isa, pool, eps, w) = (self.isa, &self.pool, self.config.norm_eps, &mut self.work);
        let (hidden, m) = (self.config.hidden, w.m);
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

    fn normalize_output(&mut self, from: usize) {
        let (isa, eps, hidden, w) = (self.isa, self.config.norm_eps, self.config.hidden, &mut self.work);
        let (x, norm) = (&w.x, &self.output_norm);
        w.activations.reshape(w.m.saturating_sub(from), hidden);
        w.activations.fill(isa, &self.pool, &|row, out| {
            let row = row + from;
            rms_norm(isa, &x[row * hidden..(row + 1) * hidden], norm, eps, out);
        });
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

/// The tensor of the output layer, which may be the embedding.
fn output_name(file: &GgufFile) -> &'static str {
    if file.has("output.weight") { "output.weight" } else { "token_embd.weight" }
}

/// What loading takes.
struct Loader<'a> {
    file: &'a GgufFile,
    config: &'a Config,
    pool: &'a Pool,
    /// Weights that were repacked before.
    kept: Option<Repacked>,
}

impl Loader<'_> {
    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
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
    fn matrix(
        &self,
        name: &str,
        n: usize,
        k: usize,
        interleaved: Option<usize>,
    ) -> Result<Packed, ModelError> {
        let file = self.file;
        let tensor = file.tensor(name)?;
        if (tensor.n, tensor.k) != (n, k) {
            return Err(
                file.corrupt(format!("tensor {name} is {}x{} instead of {n}x{k}", tensor.n, tensor.k))
            );
        }
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
