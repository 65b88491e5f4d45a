//! The worker: one thread owns weights, caches and working memory; requests go in, events come out.
//!
//! Every request is answered by exactly one [`Event::Finished`]. After each forward pass the worker looks for
//! cancellations and for more urgent requests, so both take effect within one chunk; a completion that somebody waits for
//! interrupts it. A panic ends its request, and those
//! that share its forward. When nothing was asked for a while, the worker measures what forwards cost (see
//! [`crate::tuning`]).

mod run;

use crate::decode::{Completed, CompletionRequest, DecoderKind, Stats, StopReason};
use crate::device::Device;
use crate::error::ModelError;
use crate::kv_cache::KvFormat;
use crate::machine;
use crate::prompt::PromptFamily;
use crate::score::{ScoreRequest, Scores};
use crate::tokenizer::Tokenizer;
use crate::transformer::Transformer;
use crate::tuning::kept::Kept;
use run::Worker;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How the engine is set up.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Where the model runs.
    pub device: Device,
    /// Threads of the kernels on [`Device::Cpu`]; by default as many as [`threads_for`] says.
    pub threads: Option<usize>,
    /// Positions of the KV cache; by default what the model was trained for, at most 32,768. Memory is used as it fills.
    pub context: Option<usize>,
    /// In which integers the KV cache is kept on [`Device::Cpu`]; elsewhere it is kept in f32.
    pub kv: KvFormat,
    /// Rewrites that are decoded side by side, each with a cache of its own; by default one, the others wait. More is
    /// for getting many done, not for getting one done fast.
    pub side_by_side: Option<usize>,
    /// An adapter that rewrites can go through, a name of [`crate::adapters`] or a file; completion runs the base model alone.
    pub adapter: Option<PathBuf>,
}

/// What is loaded.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The file.
    pub path: PathBuf,
    /// The model's own name for itself.
    pub name: String,
    /// Its architecture.
    pub architecture: &'static str,
    /// How it is spoken to.
    pub family: PromptFamily,
    /// Positions of the KV cache.
    pub context_length: usize,
    /// Where it runs.
    pub device: Device,
    /// Threads of the kernels.
    pub threads: usize,
    /// Whether there is an adapter that rewrites can go through.
    pub adapted: bool,
}

/// How urgent a request is. A more urgent one interrupts a less urgent one between two forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Work ahead of time; given up as soon as an apply comes.
    Background,
    /// A rewrite that the user waits for.
    Apply,
}

/// Texts that the output is likely to copy.
#[derive(Clone, Debug, Default)]
pub struct DraftSources {
    /// The file before the edit.
    pub original: String,
    /// The code of the suggestion.
    pub suggestion: String,
    /// What the output will probably be, if there is a guess.
    pub merged: Option<String>,
}

/// Text to be generated.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    /// The prompt, as [`crate::prompt`] renders it; not empty.
    pub prompt: Vec<u32>,
    /// What to draft from.
    pub draft: DraftSources,
    /// How to decode.
    pub decoder: DecoderKind,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// The text ends before the first of these.
    pub stop: Vec<String>,
    /// Urgency.
    pub priority: Priority,
    /// Whether it goes through the adapter, if there is one.
    pub adapted: bool,
    /// Ends the request within one forward.
    pub cancel: CancellationToken,
}

/// What a request hears.
#[derive(Debug)]
pub enum Event {
    /// The prompt is being read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
    },
    /// Verified text, whole characters.
    Text {
        /// The text, to be added to what came before.
        text: String,
        /// Costs so far.
        stats: Stats,
    },
    /// The last event.
    Finished(Result<Finished, ModelError>),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finished {
    /// Why.
    pub stop: StopReason,
    /// What it cost.
    pub stats: Stats,
}

/// The way to a loaded model. Clones share it; the worker ends with the last one.
#[derive(Clone)]
pub struct ModelHandle {
    shared: Arc<Shared>,
}

struct Shared {
    info: ModelInfo,
    tokenizer: Arc<Tokenizer>,
    requests: Sender<Command>,
    /// Completions that somebody waits for and that the worker has not seen yet.
    urgent: Arc<AtomicUsize>,
}

enum Command {
    Generate(GenerateRequest, UnboundedSender<Event>),
    Score(ScoreRequest, oneshot::Sender<Result<Scores, ModelError>>),
    Complete(CompletionRequest, oneshot::Sender<Result<Completed, ModelError>>),
    Prepare {
        prefix: Vec<u32>,
        adapted: bool,
        cancel: CancellationToken,
    },
    Forget,
    /// Measure now; the sender is dropped when that is done.
    Measure(Sender<()>),
}

/// Threads for a model file on a device of this machine: on [`Device::Cpu`] as many as were measured to be fastest, and
/// before that one for each physical core, at most 8.
pub fn threads_for(device: Device, kept: &Kept) -> usize {
    let measured = || kept.threads().unwrap_or_else(|| machine::physical_cores().min(8));
    device.own_threads().unwrap_or_else(measured)
}

