//! The transformer, top to bottom: weights and the forward pass of a chunk of tokens at any offset.
//!
//! Two backends run it: `packed` on the processor with this crate's kernels, and `candle` on any device of candle's
//! with candle's own quantized products. What is the same for both is here.

mod candle;
mod load;
mod packed;

pub(crate) use candle::LayerTensors;

use crate::adapter::AdapterFile;
use crate::config::{Architecture, Config};
use crate::device::Device;
use crate::error::ModelError;
use crate::gguf::{GgufFile, TensorBytes};
use crate::kernels::isa::Isa;
use crate::kernels::pool::Pool;
use crate::kv_cache::{KvCache, KvFormat, Layers};
use std::path::Path;

/// A loaded model with its threads and working memory. Not shared: one thread runs it.
pub struct Transformer {
    source: Source,
    device: Device,
    backend: Box<dyn Backend>,
    /// Says whether the forward that runs is to be given up.
    interrupt: Option<Interrupt>,
}

/// Asked between two layers; true gives the forward up.
pub(crate) type Interrupt = Box<dyn Fn() -> bool + Send + Sync>;

/// Tokens of one sequence, to be run after what its cache holds.
pub struct Segment<'a> {
    /// The sequence so far; takes the tokens up.
    pub cache: &'a mut KvCache,
    /// The tokens to run.
    pub tokens: &'a [u32],
}

/// A model's file, and what every backend reads of it.
struct Source {
    file: GgufFile,
    config: Config,
    token_embd: TensorBytes,
}

/// What runs a model's layers. The tokens of a call are known and fit the caches, which it made itself.
trait Backend: Send {
    /// Puts the adapter's parts beside the matrices that it has some for, and says how many these are.
    fn attach(&mut self, adapter: &AdapterFile) -> Result<usize, ModelError>;

    /// See [`Transformer::use_adapter`].
    fn use_adapter(&mut self, adapted: bool);

    /// Empty keys and values for every layer.
    fn new_layers(&self, config: &Config, format: KvFormat, capacity: usize) -> Result<Layers, ModelError>;

    /// Threads that compute.
    fn threads(&self) -> usize;

    /// See [`Transformer::swap_pool`]; without threads of its own it changes nothing.
    fn swap_pool(&mut self, pool: &mut Pool);

    /// Bytes of weights that one decoded token reads.
    fn weight_bytes(&self) -> usize;

    /// See [`Transformer::forward_segments`] and [`Transformer::interrupt_when`].
    fn forward(
        &mut self,
        source: &Source,
        segments: &mut [Segment<'_>],
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), ModelError>;

    /// See [`Transformer::argmax`].
    fn argmax(&mut self, config: &Config, from: usize) -> Result<&[u32], ModelError>;

    /// See [`Transformer::logits`].
    fn logits(&mut self, config: &Config, from: usize, out: &mut Vec<f32>) -> Result<(), ModelError>;
}

impl Transformer {
    /// Loads `path` to run on the processor, on `threads` threads.
    pub fn load(path: &Path, threads: usize) -> Result<Transformer, ModelError> {
        Self::load_with(path, threads, Isa::best())
    }

    /// As [`Transformer::load`], with the instruction set named (one of [`Isa::available`]).
    pub fn load_with(path: &Path, threads: usize, isa: Isa) -> Result<Transformer, ModelError> {
        let source = Source::open(path)?;
        let backend = Box::new(packed::Packing::load(&source, path, threads, isa)?);
        Ok(Transformer { source, device: Device::Cpu, backend, interrupt: None })
    }

    /// Loads `path` to run on `device`. The threads count on [`Device::Cpu`] alone.
    pub fn load_on(path: &Path, device: Device, threads: usize) -> Result<Transformer, ModelError> {
        if device == Device::Cpu {
            return Self::load(path, threads);
        }
        let opened = device.open()?;
        let source = Source::open(path)?;
        let backend = Box::new(candle::Candle::load(&source, device, opened)?);
        Ok(Transformer { source, device, backend, interrupt: None })
    }

    /// Puts the adapter in the file `path` beside the weights; [`Transformer::use_adapter`] says when it counts.
    pub fn attach(&mut self, path: &Path) -> Result<(), ModelError> {
        let config = &self.source.config;
        if config.architecture == Architecture::Llama {
            let what = "adapters beside models of the llama architecture";
            return Err(ModelError::Unsupported(what.to_owned()));
        }
        let adapter = AdapterFile::open(path, &self.source.file, config.architecture.name())?;
        if self.backend.attach(&adapter)? == 0 {
            let what = format!("{}: the adapter goes beside no matrix of the model", path.display());
            return Err(ModelError::Unsupported(what));
        }
        Ok(())
    }

