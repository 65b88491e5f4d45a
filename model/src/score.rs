//! Scoring: how likely the model finds each of several texts after one prompt.
//!
//! The texts share the prompt and, as a rule, long beginnings; what they share is run once. Like a generation, a scoring
//! advances by one forward pass, so that it can be cancelled or interrupted between two.

use crate::error::ModelError;
use crate::kv_cache::KvCache;
use crate::transformer::Transformer;
use tokio_util::sync::CancellationToken;

/// Tokens in one forward.
const CHUNK: usize = 128;
/// Of these, tokens whose logits are looked at: a row of them holds the whole vocabulary.
const SCORED: usize = 32;

/// Texts to be scored.
#[derive(Clone, Debug)]
pub struct ScoreRequest {
    /// What all of them follow; not empty.
    pub prompt: Vec<u32>,
    /// The texts.
    pub alternatives: Vec<Vec<u32>>,
    /// Ends the request within one forward.
    pub cancel: CancellationToken,
}

/// What the model thinks of each text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// For each alternative the natural logarithm of each token's probability, given all before it.
    pub log_probs: Vec<Vec<f32>>,
    /// Tokens that were run, those found in the cache not counted.
    pub tokens: usize,
    /// The request was cancelled: alternatives are missing or cut short.
    pub cancelled: bool,
}

/// One running request.
pub(crate) struct Scoring {
    request: ScoreRequest,
    scores: Scores,
    /// Logits of the last forward, kept for their memory.
    logits: Vec<f32>,
}

impl Scoring {
    pub(crate) fn new(request: ScoreRequest) -> Scoring {
        Scoring { request, scores: Scores::default(), logits: Vec::new() }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.request.cancel.is_cancelled()
    }

    /// The answer, complete or not.
    pub(crate) fn finish(self, cancelled: bool) -> Scores {
        Scores { cancelled, ..self.scores }
    }

    /// Takes over what an earlier alternative shares with the next one; nothing to do is left if there is no next.
    fn begin(&mut self) -> bool {
        let alternatives = &self.request.alternatives;
        let log_probs = &mut self.scores.log_probs;
        while log_probs.last().is_none_or(|last| last.len() == alternatives[log_probs.len() - 1].len()) {
            let Some(next) = alternatives.get(log_probs.len()) else { return false };
            let shared = |earlier: &&Vec<u32>| earlier.iter().zip(next).take_while(|(a, b)| a == b).count();
            let known = alternatives.iter().zip(&*log_probs).max_by_key(|(earlier, _)| shared(earlier));
            let known = known.map_or(Vec::new(), |(earlier, scores)| scores[..shared(&earlier)].to_vec());
            log_probs.push(known);
        }
        true
    }

    /// One forward of at most `longest` tokens; whether that was the last.
    pub(crate) fn step(
        &mut self,
        model: &mut Transformer,
        cache: &mut KvCache,
        longest: usize,
    ) -> Result<bool, ModelError> {
        if self.request.prompt.is_empty() {
            return Err(ModelError::Unsupported("the prompt is empty".to_owned()));
        }
        if !self.begin() {
            return Ok(true);
        }
        let prompt = &self.request.prompt;
        let current = self.scores.log_probs.len() - 1;
        let tokens = [prompt.as_slice(), &self.request.alternatives[current]].concat();
        let log_probs = &mut self.scores.log_probs[current];
        // The first token whose successor has no score yet.
        let first = prompt.len() - 1 + log_probs.len();
        let held = cache.keep_prefix_of(&tokens[..first]);
        let end = (held + CHUNK.min(longest)).min(first + SCORED).min(tokens.len() - 1);
        model.forward(cache, &tokens[held..end])?;
        self.scores.tokens += end - held;
        if end > first {
            model.logits(first - held, &mut self.logits)?;
            let rows = self.logits.chunks_exact(model.config().vocab);
            log_probs
                .extend(tokens[first + 1..=end].iter().zip(rows).map(|(token, row)| log_prob(row, *token)));
        }
        Ok(!self.begin())
    }
}

/// The logarithm of a token's probability.
fn log_prob(logits: &[f32], token: u32) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from((logit - most).exp())).sum();
    logits[token as usize] - most - sum.ln() as f32
}

#[cfg(test)]
mod tests {
    use super::log_prob;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [1.0, -2.0, 0.5, 700.0, 699.0];
        let sum: f32 = (0..5).map(|token| log_prob(&logits, token).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!((log_prob(&logits, 3) - log_prob(&logits, 4) - 1.0).abs() < 1e-5);
    }
}
