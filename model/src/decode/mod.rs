//! Greedy decoding: one generation as a state machine that advances by one forward pass.
//!
//! The decoders differ in what they draft and in nothing else. Every drafted token is checked against the model's own
//! choice, and on the processor a position's logits do not depend on the chunk, so all decoders give the same tokens
//! (for other places see [`crate::device`]).

mod completion;
mod speculative_edit;
mod stop;

pub(crate) use completion::Completion;
pub use completion::{Completed, CompletionRequest, Judge};
pub use speculative_edit::SpeculativeEdit;

use crate::error::ModelError;
use crate::kv_cache::KvCache;
use crate::tokenizer::{StreamDecoder, Tokenizer};
use crate::transformer::{Segment, Transformer};
use std::fmt;
use std::str::FromStr;
use std::time::Instant;
use stop::StopStrings;

/// How the next tokens are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DecoderKind {
    /// One token a forward.
    Autoregressive,
    /// Drafts from the texts that the output is likely to copy, many tokens a forward.
    #[default]
    SpeculativeEdit,
}

impl fmt::Display for DecoderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecoderKind::Autoregressive => "autoregressive",
            DecoderKind::SpeculativeEdit => "speculative-edit",
        })
    }
}

impl FromStr for DecoderKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "autoregressive" => Ok(DecoderKind::Autoregressive),
            "speculative-edit" => Ok(DecoderKind::SpeculativeEdit),
            _ => Err(format!("unknown decoder `{name}`; there are autoregressive and speculative-edit")),
        }
    }
}

/// What a generation has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, tokens whose keys and values were there already.
    pub cached_tokens: usize,
    /// Tokens generated, the end-of-text token included.
    pub tokens: usize,
    /// Forward passes after the prompt.
    pub forwards: usize,
    /// Tokens drafted.
    pub drafted: usize,
    /// Drafted tokens that the model agreed with.
    pub accepted: usize,
    /// Seconds on the prompt.
    pub prefill_seconds: f64,
    /// Seconds after the prompt.
    pub decode_seconds: f64,
}

impl Stats {
    /// Tokens per second; nothing before the second token, since the first comes out of the prompt.
    pub fn rate(&self) -> Option<f64> {
        (self.forwards > 0).then(|| self.tokens as f64 / self.decode_seconds.max(1e-9))
    }
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model said that it is done.
    EndOfText,
    /// A stop string came; the text ends before it.
    StopString,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The request was cancelled.
    Cancelled,
}

/// Guesses the next tokens.
pub trait Drafter: Send {
    /// What the model is likely to say after `output`, best guess first to last; may be empty.
    fn propose(&mut self, output: &[u32]) -> Vec<u32>;
    /// Says how many of the last proposal's tokens were right.
    fn learn(&mut self, accepted: usize);
}

/// Drafts nothing: autoregressive decoding.
pub struct NoDraft;

impl Drafter for NoDraft {
    fn propose(&mut self, _: &[u32]) -> Vec<u32> {
        Vec::new()
    }

    fn learn(&mut self, _: usize) {}
}

/// What one step of a generation did.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Part of the prompt was read.
    Prefill {
        /// Tokens read, those found in the cache included.
        done: usize,
    },
    /// Text was verified; may be empty while a character or a stop string is incomplete.
    Text(String),
    /// The generation is over; this is the last text.
    Finished(String, StopReason),
}

/// One running generation.
pub struct Generation<'t> {
    /// The prompt, then what was generated.
    tokens: Vec<u32>,
    prompt_len: usize,
    max_tokens: usize,
    /// Prompt tokens in one forward; cancellation is looked at between two.
    prefill_chunk: usize,
    /// Tokens in any forward: fewer while something more urgent may come at any time.
    longest: usize,
    end_tokens: &'t [u32],
    drafter: Box<dyn Drafter>,
    /// What was drafted and not verified yet: a forward may be interrupted, but a drafter is asked once.
    draft: Option<Vec<u32>>,
    detokenizer: Option<StreamDecoder<'t>>,
    stop: StopStrings,
    stats: Stats,
    started: bool,
}

