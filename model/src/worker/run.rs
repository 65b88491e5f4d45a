//! The worker's loop: which request gets the next forward, and in which cache.

use super::{Command, EngineOptions, Event, Finished, GenerateRequest, Priority};
use crate::decode::{
    Completed, Completion, DecoderKind, Drafter, Generation, NoDraft, SpeculativeEdit, Step, StopReason,
    decode_together,
};
use crate::device::Device;
use crate::error::ModelError;
use crate::kernels::pool::{Pool, in_background};
use crate::kv_cache::{KvCache, KvFormat};
use crate::prompt::answer;
use crate::score::{Scores, Scoring};
use crate::tokenizer::Tokenizer;
use crate::transformer::{Interrupt, Transformer};
use crate::tuning::kept::Kept;
use crate::tuning::{Costs, Measurement, Progress};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Nobody wants anything when nothing was asked for so long; a first round of measuring is begun then.
const QUIET: Duration = Duration::from_secs(1);
/// No further round of [`Command::Measure`] is begun after this.
const FIRST: Duration = Duration::from_millis(1200);

/// Someone types when a completion was asked for so recently; the next one may come at any time.
const TYPING: Duration = Duration::from_secs(2);

/// A request being worked on.
struct Job<'t> {
    priority: Priority,
    generation: Generation<'t>,
    total: usize,
    events: Option<UnboundedSender<Event>>,
    cancel: CancellationToken,
    /// Whether it goes through the adapter.
    adapted: bool,
    /// The slot whose cache it works in, from its first forward on.
    slot: Option<usize>,
}

/// Keys and values, all of them computed with the adapter or all of them without it.
#[derive(Default)]
struct Slot {
    /// Made when first used.
    cache: Option<KvCache>,
    adapted: bool,
}

impl Slot {
    /// The cache, emptied if it was filled the other way.
    fn cache(
        &mut self,
        model: &Transformer,
        kv: KvFormat,
        context: usize,
        adapted: bool,
    ) -> Result<&mut KvCache, ModelError> {
        if self.adapted != adapted {
            self.forget();
            self.adapted = adapted;
        }
        match &mut self.cache {
            Some(cache) => Ok(cache),
            cache => Ok(cache.insert(model.new_cache(kv, context)?)),
        }
    }

    fn forget(&mut self) {
        if let Some(cache) = &mut self.cache {
            cache.truncate(0);
        }
    }
}

/// The one that runs requests, and what it runs them with.
pub(super) struct Worker<'t> {
    model: Transformer,
    tokenizer: &'t Tokenizer,
    context: usize,
    kv: KvFormat,
    side_by_side: usize,
    /// Whether there is an adapter.
    has_adapter: bool,
    /// One for completion, then one for each rewrite that runs side by side; the first of these also serves preparation
    /// and scoring.
    slots: Vec<Slot>,
    jobs: Vec<Job<'t>>,
    /// Texts to be scored, one request after the other, in the rewrites' first slot.
    scorings: VecDeque<(Scoring, oneshot::Sender<Result<Scores, ModelError>>)>,
    /// Completions, the one that is next in front; they share the first slot.
    completions: VecDeque<(Completion<'t>, oneshot::Sender<Result<Completed, ModelError>>)>,
    /// When a completion was last asked for.
    typed: Option<Instant>,
    /// Threads that give way to other programs, for work that nobody waits for.
    background: Option<Pool>,
    kept: Kept,
    costs: Costs,
    /// Whether other numbers of threads are tried.
    compare_threads: bool,
    /// Rounds of measuring that are still wanted.
    rounds: usize,
    /// How long nobody may want anything before one is begun; longer after each that was disturbed.
    pause: Duration,
    measuring: Option<Measurement>,
    /// Completions that somebody waits for and that were not accepted yet.
    urgent: Arc<AtomicUsize>,
    /// Whether the last forward that could be was interrupted. The next one is not: whatever comes, all work goes on.
    interrupted: bool,
}

