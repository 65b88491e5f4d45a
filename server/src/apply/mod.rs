//! Applying one suggestion to one file: the way from two texts to the edited text, with the route taken, a
//! confidence, and plain reasons where a person should look first.
//!
//! This module knows nothing of LSP, of disks or of terminals. It must never lose text silently: whatever it cannot
//! place is an error or is held back with `asks`.

mod text;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::guard;
use crate::merge::{self, MergeError};
use crate::suggestion::{self, SuggestionError};

pub use text::FileText;

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
    /// The model rewrites the whole file.
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
}

/// Applies `request.suggestion` to `request.original`.
pub fn apply(
    request: &ApplyRequest,
    _options: &ApplyOptions,
    cancel: &CancellationToken,
) -> Result<Applied, ApplyError> {
    let file = FileText::new(&request.original);
    let suggestion =
        suggestion::parse(&request.suggestion, request.language.as_deref(), request.path.as_deref())?;
    let merges = merge::merge(&file.lines(), &suggestion)?;
    if cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    let best = &merges[0];
    let output = file.rebuild(&best.lines);
    let mut why = guard::doubts(&best.evidence);
    if best.confidence < merge::SURE && why.is_empty() {
        why.push(format!("{}.", capitalised(&best.reason)));
    }
    let unsure = best.confidence < merge::SURE;
    let damage = guard::review(
        &request.original,
        &output,
        &suggestion,
        request.language.as_deref(),
        request.path.as_deref(),
    );
    let asks = unsure || !damage.is_empty();
    why.splice(0..0, damage);
    Ok(Applied {
        route: if suggestion.is_exact() { RouteTaken::Exact } else { RouteTaken::Merge },
        reason: if output == request.original {
            "the file reads so already".into()
        } else {
            best.reason.clone()
        },
        output,
        confidence: best.confidence,
        asks,
        why: if asks { why } else { Vec::new() },
    })
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