impl ModelHandle {
    /// Loads a model file and starts its worker. Takes as long as reading and repacking the weights takes.
    pub fn load(path: &Path, options: &EngineOptions) -> Result<ModelHandle, ModelError> {
        let kept = Kept::open(path, options.device);
        let threads = options.threads.unwrap_or_else(|| threads_for(options.device, &kept)).max(1);
        let mut model = Transformer::load_on(path, options.device, threads)?;
        // What cannot be kept is said now and not at the first request.
        model.new_cache(options.kv, 1)?;
        if let Some(adapter) = &options.adapter {
            model.attach(adapter)?;
        }
        let tokenizer = Tokenizer::from_gguf(model.file().content())
            .map_err(|error| ModelError::Tokenizer(error.to_string()))?;
        let family = PromptFamily::of_gguf(model.file().content()).ok_or_else(|| {
            ModelError::Unsupported(
                "its chat template is of no known family; use an instruct model".to_owned(),
            )
        })?;
        let trained = model.config().context_length;
        let info = ModelInfo {
            path: path.to_owned(),
            name: model.config().name.clone(),
            architecture: model.config().architecture.name(),
            family,
            context_length: options.context.unwrap_or(trained.min(32_768)).clamp(256, trained.max(256)),
            device: model.device(),
            threads: model.threads(),
            adapted: options.adapter.is_some(),
        };
        let (requests, commands) = channel();
        let tokenizer = Arc::new(tokenizer);
        let own = Arc::clone(&tokenizer);
        let urgent = Arc::<AtomicUsize>::default();
        let seen = Arc::clone(&urgent);
        let options = EngineOptions { context: Some(info.context_length), ..options.clone() };
        std::thread::Builder::new()
            .name("redraft-model".to_owned())
            .spawn(move || Worker::new(model, &own, kept, &options, seen).run(&commands))
            .map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
        Ok(ModelHandle { shared: Arc::new(Shared { info, tokenizer, requests, urgent }) })
    }

    /// What is loaded.
    pub fn info(&self) -> &ModelInfo {
        &self.shared.info
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.shared.tokenizer
    }

    /// Queues a request. Dropping the receiver cancels it.
    pub fn submit(&self, request: GenerateRequest) -> UnboundedReceiver<Event> {
        let (events, receiver) = unbounded_channel();
        if let Err(unsent) = self.shared.requests.send(Command::Generate(request, events))
            && let Command::Generate(_, events) = unsent.0
        {
            // The receiver is in our hands: this cannot fail.
            let _ = events.send(Event::Finished(Err(ModelError::WorkerGone)));
        }
        receiver
    }

    /// Queues texts to be scored by the base model, as urgent as a rewrite. Dropping the receiver cancels the request; an
    /// answer that does not come means that the worker is gone.
    pub fn score(&self, request: ScoreRequest) -> oneshot::Receiver<Result<Scores, ModelError>> {
        let (answer, receiver) = oneshot::channel();
        // Without a worker the sender is dropped, which the receiver sees.
        let _ = self.shared.requests.send(Command::Score(request, answer));
        receiver
    }

    /// Queues a completion, more urgent than everything else unless it is ahead of time: a forward of other work is given
    /// up for it and made again later. Dropping the receiver cancels it; an
    /// answer that does not come means that the worker is gone.
    pub fn complete(&self, request: CompletionRequest) -> oneshot::Receiver<Result<Completed, ModelError>> {
        let (answer, receiver) = oneshot::channel();
        if !request.ahead {
            self.shared.urgent.fetch_add(1, Ordering::Relaxed);
        }
        // As in `score`.
        let _ = self.shared.requests.send(Command::Complete(request, answer));
        receiver
    }

    /// Reads the beginning of a prompt ahead of time, when nothing else is to be done; `adapted` as in
    /// [`GenerateRequest`].
    pub fn prepare(&self, prefix: Vec<u32>, adapted: bool, cancel: CancellationToken) {
        // Without a worker there is nothing to prepare for.
        let _ = self.shared.requests.send(Command::Prepare { prefix, adapted, cancel });
    }

    /// Measures what forwards cost on this machine if that was never done, so that the first work profits from it; takes
    /// up to two seconds. Otherwise, and without this, it is measured when there is nothing else to do.
    pub fn measure_first(&self) {
        let (done, waiting) = channel();
        let sent = self.shared.requests.send(Command::Measure(done));
        if sent.is_ok() {
            // The error is what is waited for: the worker drops its end.
            let _ = waiting.recv();
        }
    }

    /// Drops all keys and values held from earlier requests: the next one starts cold, as benchmarks want it.
    pub fn forget(&self) {
        // As in `prepare`.
        let _ = self.shared.requests.send(Command::Forget);
    }
}