impl<'t> Worker<'t> {
    /// `options.context` is set.
    pub(super) fn new(
        model: Transformer,
        tokenizer: &'t Tokenizer,
        mut kept: Kept,
        options: &EngineOptions,
        urgent: Arc<AtomicUsize>,
    ) -> Worker<'t> {
        let side_by_side = options.side_by_side.unwrap_or(1).max(1);
        Worker {
            tokenizer,
            context: options.context.unwrap_or(model.config().context_length),
            kv: options.kv,
            side_by_side,
            has_adapter: options.adapter.is_some(),
            slots: (0..=side_by_side).map(|_| Slot::default()).collect(),
            jobs: Vec::new(),
            scorings: VecDeque::new(),
            completions: VecDeque::new(),
            typed: None,
            background: None,
            costs: kept.costs(model.threads()).unwrap_or_else(Costs::assumed),
            compare_threads: options.threads.is_none() && model.device() == Device::Cpu,
            rounds: kept.started(),
            pause: QUIET,
            measuring: None,
            urgent,
            interrupted: false,
            kept,
            model,
        }
    }

    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            if self.jobs.is_empty() && self.scorings.is_empty() && self.completions.is_empty() {
                let command = if self.rounds > 0 {
                    commands.recv_timeout(self.pause)
                } else {
                    commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
                };
                match command {
                    Ok(command) => self.accept(command),
                    Err(RecvTimeoutError::Timeout) => {
                        while self.measure() {
                            // Who comes between two forwards goes first; the round is gone on with after them.
                            if let Ok(command) = commands.try_recv() {
                                self.accept(command);
                                break;
                            }
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
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
                    self.give_up_background();
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
                let (prompt, most) = (request.prompt, request.max_tokens.max(1));
                let generation = self.generation(prompt, most, stop, drafter);
                self.jobs.push(Job {
                    priority: request.priority,
                    generation,
                    total,
                    events: Some(events),
                    cancel: request.cancel,
                    adapted: request.adapted && self.has_adapter,
                    slot: None,
                });
            }
            Command::Score(request, answer) => {
                self.give_up_background();
                self.scorings.push_back((Scoring::new(request), answer));
            }
            Command::Complete(request, answer) => {
                if !request.ahead {
                    self.urgent.fetch_sub(1, Ordering::Relaxed);
                }
                if request.prompt.is_empty() {
                    let error = ModelError::Unsupported("the prompt is empty".to_owned());
                    // A receiver that is gone wants no answer.
                    let _ = answer.send(Err(error));
                    return;
                }
                let ahead = request.ahead;
                if !ahead {
                    self.typed = Some(Instant::now());
                }
                let completion = Completion::new(self.tokenizer, request, &self.costs);
                if ahead {
                    self.completions.push_back((completion, answer));
                } else {
                    self.completions.push_front((completion, answer));
                }
            }
            Command::Prepare { prefix, adapted, cancel } => {
                self.give_up_background();
                if prefix.is_empty() {
                    return;
                }
                let total = prefix.len();
                let generation = self.generation(prefix, 1, Vec::new(), Box::new(NoDraft));
                self.jobs.push(Job {
                    priority: Priority::Background,
                    generation,
                    total,
                    events: None,
                    cancel,
                    adapted: adapted && self.has_adapter,
                    slot: None,
                });
            }
            Command::Forget => self.slots.iter_mut().for_each(Slot::forget),
            Command::Measure(_done) => {
                let started = Instant::now();
                let never = self.kept.rounds() == 0;
                while never && self.rounds > 0 && self.pause == QUIET && started.elapsed() < FIRST {
                    while self.measure() {}
                }
            }
        }
    }

    fn generation(
        &self,
        prompt: Vec<u32>,
        max_tokens: usize,
        stop: Vec<String>,
        drafter: Box<dyn Drafter>,
    ) -> Generation<'t> {
        let chunk = self.costs.prefill_chunk();
        Generation::new(self.tokenizer, prompt, chunk, max_tokens, stop, drafter)
    }

    /// Ends all work ahead of time, answered as cancelled.
    fn give_up_background(&mut self) {
        self.jobs.retain(|job| {
            let stays = job.priority != Priority::Background;
            if !stays {
                job.send_cancelled();
            }
            stays
        });
    }

    /// One forward of measuring; whether there is more to do.
    fn measure(&mut self) -> bool {
        if self.rounds == 0 {
            return false;
        }
        let begun =
            self.measuring.take().map_or_else(|| Measurement::new(&self.model, self.compare_threads), Ok);
        let step = begun.and_then(|mut measuring| {
            let step = measuring.step(&mut self.model);
            self.measuring = Some(measuring);
            step
        });
        match step {
            Ok(Progress::More) => return true,
            Ok(Progress::Complete(round)) => {
                self.kept.add(&round);
                self.costs = self.kept.costs(self.model.threads()).unwrap_or_else(Costs::assumed);
                self.rounds -= 1;
            }
            Ok(Progress::Disturbed) => self.pause *= 2,
            Err(error) => {
                tracing::warn!("measuring failed: {error}");
                self.rounds = 0;
            }
        }
        self.measuring = None;
        false
    }

    fn drafter(&self, request: &GenerateRequest) -> Box<dyn Drafter> {
        if request.decoder == DecoderKind::Autoregressive {
            return Box::new(NoDraft);
        }
        let draft = &request.draft;
        let end = request.stop.first().map_or("", String::as_str);
        let texts = [draft.merged.as_deref(), Some(&draft.original), Some(&draft.suggestion)];
        let texts = texts.into_iter().flatten().filter(|text| !text.is_empty());
        let texts = texts.map(|text| answer(text, end, self.tokenizer));
        Box::new(SpeculativeEdit::new(texts.collect(), self.costs.clone()))
    }

    fn drop_cancelled(&mut self) {
        for (scoring, answer) in std::mem::take(&mut self.scorings) {
            if scoring.is_cancelled() || answer.is_closed() {
                // A receiver that is gone wants no answer.
                let _ = answer.send(Ok(scoring.finish(true)));
            } else {
                self.scorings.push_back((scoring, answer));
            }
        }
        for (completion, answer) in std::mem::take(&mut self.completions) {
            if completion.cancel.is_cancelled() || answer.is_closed() {
                // As above.
                let _ = answer.send(Ok(completion.finish(StopReason::Cancelled)));
            } else {
                self.completions.push_back((completion, answer));
            }
        }
        self.jobs.retain(|job| {
            let unheard = job.events.as_ref().is_some_and(UnboundedSender::is_closed);
            let cancelled = job.cancel.is_cancelled() || unheard;
            if cancelled {
                job.send_cancelled();
            }
            !cancelled
        });
    }

    /// One forward of the most urgent jobs; of equals, those that came first.
    fn advance(&mut self) {
        if self.completions.front().is_some_and(|(completion, _)| !completion.ahead) {
            self.complete(Priority::Apply);
            return;
        }
        if let Some((scoring, answer)) = self.scorings.pop_front() {
            self.score(scoring, answer);
            return;
        }
        let urgent = self.jobs.iter().map(|job| job.priority).max();
        if urgent != Some(Priority::Apply) && !self.completions.is_empty() {
            self.complete(Priority::Background);
            return;
        }
        let Some(urgent) = urgent else { return };
        let most = if urgent == Priority::Apply { self.side_by_side } else { 1 };
        let mut group: Vec<usize> =
            (0..self.jobs.len()).filter(|index| self.jobs[*index].priority == urgent).collect();
        // One forward is with the adapter or without it.
        let adapted = self.jobs[group[0]].adapted;
        group.retain(|index| self.jobs[*index].adapted == adapted);
        group.truncate(most);
        self.assign_slots(&group);
        // Prompts are read one after the other; what has been read is decoded together.
        if let Some(reading) = group.iter().find(|index| !self.jobs[**index].generation.is_decoding()) {
            group = vec![*reading];
        }
        let steps = self.interruptible(|worker| match urgent {
            Priority::Background => worker.in_background(|worker| worker.step(&group)),
            Priority::Apply => worker.step(&group),
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
            Err(ModelError::Interrupted) => {}
            Err(error) => {
                let mut error = Some(error);
                for &index in &group {
                    let job = &self.jobs[index];
                    if let Some(slot) = job.slot {
                        self.slots[slot].forget();
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

    /// Does work that is given up when a completion comes that somebody waits for. A panic becomes an error.
    fn interruptible<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let urgent = Arc::clone(&self.urgent);
        let interrupt: Interrupt = Box::new(move || urgent.load(Ordering::Relaxed) > 0);
        self.model.interrupt_when((!self.interrupted).then_some(interrupt));
        let done = caught(|| work(self));
        self.model.interrupt_when(None);
        self.interrupted = matches!(done, Err(ModelError::Interrupted));
        done
    }

    /// One forward of a scoring.
    fn score(&mut self, mut scoring: Scoring, answer: oneshot::Sender<Result<Scores, ModelError>>) {
        let longest = self.longest();
        let done = self.interruptible(|worker| {
            let (model, kv, context) = (&mut worker.model, worker.kv, worker.context);
            model.use_adapter(false);
            let cache = worker.slots[1].cache(model, kv, context, false)?;
            scoring.step(model, cache, longest)
        });
        match done {
            Ok(false) | Err(ModelError::Interrupted) => self.scorings.push_front((scoring, answer)),
            // In the other cases a receiver that is gone wants no answer.
            Ok(true) => drop(answer.send(Ok(scoring.finish(false)))),
            Err(error) => {
                self.slots[1].forget();
                drop(answer.send(Err(error)));
            }
        }
    }

    /// One forward of the first completion.
    fn complete(&mut self, priority: Priority) {
        let Some((mut completion, answer)) = self.completions.pop_front() else { return };
        let reading = match self.slots[0].cache(&self.model, self.kv, self.context, false) {
            Ok(cache) => completion.is_reading(cache),
            // A receiver that is gone wants no answer.
            Err(error) => return drop(answer.send(Err(error))),
        };
        let cancel = completion.cancel.clone();
        let mut step = |worker: &mut Self| {
            worker.model.use_adapter(false);
            match &mut worker.slots[0].cache {
                Some(cache) => completion.step(&mut worker.model, cache),
                None => Ok(None),
            }
        };
        let done = match priority {
            Priority::Background => self.interruptible(|worker| worker.in_background(&mut step)),
            Priority::Apply => {
                // What is not wanted any more ends at once, but for reading, which the next one goes on from.
                let interrupt: Interrupt = Box::new(move || cancel.is_cancelled());
                self.model.interrupt_when((!reading).then_some(interrupt));
                let done = caught(|| step(self));
                self.model.interrupt_when(None);
                done
            }
        };
        match done {
            Ok(None) => self.completions.push_front((completion, answer)),
            // Ahead of time it goes behind those that came since; what was cancelled is answered before the next forward.
            Err(ModelError::Interrupted) => self.completions.push_back((completion, answer)),
            // In the other cases a receiver that is gone wants no answer.
            Ok(Some(stop)) => drop(answer.send(Ok(completion.finish(stop)))),
            Err(error) => {
                self.slots[0].forget();
                drop(answer.send(Err(error)));
            }
        }
    }

    /// Gives each job of `group`, all of one priority, a slot that no other of them works in, if it has none yet.
    fn assign_slots(&mut self, group: &[usize]) {
        for &index in group {
            let free = match self.jobs[index].priority {
                Priority::Background => 1,
                Priority::Apply => (1..=self.side_by_side)
                    .find(|slot| group.iter().all(|of| self.jobs[*of].slot != Some(*slot)))
                    .unwrap_or(1),
            };
            self.jobs[index].slot.get_or_insert(free);
        }
    }

    /// Runs one forward on threads that give way to the editor and other programs.
    fn in_background<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> T {
        if self.model.device() != Device::Cpu {
            return in_background(|| work(self));
        }
        let threads = self.model.threads();
        let mut pool = self.background.take().unwrap_or_else(|| Pool::background(threads));
        self.model.swap_pool(&mut pool);
        let done = catch_unwind(AssertUnwindSafe(|| in_background(|| work(self))));
        self.model.swap_pool(&mut pool);
        self.background = Some(pool);
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Most tokens in a forward of anything but completion.
    fn longest(&self) -> usize {
        let types = self.typed.is_some_and(|typed| typed.elapsed() < TYPING);
        if types { self.costs.typing_chunk() } else { usize::MAX }
    }

    /// One forward of the jobs of `group`, each in its own slot, all with the adapter or all without it.
    fn step(&mut self, group: &[usize]) -> Result<Vec<Step>, ModelError> {
        let longest = self.longest();
        group.iter().for_each(|job| self.jobs[*job].generation.limit_forwards(longest));
        let adapted = self.jobs[group[0]].adapted;
        self.model.use_adapter(adapted);
        let (model, kv, context) = (&self.model, self.kv, self.context);
        let mut caches: Vec<Option<&mut KvCache>> = Vec::with_capacity(self.slots.len());
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let wanted = group.iter().any(|job| self.jobs[*job].slot == Some(index));
            caches.push(wanted.then(|| slot.cache(model, kv, context, adapted)).transpose()?);
        }
        let jobs = self.jobs.iter_mut().enumerate().filter(|(index, _)| group.contains(index));
        let mut parties: Vec<_> =
            jobs.filter_map(|(_, job)| Some((&mut job.generation, caches[job.slot?].take()?))).collect();
        match parties.as_mut_slice() {
            [(generation, cache)] => Ok(vec![generation.step(&mut self.model, cache)?]),
            several => decode_together(&mut self.model, several),
        }
    }
}

/// Makes an error of a panic.
fn caught<T>(work: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(ModelError::Panicked(text.unwrap_or_else(|| "no message".to_owned())))
    })
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

    fn send_cancelled(&self) {
        let stats = self.generation.stats();
        self.send(Event::Finished(Ok(Finished { stop: StopReason::Cancelled, stats })));
    }

    fn send(&self, event: Event) {
        if let Some(events) = &self.events {
            // A receiver that is gone wants no answer; `drop_cancelled` sees it before the next forward.
            let _ = events.send(event);
        }
    }
}
