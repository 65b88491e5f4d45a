//! Applying one suggestion to one file: the way from two texts to the edited text, with the route taken, a
//! confidence, and plain reasons where a person should look first.
//!
//! This module knows nothing of LSP, of disks or of terminals. It must never lose text silently: whatever it cannot
//! place is an error or is held back with `asks`.

mod outcome;
#[cfg(test)]
mod properties;
mod rewrite;
mod scope;
mod text;
mod training;
mod vote;

use std::fmt;
use std::str::FromStr;

use redraft_grammars::Language;
use redraft_model::{DecoderKind, ModelError, ModelHandle, Stats};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::merge::MergeError;
use crate::suggestion::SuggestionError;
use outcome::Task;
use rewrite::{LARGEST_WHOLE, Writer};

pub use text::FileText;
pub use training::{RewriteTokens, rewrite_tokens};

/// One file and one suggestion for it, exactly as they stand (encoding mark, line endings, final newline).
#[derive(Debug, Clone, Default)]
pub struct ApplyRequest {
    /// The file's path, if it has one; used for its language and to pick the right part of the suggestion.
    pub path: Option<String>,
    /// The file's language id (`rust`, `python`, ...), if known.
    pub language: Option<String>,
    /// What the user asked for, if that is known.
    pub instruction: Option<String>,
    /// The file before the edit.
    pub original: String,
    /// The suggestion as pasted: snippet, search/replace blocks, diff or whole file, with or without prose.
    pub suggestion: String,
}

/// Which way an edit is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// The deterministic merge where it is sure, the model otherwise.
    #[default]
    Auto,
    /// The model rewrites the file, of a large one what the edit touches; one with an adapter always that alone.
    Model,
    /// Never ask the model.
    Deterministic,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Route::Auto => "auto",
            Route::Model => "model",
            Route::Deterministic => "deterministic",
        })
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Route::Auto),
            "model" => Ok(Route::Model),
            "deterministic" => Ok(Route::Deterministic),
            other => Err(format!("unknown route {other:?}: use auto, model or deterministic")),
        }
    }
}

/// The way an edit was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTaken {
    /// The suggestion named exact positions (search/replace, diff) or was the whole file.
    Exact,
    /// The deterministic merge of a snippet.
    Merge,
    /// The model chose between several plausible merges.
    Choice,
    /// The model rewrote the file.
    Model,
}

impl fmt::Display for RouteTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RouteTaken::Exact => "exact",
            RouteTaken::Merge => "merge",
            RouteTaken::Choice => "choice",
            RouteTaken::Model => "model",
        })
    }
}

/// How an edit is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// Which way.
    pub route: Route,
    /// How the model decodes, where it is asked.
    pub decoder: DecoderKind,
}

/// News from a model at work.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// The prompt is being read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
    },
    /// Verified text.
    Text {
        /// What came since the last news.
        text: &'a str,
        /// Costs so far.
        stats: Stats,
    },
}

/// The edited file, and how it came about.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The whole file after the edit.
    pub output: String,
    /// The way taken.
    pub route: RouteTaken,
    /// Why that way, in one sentence.
    pub reason: String,
    /// How likely the output is what the suggestion means, from 0 to 1.
    pub confidence: f64,
    /// Hold the edit back until a person has confirmed it.
    pub asks: bool,
    /// What a person should look at, in plain sentences; empty when `asks` is false.
    pub why: Vec<String>,
    /// What the model's work cost, where it was asked.
    pub stats: Option<Stats>,
}

/// Why a suggestion could not be applied at all; the file stays as it is.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The suggestion cannot be read.
    #[error(transparent)]
    Suggestion(#[from] SuggestionError),
    /// The suggestion has no place in the file.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Cancelled before it was done.
    #[error("the apply was cancelled; the file is unchanged")]
    Cancelled,
    /// The model's route without a model.
    #[error("the model is to rewrite the file, but no model is loaded: fetch one with `redraft model fetch`")]
    NoModel,
    /// The model failed.
    #[error("the model failed: {0}")]
    Model(ModelError),
    /// File and suggestion are too long for the model.
    #[error(
        "file and suggestion need {tokens} tokens, the model's context holds {context}: use the route deterministic"
    )]
    TooLong {
        /// Tokens of prompt and expected answer.
        tokens: usize,
        /// What the model holds.
        context: usize,
    },
    /// The suggestion has no place in a file that is too large to be written anew as a whole.
    #[error(
        "the suggestion fits nowhere in this file, which is too large for the model to write as a whole: quote some lines \
         of the file around the change"
    )]
    NoPlace,
    /// The model did not come to an end.
    #[error("the model did not come to an end; its answer was thrown away and the file is unchanged")]
    Endless {
        /// What it wrote until it was stopped.
        written: String,
        /// What that cost.
        stats: Stats,
    },
    /// The model's worker ended.
    #[error("the model ended before its answer was complete; the file is unchanged")]
    Gone,
}

