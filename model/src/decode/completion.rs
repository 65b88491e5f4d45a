//! Completion: what follows a prompt, begun the way the user began it and judged token by token.
//!
//! The last word of a prompt is often cut in the middle, and then its tokens are not those that the model learned. So the
//! word is left out of the prompt and *begun*: the first tokens may be any whose text fits what was typed. A judge hears
//! of each token and how sure the model was of it, and ends the text; no forward is run for text that nobody wants.

use crate::decode::{Drafter, SpeculativeEdit, Stats, StopReason};
use crate::error::ModelError;
use crate::kv_cache::KvCache;
use crate::tokenizer::{StreamDecoder, Tokenizer};
use crate::transformer::Transformer;
use crate::tuning::Costs;
use std::fmt;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Hears each token's text and the logarithm of its probability; false ends the completion. The text may be empty while
/// a character is incomplete.
pub type Judge = Box<dyn FnMut(&str, f32) -> bool + Send>;

/// Most tokens drafted in one forward: a row of logits holds the whole vocabulary.
const MAX_DRAFT: usize = 15;

/// Tokens of the prompt's end that the drafter sees as text to go on with.
const ALIGN: usize = 16;

/// Text to be completed.
pub struct CompletionRequest {
    /// The prompt without the word that the user has begun; not empty.
    pub prompt: Vec<u32>,
    /// What the text begins with. It is not told to the judge.
    pub begun: String,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Hears each token as soon as it is certain.
    pub judge: Judge,
    /// Whether nobody waits for it yet: it yields to everything that somebody waits for.
    pub ahead: bool,
    /// Whether to draft from what stands in the prompt.
    pub draft: bool,
    /// Ends the request within one forward.
    pub cancel: CancellationToken,
}

impl fmt::Debug for CompletionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tokens, ahead) = (self.prompt.len(), self.ahead);
        f.debug_struct("CompletionRequest").field("tokens", &tokens).field("ahead", &ahead).finish()
    }
}

/// How a completion ended. The text is the judge's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completed {
    /// Why; [`StopReason::StopString`] where the judge ended it.
    pub stop: StopReason,
    /// What it cost.
    pub stats: Stats,
}

/// One running completion.
pub(crate) struct Completion<'t> {
    tokenizer: &'t Tokenizer,
    /// The prompt, then what was generated.
    tokens: Vec<u32>,
    prompt_len: usize,
    /// What the next tokens must still begin with, in bytes.
    begun: Vec<u8>,
    begun_tokens: Vec<u32>,
    max_tokens: usize,
    judge: Judge,
    pub(crate) ahead: bool,
    pub(crate) cancel: CancellationToken,
    drafter: Option<SpeculativeEdit>,
    /// What was drafted and not verified yet: a forward may be interrupted, but the drafter is asked once.
    drafted: Option<Vec<u32>>,
    prefill_chunk: usize,
    detokenizer: Option<StreamDecoder<'t>>,
    stats: Stats,
    started: bool,
    /// Logits of the last forward, kept for their memory.
    logits: Vec<f32>,
}