    /// Whether the forwards from now on go through the attached adapter. A cache that was filled in one way must not be
    /// gone on with in the other.
    pub fn use_adapter(&mut self, adapted: bool) {
        self.backend.use_adapter(adapted);
    }

    /// Forwards from now on are given up within a layer once `interrupt` says so: they fail with
    /// [`ModelError::Interrupted`], and their caches are as before.
    pub(crate) fn interrupt_when(&mut self, interrupt: Option<Interrupt>) {
        self.interrupt = interrupt;
    }

    /// An empty cache for `capacity` positions of one sequence; memory is touched only as it fills.
    pub fn new_cache(&self, format: KvFormat, capacity: usize) -> Result<KvCache, ModelError> {
        let layers = self.backend.new_layers(&self.source.config, format, capacity)?;
        Ok(KvCache::new(self.device, layers, capacity))
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.source.config
    }

    /// The file it was loaded from.
    pub fn file(&self) -> &GgufFile {
        &self.source.file
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The number of threads in use.
    pub fn threads(&self) -> usize {
        self.backend.threads()
    }

    /// Computes with the threads of `pool` from now on, and hands its own over. Changes nothing elsewhere than on
    /// [`Device::Cpu`].
    pub fn swap_pool(&mut self, pool: &mut Pool) {
        self.backend.swap_pool(pool);
    }

    /// Bytes of weights that one decoded token reads.
    pub fn weight_bytes(&self) -> usize {
        self.backend.weight_bytes()
    }

    /// Runs `tokens` after what `cache` holds and adds them to it. [`Transformer::argmax`] and [`Transformer::logits`]
    /// then answer for these tokens.
    pub fn forward(&mut self, cache: &mut KvCache, tokens: &[u32]) -> Result<(), ModelError> {
        self.forward_segments(&mut [Segment { cache, tokens }])
    }

    /// Runs several sequences' tokens in one pass over the weights; rows follow one another as the segments do. A
    /// sequence's results are those that it would have alone.
    pub fn forward_segments(&mut self, segments: &mut [Segment<'_>]) -> Result<(), ModelError> {
        let mut tokens = segments.iter().flat_map(|segment| segment.tokens);
        if let Some(bad) = tokens.find(|token| **token as usize >= self.source.config.vocab) {
            return Err(ModelError::UnknownToken(*bad));
        }
        for segment in segments.iter() {
            segment.cache.has_room(segment.tokens.len())?;
            if segment.cache.device() != self.device {
                let (of, here) = (segment.cache.device(), self.device);
                return Err(ModelError::Unsupported(format!("a cache on {of} with a model on {here}")));
            }
        }
        let interrupt = &self.interrupt;
        let interrupted = || interrupt.as_ref().is_some_and(|interrupt| interrupt());
        self.backend.forward(&self.source, segments, &interrupted)
    }

    /// The most likely next token after each token of the last forward, from the `from`-th on.
    pub fn argmax(&mut self, from: usize) -> Result<&[u32], ModelError> {
        self.backend.argmax(&self.source.config, from)
    }

    /// The logits `[m - from][vocab]` after each token of the last forward, from the `from`-th on.
    pub fn logits(&mut self, from: usize, out: &mut Vec<f32>) -> Result<(), ModelError> {
        self.backend.logits(&self.source.config, from, out)
    }
}

impl Source {
    fn open(path: &Path) -> Result<Source, ModelError> {
        let file = GgufFile::open(path)?;
        let config = Config::from_gguf(&file)?;
        let token_embd = file.tensor("token_embd.weight")?;
        if token_embd.k != config.hidden {
            return Err(file.corrupt("the embedding's width is not the hidden size"));
        }
        Ok(Source { file, config, token_embd })
    }

    /// Writes the embeddings of the segments' tokens to `x` `[m][hidden]`.
    fn embed(&self, segments: &[Segment<'_>], x: &mut [f32]) {
        let tokens = segments.iter().flat_map(|segment| segment.tokens);
        let bytes = self.file.bytes(&self.token_embd);
        let row_bytes = self.token_embd.blocks.row_bytes(self.config.hidden);
        for (token, x) in tokens.zip(x.chunks_exact_mut(self.config.hidden)) {
            let row = &bytes[*token as usize * row_bytes..][..row_bytes];
            self.token_embd.blocks.dequantize_row(row, x);
        }
    }

    /// The tensor of the output layer, which may be the embedding.
    fn output_name(&self) -> &'static str {
        if self.file.has("output.weight") { "output.weight" } else { "token_embd.weight" }
    }

    /// What divides the frequency of each rotated pair (llama 3), if anything does.
    fn rope_factors(&self) -> Result<Option<Vec<f32>>, ModelError> {
        const NAME: &str = "rope_freqs.weight";
        let len = self.config.heads.head_dim / 2;
        self.file.has(NAME).then(|| self.file.vector(NAME, len)).transpose()
    }
}