/// Applies `request.suggestion` to `request.original`. Blocks until it is done; must not be called on an async task.
///
/// An untuned small model writes the right file far less often than the merge does, so on the route `auto` it is asked
/// only where the merge is unsure: it votes where there are several merges, else it writes the file, and it can confirm a
/// merge or choose among them, never replace them unasked. One with an adapter writes the edit's places instead of voting:
/// where that is the likeliest merge too, the edit is sure, and else the likeliest merge is asked about.
///
/// What a comment of the suggestion asks for beyond what it shows (`// same for the other cases`) only the model can do: it
/// writes the file, without its adapter, and a person is asked.
pub fn apply(
    request: &ApplyRequest,
    options: &ApplyOptions,
    model: Option<&ModelHandle>,
    cancel: &CancellationToken,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Applied, ApplyError> {
    let task = Task::read(request)?;
    let mut merges = task.merges();
    if cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    let model = match options.route {
        Route::Deterministic => None,
        Route::Auto => model.filter(|_| !task.is_sure(&merges)),
        Route::Model => Some(model.ok_or(ApplyError::NoModel)?),
    };
    let Some(model) = model else { return Ok(task.merged(&merges?[0])) };
    let votes = options.route == Route::Auto && task.demand().is_none() && !model.info().adapted;
    if let (true, Ok(merges)) = (votes, &mut merges)
        && let Some(applied) = task.voted(model, merges, cancel, on_progress)?
    {
        return Ok(applied);
    }
    let writer = Writer { model, decoder: options.decoder, cancel };
    let rewrite = rewrite::rewrite(&writer, &task, merges.as_deref().unwrap_or(&[]), on_progress);
    match (rewrite, merges) {
        (Ok(rewrite), Ok(merges)) if options.route == Route::Auto => {
            Ok(task.carried_out(&rewrite, &merges).unwrap_or_else(|| task.chosen(&rewrite, &merges)))
        }
        (Ok(rewrite), merges) => Ok(task.rewritten(&rewrite, merges.as_deref().unwrap_or(&[]))),
        (Err(error @ ApplyError::Cancelled), _) => Err(error),
        (Err(error), Ok(merges)) if options.route == Route::Auto => {
            let mut applied = task.merged(&merges[0]);
            applied.reason = format!("{}; {error}", applied.reason);
            Ok(applied)
        }
        (Err(_), Err(error)) if options.route == Route::Auto => Err(error.into()),
        (Err(error), _) => Err(error),
    }
}

/// Lets the model read ahead of time, without urgency, the prompt that [`apply`] will give it for this request: of one
/// with an adapter all of it, once there is a suggestion that the merge is not sure of; of others the file, if that is
/// rewritten whole.
pub fn prepare(request: &ApplyRequest, route: Route, model: &ModelHandle, cancel: &CancellationToken) {
    if route == Route::Deterministic {
        return;
    }
    if !model.info().adapted {
        let prefix = rewrite::whole_file(request, model);
        // The edited file has to fit as well; what is not rewritten whole need not be read.
        if prefix.len() * 2 < model.info().context_length && prefix.len() < LARGEST_WHOLE {
            model.prepare(prefix, false, cancel.clone());
        }
        return;
    }
    // Of a suggestion that cannot be read, as of all that cannot be planned, the apply will tell.
    let Ok(task) = Task::read(request) else { return };
    let merges = task.merges();
    if route == Route::Auto && task.is_sure(&merges) {
        return;
    }
    if let Ok(plan) = rewrite::plan(model, &task, merges.as_deref().unwrap_or(&[])) {
        model.prepare(plan.rendered.tokens, plan.adapted, cancel.clone());
    }
}

/// The language that the client names, or the path's.
fn language_of(request: &ApplyRequest) -> Option<Language> {
    let named = request.language.as_deref().and_then(Language::by_name);
    named.or_else(|| request.path.as_deref().and_then(Language::from_path))
}
