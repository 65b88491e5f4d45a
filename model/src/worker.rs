//! The worker: one thread owns weights, caches and working memory; requests go in, events come out.
//!
//! Every request is answered by exactly one [`Event::Finished`]. After each forward pass the worker looks for
//! cancellations and for more urgent requests, so both take effect within one chunk. A panic ends its request, and those
//! that share its forward.

use crate::decode::{
    DecoderKind, Drafter, Generation, NoDraft, SpeculativeEdit, Stats, Step, StopReason, decode_together,
};
use crate::error::ModelError;
use crate::kernels::isa::Isa;
use crate::kv_cache::KvCache;
use crate::prompt::PromptFamily;
use crate::tokenizer::Tokenizer;
use crate::transformer::Transformer;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// How the engine is set up.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Threads of the kernels; by default one for each processor, at most 8.
    pub threads: Option<usize>,
    /// Positions of the KV cache; by default what the model was trained for, at most 32,768. Memory is used as it fills.
    pub context: Option<usize>,
    /// Rewrites that are decoded side by side, each with a cache of its own; by default one, the others wait. More is
    /// for getting many done, not for getting one done fast.
    pub side_by_side: Option<usize>,
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
    /// Threads of the kernels.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub isa: Isa,
}

/// How urgent a request is. A more urgent one interrupts a less urgent one between two forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Work ahead of time; given up as soon as an apply comes.
    Background,
    /// A rewrite that the user waits for.
    Apply,
    /// Code completion.
    Completion,
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
}

enum Command {
    Generate(GenerateRequest, UnboundedSender<Event>),
    Prepare(Vec<u32>, CancellationToken),
    Forget,
}

impl ModelHandle {
    /// Loads a model file and starts its worker. Takes as long as reading and repacking the weights takes.
    pub fn load(path: &Path, options: &EngineOptions) -> Result<ModelHandle, ModelError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or(cores.min(8)).max(1);
        let model = Transformer::load(path, threads)?;
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
            threads: model.threads(),
            isa: model.isa(),
        };
        let (requests, commands) = channel();
        let tokenizer = Arc::new(tokenizer);
        let (own, context) = (Arc::clone(&tokenizer), info.context_length);
        let side_by_side = options.side_by_side.unwrap_or(1).max(1);
        std::thread::Builder::new()
            .name("redraft-model".to_owned())
            .spawn(move || Worker::new(model, &own, context, side_by_side).run(&commands))
            .map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
        Ok(ModelHandle { shared: Arc::new(Shared { info, tokenizer, requests }) })
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

    /// Reads the beginning of a prompt ahead of time, when nothing else is to be done.
    pub fn prepare(&self, prompt_prefix: Vec<u32>, cancel: CancellationToken) {
        // Without a worker there is nothing to prepare for.
        let _ = self.shared.requests.send(Command::Prepare(prompt_prefix, cancel));
    }

    /// Drops all keys and values held from earlier requests: the next one starts cold, as benchmarks want it.
    pub fn forget(&self) {
        // As in `prepare`.
        let _ = self.shared.requests.send(Command::Forget);
    }
}

/// A request being worked on.
struct Job<'t> {
    priority: Priority,
    generation: Generation<'t>,
    total: usize,
    events: Option<UnboundedSender<Event>>,
    cancel: CancellationToken,
    /// The cache it works in, from its first forward on.
    cache: Option<usize>,
}

struct Worker<'t> {
    model: Transformer,
    tokenizer: &'t Tokenizer,
    context: usize,
    side_by_side: usize,
    /// One cache for completion, then one for each rewrite that runs side by side; the first of these also serves
    /// preparation. Each is made when first used.
    caches: Vec<Option<KvCache>>,
    jobs: Vec<Job<'t>>,
}