impl<'t> Completion<'t> {
    pub(crate) fn new(tokenizer: &'t Tokenizer, request: CompletionRequest, costs: &Costs) -> Completion<'t> {
        let drafter =
            request.draft.then(|| SpeculativeEdit::new(vec![request.prompt.clone()], costs.clone()));
        Completion {
            tokenizer,
            prompt_len: request.prompt.len(),
            stats: Stats { prompt_tokens: request.prompt.len(), ..Stats::default() },
            tokens: request.prompt,
            begun_tokens: tokenizer.encode(&request.begun),
            begun: request.begun.into_bytes(),
            max_tokens: request.max_tokens.max(1),
            judge: request.judge,
            ahead: request.ahead,
            cancel: request.cancel,
            drafter,
            drafted: None,
            prefill_chunk: costs.prefill_chunk().max(1),
            detokenizer: Some(StreamDecoder::new(tokenizer)),
            started: false,
            logits: Vec::new(),
        }
    }

    /// The answer.
    pub(crate) fn finish(&self, stop: StopReason) -> Completed {
        Completed { stop, stats: self.stats }
    }

    /// One forward; why it ended, when it did.
    pub(crate) fn step(
        &mut self,
        model: &mut Transformer,
        cache: &mut KvCache,
    ) -> Result<Option<StopReason>, ModelError> {
        let started = Instant::now();
        // At least one token is run, so that there are logits to go on with.
        let last = self.tokens.len() - 1;
        let have = cache.keep_prefix_of(&self.tokens[..last]);
        if !self.started {
            self.started = true;
            self.stats.cached_tokens = have;
            if self.tokens.len() >= cache.capacity() {
                let needed = self.tokens.len() + 1;
                return Err(ModelError::ContextOverflow { needed, capacity: cache.capacity() });
            }
        }
        let end = self.tokens.len().min(have + self.prefill_chunk);
        if end <= last {
            model.forward(cache, &self.tokens[have..end])?;
            self.stats.prefill_seconds += started.elapsed().as_secs_f64();
            return Ok(None);
        }
        let room = (cache.capacity() - self.tokens.len()).saturating_sub(1);
        let left = (self.max_tokens - self.output_len()).saturating_sub(1);
        let mut draft = match self.drafted.take() {
            Some(draft) => draft,
            None => self.draft(),
        };
        draft.truncate(MAX_DRAFT.min(room).min(left));
        let chunk = [&self.tokens[have..], draft.as_slice()].concat();
        if let Err(error) = model.forward(cache, &chunk) {
            self.drafted = Some(draft);
            return Err(error);
        }
        let mut logits = std::mem::take(&mut self.logits);
        model.logits(last - have, &mut logits)?;
        let stop = self.verify(&draft, &logits, model.config().vocab, cache.capacity());
        self.logits = logits;
        let seconds = started.elapsed().as_secs_f64();
        if last < self.prompt_len {
            self.stats.prefill_seconds += seconds;
        } else {
            self.stats.decode_seconds += seconds;
        }
        Ok(stop)
    }

    /// Whether the next forward only reads of the prompt: what it has read serves later requests as well.
    pub(crate) fn is_reading(&self, cache: &KvCache) -> bool {
        let held = cache.tokens().iter().zip(&self.tokens).take_while(|(a, b)| a == b).count();
        held + self.prefill_chunk < self.tokens.len()
    }

    fn output_len(&self) -> usize {
        self.tokens.len() - self.prompt_len
    }

    /// What probably follows: the rest of the word that was begun, or what followed the same text before.
    fn draft(&mut self) -> Vec<u32> {
        if self.output_len() == 0 {
            return self.begun_tokens.clone();
        }
        if !self.begun.is_empty() {
            return Vec::new();
        }
        // With a little of the prompt, so that there is something to align by from the first token on.
        let output = &self.tokens[self.prompt_len.saturating_sub(ALIGN)..];
        self.drafter.as_mut().map(|drafter| drafter.propose(output)).unwrap_or_default()
    }

    /// Takes what the model chose at each position, as far as the draft was right.
    fn verify(&mut self, draft: &[u32], logits: &[f32], vocab: usize, capacity: usize) -> Option<StopReason> {
        self.stats.forwards += 1;
        self.stats.drafted += draft.len();
        let proposed = self.output_len() > 0 && self.begun.is_empty();
        let mut accepted = 0;
        let mut stop = None;
        for (at, row) in logits.chunks_exact(vocab).enumerate() {
            let (token, log_prob) = self.choose(row);
            stop = self.take(token, log_prob, capacity);
            if stop.is_some() || draft.get(at) != Some(&token) {
                break;
            }
            accepted += 1;
        }
        self.stats.accepted += accepted;
        if proposed && let Some(drafter) = &mut self.drafter {
            drafter.learn(accepted);
        }
        stop
    }

    /// The likeliest token that fits what was begun, and the logarithm of its probability among those that fit.
    fn choose(&self, row: &[f32]) -> (u32, f32) {
        let fits = |token: u32| {
            let bytes = self.tokenizer.token_bytes(token);
            let shared = bytes.len().min(self.begun.len());
            !bytes.is_empty() && bytes[..shared] == self.begun[..shared] && !self.tokenizer.is_special(token)
        };
        let free = self.begun.is_empty();
        let mut best = (0, f32::NEG_INFINITY);
        // The numbers are compared first: looking at a token's text takes a hundred times as long.
        for (token, logit) in (0..).zip(row.iter().copied()) {
            if logit > best.1 && (free || fits(token)) {
                best = (token, logit);
            }
        }
        // What is less likely by a factor of a billion adds nothing to the sum.
        let near = (0..).zip(row.iter().copied()).filter(|(_, logit)| *logit > best.1 - 20.0);
        let near = near.filter(|(token, _)| free || fits(*token));
        let sum: f64 = near.map(|(_, logit)| f64::from((logit - best.1).exp())).sum();
        (best.0, -sum.ln() as f32)
    }

    fn take(&mut self, token: u32, log_prob: f32, capacity: usize) -> Option<StopReason> {
        self.tokens.push(token);
        self.stats.tokens += 1;
        // A control token inside of a text is an end as good as the right one.
        if self.tokenizer.eos_ids().contains(&token) || self.tokenizer.is_special(token) {
            return Some(StopReason::EndOfText);
        }
        let inside = self.tokenizer.token_bytes(token).len();
        let text = match self.detokenizer.as_mut() {
            // Bytes that are not text yet are told with the token that completes them.
            Some(decoder) => decoder.push(token),
            None => String::new(),
        };
        let wanted = if self.begun.is_empty() {
            self.tell(&text, log_prob)
        } else if inside <= self.begun.len() {
            self.begun.drain(..inside);
            true
        } else {
            // The text that was begun is whole characters, and so is what follows it in this token or the next.
            let rest = inside - self.begun.len();
            self.begun.clear();
            let from = text.len().saturating_sub(rest);
            self.tell(text.get(from..).unwrap_or_default(), log_prob)
        };
        if !wanted {
            return Some(StopReason::StopString);
        }
        let full = self.output_len() >= self.max_tokens || self.tokens.len() >= capacity;
        full.then_some(StopReason::Length)
    }

    fn tell(&mut self, text: &str, log_prob: f32) -> bool {
        (self.judge)(text, log_prob)
    }
}