impl<'t> Generation<'t> {
    /// A generation of at most `max_tokens` tokens after `prompt`, which must not be empty and is read in forwards of
    /// `prefill_chunk` tokens.
    pub fn new(
        tokenizer: &'t Tokenizer,
        prompt: Vec<u32>,
        prefill_chunk: usize,
        max_tokens: usize,
        stop: Vec<String>,
        drafter: Box<dyn Drafter>,
    ) -> Generation<'t> {
        let stats = Stats { prompt_tokens: prompt.len(), ..Stats::default() };
        Generation {
            prompt_len: prompt.len(),
            tokens: prompt,
            max_tokens,
            prefill_chunk: prefill_chunk.max(1),
            longest: usize::MAX,
            end_tokens: tokenizer.eos_ids(),
            drafter,
            draft: None,
            detokenizer: Some(StreamDecoder::new(tokenizer)),
            stop: StopStrings::new(stop),
            stats,
            started: false,
        }
    }

    /// Lets no forward from now on have more than `tokens` tokens. The text does not depend on it.
    pub fn limit_forwards(&mut self, tokens: usize) {
        self.longest = tokens.max(1);
    }

    /// Costs so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Tokens generated so far.
    pub fn output(&self) -> &[u32] {
        &self.tokens[self.prompt_len..]
    }

    /// One forward pass. `cache` must be the same in every call and untouched between them, or have been cut back.
    pub fn step(&mut self, model: &mut Transformer, cache: &mut KvCache) -> Result<Step, ModelError> {
        let started = Instant::now();
        if !self.is_decoding() {
            let step = self.prefill(model, cache);
            self.stats.prefill_seconds += started.elapsed().as_secs_f64();
            return step;
        }
        let mut steps = decode_together(model, &mut [(self, cache)])?;
        Ok(steps.remove(0))
    }

    /// Whether the prompt has been read, so that [`decode_together`] can go on with it.
    pub fn is_decoding(&self) -> bool {
        !self.output().is_empty()
    }

    fn prefill(&mut self, model: &mut Transformer, cache: &mut KvCache) -> Result<Step, ModelError> {
        // At least one token is run, so that there are logits to begin with.
        let last = self.prompt_len.saturating_sub(1);
        let done = cache.keep_prefix_of(&self.tokens[..last]);
        if !self.started {
            self.started = true;
            self.stats.cached_tokens = done;
            if self.prompt_len >= cache.capacity() {
                let needed = self.prompt_len + 1;
                return Err(ModelError::ContextOverflow { needed, capacity: cache.capacity() });
            }
        }
        let end = self.prompt_len.min(done + self.prefill_chunk.min(self.longest));
        model.forward(cache, &self.tokens[done..end])?;
        if end < self.prompt_len {
            return Ok(Step::Prefill { done: end });
        }
        let first = model.argmax(end - done - 1)?;
        Ok(self.take(first, cache))
    }

    /// The tokens to run next: the last one and the draft after it; nothing if the cache is full.
    fn chunk(&mut self, model: &mut Transformer, cache: &mut KvCache) -> Result<Vec<u32>, ModelError> {
        // The cache holds everything but the last token, unless it was given to another request meanwhile.
        let held = self.tokens.len() - 1;
        let have = cache.keep_prefix_of(&self.tokens[..held]);
        for chunk in self.tokens[have..held].chunks(self.prefill_chunk) {
            model.forward(cache, chunk)?;
        }
        let room = (cache.capacity() - cache.len()).saturating_sub(1);
        if room == 0 {
            return Ok(Vec::new());
        }
        let draft = self.draft.get_or_insert_with(|| self.drafter.propose(&self.tokens[self.prompt_len..]));
        let mut draft = draft.clone();
        let most = (self.max_tokens - self.output().len()).saturating_sub(1);
        draft.truncate(most.min(room).min(self.longest - 1));
        draft.insert(0, self.tokens[held]);
        Ok(draft)
    }

    /// Takes what the model chose after each token of `chunk`, as far as the draft was right.
    fn verify(&mut self, chunk: &[u32], chosen: &[u32], cache: &mut KvCache) -> Step {
        if chunk.is_empty() {
            return self.finish(StopReason::Length);
        }
        self.draft = None;
        let draft = &chunk[1..];
        let accepted = draft.iter().zip(chosen).take_while(|(draft, chosen)| draft == chosen).count();
        cache.truncate(cache.len() - (draft.len() - accepted));
        self.drafter.learn(accepted);
        self.stats.forwards += 1;
        self.stats.drafted += draft.len();
        self.stats.accepted += accepted;
        self.take(&chosen[..=accepted], cache)
    }

    /// Takes verified tokens one by one, as if each had come alone.
    fn take(&mut self, tokens: &[u32], cache: &KvCache) -> Step {
        let mut text = String::new();
        for token in tokens {
            self.tokens.push(*token);
            self.stats.tokens += 1;
            if self.end_tokens.contains(token) {
                return self.finish_with(text, StopReason::EndOfText);
            }
            let new = self.detokenizer.as_mut().map(|decoder| decoder.push(*token)).unwrap_or_default();
            let stopped = self.stop.push(&new, &mut text);
            if stopped {
                return Step::Finished(text, StopReason::StopString);
            }
            if self.output().len() >= self.max_tokens || self.tokens.len() >= cache.capacity() {
                return self.finish_with(text, StopReason::Length);
            }
        }
        Step::Text(text)
    }

    fn finish(&mut self, reason: StopReason) -> Step {
        self.finish_with(String::new(), reason)
    }

    fn finish_with(&mut self, mut text: String, reason: StopReason) -> Step {
        let rest = self.detokenizer.take().map(StreamDecoder::finish).unwrap_or_default();
        if self.stop.push(&rest, &mut text) {
            return Step::Finished(text, StopReason::StopString);
        }
        text.push_str(&self.stop.finish());
        Step::Finished(text, reason)
    }
}

/// One forward pass for several generations that have read their prompts, each with its own cache. The text of each is
/// what it would be alone; the seconds are shared evenly.
pub fn decode_together(
    model: &mut Transformer,
    generations: &mut [(&mut Generation<'_>, &mut KvCache)],
) -> Result<Vec<Step>, ModelError> {
    let started = Instant::now();
    let mut chunks = Vec::with_capacity(generations.len());
    for (generation, cache) in generations.iter_mut() {
        chunks.push(generation.chunk(model, cache)?);
    }
    let mut segments: Vec<_> =
        generations.iter_mut().zip(&chunks).map(|((_, cache), tokens)| Segment { cache, tokens }).collect();
    model.forward_segments(&mut segments)?;
    let chosen = if chunks.iter().all(Vec::is_empty) { &[] } else { model.argmax(0)? };
    let seconds = started.elapsed().as_secs_f64() / generations.len() as f64;
    let mut row = 0;
    let mut steps = Vec::with_capacity(generations.len());
    for ((generation, cache), chunk) in generations.iter_mut().zip(&chunks) {
        generation.stats.decode_seconds += seconds;
        steps.push(generation.verify(chunk, &chosen[row..row + chunk.len()], cache));
        row += chunk.len();
    }
    Ok(steps)
}