impl<'t> Worker<'t> {
    fn new(model: Transformer, tokenizer: &'t Tokenizer, context: usize, side_by_side: usize) -> Worker<'t> {
        let caches = (0..=side_by_side).map(|_| None).collect();
        Worker { model, tokenizer, context, side_by_side, caches, jobs: Vec::new() }
    }

    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            if self.jobs.is_empty() {
                match commands.recv() {
                    Ok(command) => self.accept(command),
                    Err(_) => return,
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.accept(command),
                    Err(TryRecvError::Empty) => break,
                    // Nobody can wait for an answer any more.
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.drop_cancelled();
            self.advance();
        }
    }

    fn accept(&mut self, command: Command) {
        match command {
            Command::Generate(request, events) => {
                if request.priority == Priority::Apply {
                    self.jobs.retain(|job| job.priority != Priority::Background);
                }
                let stop = request.stop.clone();
                let drafter = self.drafter(&request);
                let total = request.prompt.len();
                if total == 0 {
                    let error = ModelError::Unsupported("the prompt is empty".to_owned());
                    // A receiver that is gone wants no answer.
                    let _ = events.send(Event::Finished(Err(error)));
                    return;
                }
                let generation =
                    Generation::new(self.tokenizer, request.prompt, request.max_tokens.max(1), stop, drafter);
                self.jobs.push(Job {
                    priority: request.priority,
                    generation,
                    total,
                    events: Some(events),
                    cancel: request.cancel,
                    cache: None,
                });
            }
            Command::Prepare(prefix, cancel) => {
                self.jobs.retain(|job| job.priority != Priority::Background);
                if prefix.is_empty() {
                    return;
                }
                let total = prefix.len();
                let generation = Generation::new(self.tokenizer, prefix, 1, Vec::new(), Box::new(NoDraft));
                self.jobs.push(Job {
                    priority: Priority::Background,
                    generation,
                    total,
                    events: None,
                    cancel,
                    cache: None,
                });
            }
            Command::Forget => self.caches.iter_mut().flatten().for_each(|cache| cache.truncate(0)),
        }
    }

    fn drafter(&self, request: &GenerateRequest) -> Box<dyn Drafter> {
        if request.decoder == DecoderKind::Autoregressive {
            return Box::new(NoDraft);
        }
        let draft = &request.draft;
        let end = request.stop.first().map_or("", String::as_str);
        let texts = [draft.merged.as_deref(), Some(&draft.original), Some(&draft.suggestion)];
        let texts = texts.into_iter().flatten().filter(|text| !text.is_empty()).map(|text| {
            let mut tokens = self.tokenizer.encode(&format!("{}{end}", text.trim_end_matches('\n')));
            tokens.extend(self.tokenizer.eos_ids().first());
            tokens
        });
        Box::new(SpeculativeEdit::new(texts.collect()))
    }

    fn drop_cancelled(&mut self) {
        self.jobs.retain(|job| {
            let unheard = job.events.as_ref().is_some_and(UnboundedSender::is_closed);
            let cancelled = job.cancel.is_cancelled() || unheard;
            if cancelled {
                let stats = job.generation.stats();
                job.send(Event::Finished(Ok(Finished { stop: StopReason::Cancelled, stats })));
            }
            !cancelled
        });
    }

    /// One forward of the most urgent jobs; of equals, those that came first.
    fn advance(&mut self) {
        let Some(urgent) = self.jobs.iter().map(|job| job.priority).max() else { return };
        let most = if urgent == Priority::Apply { self.side_by_side } else { 1 };
        let mut group: Vec<usize> =
            (0..self.jobs.len()).filter(|index| self.jobs[*index].priority == urgent).take(most).collect();
        self.assign_caches(&group);
        // Prompts are read one after the other; what has been read is decoded together.
        if let Some(reading) = group.iter().find(|index| !self.jobs[**index].generation.is_decoding()) {
            group = vec![*reading];
        }
        let steps = catch_unwind(AssertUnwindSafe(|| self.step(&group)));
        let steps = steps.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(ModelError::Panicked(text.unwrap_or_else(|| "no message".to_owned())))
        });
        let mut over = Vec::new();
        match steps {
            Ok(steps) => {
                for (&index, step) in group.iter().zip(steps) {
                    if self.jobs[index].report(step) {
                        over.push(index);
                    }
                }
            }
            Err(error) => {
                let mut error = Some(error);
                for &index in &group {
                    let job = &self.jobs[index];
                    if let Some(cache) = job.cache.and_then(|cache| self.caches[cache].as_mut()) {
                        cache.truncate(0);
                    }
                    let error =
                        error.take().unwrap_or(ModelError::Panicked("beside another rewrite".to_owned()));
                    job.send(Event::Finished(Err(error)));
                }
                over = group;
            }
        }
        // From the end, so that the indices before it stay true.
        for index in over.into_iter().rev() {
            self.jobs.remove(index);
        }
    }

    /// Gives each job of `group`, all of one priority, a cache that no other of them works in, if it has none yet.
    fn assign_caches(&mut self, group: &[usize]) {
        for &index in group {
            let free = match self.jobs[index].priority {
                Priority::Completion => 0,
                Priority::Background => 1,
                Priority::Apply => (1..=self.side_by_side)
                    .find(|cache| group.iter().all(|of| self.jobs[*of].cache != Some(*cache)))
                    .unwrap_or(1),
            };
            self.jobs[index].cache.get_or_insert(free);
        }
    }

    /// One forward of the jobs of `group`, each in its own cache.
    fn step(&mut self, group: &[usize]) -> Result<Vec<Step>, ModelError> {
        let (config, context) = (self.model.config(), self.context);
        let mut caches: Vec<Option<&mut KvCache>> = Vec::with_capacity(self.caches.len());
        for (index, cache) in self.caches.iter_mut().enumerate() {
            let wanted = group.iter().any(|job| self.jobs[*job].cache == Some(index));
            caches.push(wanted.then(|| cache.get_or_insert_with(|| KvCache::new(config, context))));
        }
        let jobs = self.jobs.iter_mut().enumerate().filter(|(index, _)| group.contains(index));
        let mut parties: Vec<_> =
            jobs.filter_map(|(_, job)| Some((&mut job.generation, caches[job.cache?].take()?))).collect();
        match parties.as_mut_slice() {
            [(generation, cache)] => Ok(vec![generation.step(&mut self.model, cache)?]),
            several => decode_together(&mut self.model, several),
        }
    }
}

impl Job<'_> {
    /// Says what a step did; whether it was the last.
    fn report(&self, step: Step) -> bool {
        let stats = self.generation.stats();
        match step {
            Step::Prefill { done } => self.send(Event::Prefill { done, total: self.total }),
            Step::Text(text) => self.send(Event::Text { text, stats }),
            Step::Finished(text, stop) => {
                if !text.is_empty() {
                    self.send(Event::Text { text, stats });
                }
                self.send(Event::Finished(Ok(Finished { stop, stats })));
                return true;
            }
        }
        false
    }

    fn send(&self, event: Event) {
        if let Some(events) = &self.events {
            // A receiver that is gone wants no answer; `drop_cancelled` sees it before the next forward.
            let _ = events.send(event);
        }
    }
}
