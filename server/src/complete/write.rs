//! A plan written by a model.

use redraft_model::prompt::FimFamily;
use redraft_model::{CompletionRequest, ModelError, ModelHandle, StopReason};
use std::sync::mpsc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Plan, Written};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The request was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Has a model write; blocks until that is done. `ahead` says that nobody waits for it yet; `on_text` hears of what is
/// written so far.
pub fn write(
    model: &ModelHandle,
    plan: &Plan,
    ahead: bool,
    cancel: &CancellationToken,
    on_text: &mut dyn FnMut(&Written),
) -> Result<Written, WriteError> {
    let started = Instant::now();
    let tokenizer = model.tokenizer();
    let fim = FimFamily::of_tokenizer(tokenizer);
    let rendered = plan.prompt.render(fim, model.info().family, tokenizer);
    let (heard, tokens) = mpsc::channel();
    let (over, stop) = (plan.clone(), rendered.stop.clone());
    let mut text = String::new();
    let judge = move |new: &str, log_prob: f32| {
        text.push_str(new);
        // The one who waits does so until the end.
        let _ = heard.send((new.to_owned(), log_prob, Instant::now()));
        let stopped = stop.as_ref().is_some_and(|stop| text.contains(stop.as_str()));
        !stopped && !over.is_over(&text)
    };
    let answer = model.complete(CompletionRequest {
        prompt: rendered.tokens,
        begun: rendered.begun,
        max_tokens: plan.max_tokens,
        judge: Box::new(judge),
        ahead,
        draft: true,
        cancel: cancel.clone(),
    });
    let mut written = Written::default();
    // Ends when the worker is done with the request.
    for (new, log_prob, heard) in tokens {
        written.text.push_str(&new);
        written.tokens.push((written.text.len(), log_prob));
        if written.text.trim_start().contains('\n') {
            written.first_line_seconds.get_or_insert((heard - started).as_secs_f64());
        }
        on_text(&written);
    }
    let completed = answer.blocking_recv().unwrap_or(Err(ModelError::WorkerGone))?;
    if completed.stop == StopReason::Cancelled {
        return Err(WriteError::Cancelled);
    }
    if let Some(at) = rendered.stop.and_then(|stop| written.text.find(&stop)) {
        written.text.truncate(at);
    }
    written.stats = completed.stats;
    written.unfinished = completed.stop == StopReason::Length;
    Ok(written)
}
