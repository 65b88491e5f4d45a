//! Applying one suggestion to one file: the way from two texts to the edited text, with the route taken, a
//! confidence, and plain reasons where a person should look first.
//!
//! This module knows nothing of LSP, of disks or of terminals. It must never lose text silently: whatever it cannot
//! place is an error or is held back with `asks`.

#[cfg(test)]
mod properties;
mod rewrite;
mod scope;
mod text;
mod vote;

use std::fmt;
use std::str::FromStr;

use redraft_grammars::Language;
use redraft_model::{DecoderKind, ModelError, ModelHandle, Stats};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::guard;
use crate::merge::{self, Merge, MergeError};
use crate::suggestion::{self, Suggestion, SuggestionError};
use rewrite::{Rewrite, Writer};

pub use rewrite::{LARGEST_WHOLE, RewriteTokens, rewrite_tokens};
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
    /// The model rewrites the file, of a large one what the edit touches.
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
/// merge or choose among them, never replace them unasked. What a comment of the suggestion asks for beyond what it shows
/// (`// same for the other cases`) only the model can do: it writes the file, and a person is asked.
pub fn apply(
    request: &ApplyRequest,
    options: &ApplyOptions,
    model: Option<&ModelHandle>,
    cancel: &CancellationToken,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Applied, ApplyError> {
    let file = FileText::new(&request.original);
    let suggestion =
        suggestion::parse(&request.suggestion, request.language.as_deref(), request.path.as_deref())?;
    let language = language_of(request);
    let mut merges = merge::merge(&file.lines(), &suggestion, language);
    if cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    let task = Task { request, file, suggestion, language };
    let shown = task.demand().is_none();
    let sure = shown && merges.as_ref().is_ok_and(|merges| merges[0].confidence >= merge::SURE);
    let model = match options.route {
        Route::Deterministic => None,
        Route::Auto => model.filter(|_| !sure),
        Route::Model => Some(model.ok_or(ApplyError::NoModel)?),
    };
    let Some(model) = model else { return Ok(task.merged(&merges?[0])) };
    if let (Route::Auto, true, Ok(merges)) = (options.route, shown, &mut merges)
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

/// The language that the client names, or the path's.
fn language_of(request: &ApplyRequest) -> Option<Language> {
    let named = request.language.as_deref().and_then(Language::by_name);
    named.or_else(|| request.path.as_deref().and_then(Language::from_path))
}

/// One apply: the request, read.
struct Task<'a> {
    request: &'a ApplyRequest,
    file: FileText<'a>,
    suggestion: Suggestion,
    language: Option<Language>,
}

impl Task<'_> {
    fn review(&self, output: &str) -> Vec<String> {
        guard::review(&self.request.original, output, &self.suggestion, self.language)
    }

    /// What the suggestion asks for beyond what it shows, unless the file says the same.
    fn demand(&self) -> Option<&str> {
        let lines = self.file.lines();
        let own = |demand: &&str| !lines.iter().any(|line| line.trim() == demand.trim());
        self.suggestion.demands().into_iter().find(own).map(str::trim)
    }

    /// The merge as it is.
    fn merged(&self, merge: &Merge) -> Applied {
        let output = self.file.rebuild(&merge.lines);
        let unsure = merge.confidence < merge::SURE;
        let mut why = self.review(&output);
        let mut confidence = merge.confidence;
        if let Some(demand) = self.demand() {
            why.insert(0, format!("The suggestion says {demand:?}, and that is not done."));
            confidence = confidence.min(ALONE);
        }
        if merge.evidence.gone_unshown > 0 {
            why.extend(guard::gone_item(&self.request.original, &output, &self.suggestion));
        }
        let asks = unsure || !why.is_empty();
        if unsure {
            let doubts = guard::doubts(&merge.evidence);
            if doubts.is_empty() {
                why.push(format!("{}.", capitalised(&merge.reason)));
            }
            why.extend(doubts);
        }
        let unchanged = output == self.request.original;
        Applied {
            route: if self.suggestion.is_exact() { RouteTaken::Exact } else { RouteTaken::Merge },
            reason: if unchanged { "the file reads so already".into() } else { merge.reason.clone() },
            output,
            confidence,
            asks,
            why,
            stats: None,
        }
    }

    /// The merge that the model's vote elects; nothing if there is nothing to vote on, or the vote would take too long.
    fn voted(
        &self,
        model: &ModelHandle,
        merges: &mut [Merge],
        cancel: &CancellationToken,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<Applied>, ApplyError> {
        let Some(ballot) = vote::ballot(&self.file.lines(), merges) else { return Ok(None) };
        let vote = match vote::hold(model, self.request, &self.suggestion, &ballot, cancel, on_progress) {
            Ok(Some(vote)) => vote,
            Ok(None) => return Ok(None),
            Err(ApplyError::Cancelled) => return Err(ApplyError::Cancelled),
            Err(error) => {
                let mut applied = self.merged(&merges[0]);
                applied.reason = format!("{}; {error}", applied.reason);
                return Ok(Some(applied));
            }
        };
        merge::elect(merges, &vote.log_probs);
        let elected = self.merged(&merges[0]);
        Ok(Some(Applied {
            route: RouteTaken::Choice,
            reason: format!("the model was asked which of {} readings is meant", vote.log_probs.len()),
            stats: Some(vote.stats),
            ..elected
        }))
    }

    /// What the model wrote where the suggestion asks for more than it shows: no merge, nothing of the likeliest merge's new
    /// lines lost, no item written a second time, and no damage.
    fn carried_out(&self, rewrite: &Rewrite, merges: &[Merge]) -> Option<Applied> {
        let demand = self.demand()?;
        let (original, output) = (&self.request.original, &rewrite.output);
        let merged = |merge: &Merge| same_text(&self.file.rebuild(&merge.lines), output);
        let likeliest = self.file.rebuild(&merges[0].lines);
        let new_items = guard::more_items(output, &likeliest);
        let twice =
            new_items.iter().any(|name| likeliest.lines().any(|line| merge::item_name(line) == Some(name)));
        let added = merges[0].lines.iter().filter(|line| line.original.is_none());
        let lost = added
            .filter(|line| !line.text.trim().is_empty())
            .any(|line| !output.lines().any(|written| written.trim() == line.text.trim()));
        let damage = guard::damage(original, output, &self.suggestion, self.language);
        if lost || twice || !damage.is_empty() || merges.iter().any(merged) || same_text(original, output) {
            return None;
        }
        let mut why = vec![format!("The suggestion says {demand:?}; the model wrote what that may mean.")];
        why.extend(guard::invented(original, output, &self.suggestion));
        why.extend(
            new_items.iter().map(|name| format!("`{name}` is new, and the suggestion does not speak of it.")),
        );
        why.extend(guard::gone_item(original, output, &self.suggestion));
        Some(Applied {
            output: output.clone(),
            route: RouteTaken::Model,
            reason: "the suggestion asks for more than it shows, so the model rewrote the file".into(),
            confidence: ALONE,
            asks: true,
            why,
            stats: Some(rewrite.stats),
        })
    }

    /// The merge that the model wrote too; the likeliest one, where it wrote something else.
    fn chosen(&self, rewrite: &Rewrite, merges: &[Merge]) -> Applied {
        let same = |merge: &&Merge| same_text(&self.file.rebuild(&merge.lines), &rewrite.output);
        let choice = merges.iter().find(same);
        let mut applied = self.merged(choice.unwrap_or(&merges[0]));
        applied.stats = Some(rewrite.stats);
        if choice.is_some() {
            applied.route = RouteTaken::Choice;
            applied.reason = format!("the model wrote what one of {} readings gives", merges.len());
        } else {
            applied.reason = format!("{}; the model wrote something else", applied.reason);
        }
        applied
    }

    /// What the model wrote.
    fn rewritten(&self, rewrite: &Rewrite, merges: &[Merge]) -> Applied {
        let twin = merges.iter().find(|merge| same_text(&self.file.rebuild(&merge.lines), &rewrite.output));
        let mut why = self.review(&rewrite.output);
        why.extend(guard::gone_item(&self.request.original, &rewrite.output, &self.suggestion));
        let confidence = twin.map_or(ALONE, |merge| merge.confidence);
        if twin.is_none() && same_text(&self.request.original, &rewrite.output) {
            why = vec!["The model left the file as it was, though the suggestion asks for a change.".into()];
        } else if twin.is_none() {
            why.extend(
                merges
                    .first()
                    .and_then(|merge| guard::lost(&self.file.rebuild(&merge.lines), &rewrite.output)),
            );
            why.push("The model's file is none of the ways in which the suggestion can be merged.".into());
        } else if confidence < merge::SURE {
            why.push("The suggestion can be read in several ways; the model chose this one.".into());
        }
        Applied {
            output: rewrite.output.clone(),
            route: RouteTaken::Model,
            reason: "the model rewrote the file".into(),
            confidence,
            asks: confidence < merge::SURE || !why.is_empty(),
            why,
            stats: Some(rewrite.stats),
        }
    }
}

/// A guess at how often an untuned 0.5B model is right where it agrees with no merge: about one whole-file rewrite in ten
/// is right at all. Not measured for this case.
const ALONE: f64 = 0.1;

/// Equal but for trailing blanks and the final newline.
fn same_text(a: &str, b: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.trim_end().lines().map(|line| line.trim_end().to_string()).collect()
    };
    lines(a) == lines(b)
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_task<T>(original: &str, suggestion: &str, run: impl FnOnce(&Task<'_>, &[Merge]) -> T) -> T {
        let request = ApplyRequest {
            path: Some("a.rs".into()),
            original: original.into(),
            suggestion: suggestion.into(),
            ..ApplyRequest::default()
        };
        let suggestion = suggestion::parse(&request.suggestion, None, None).expect("a suggestion");
        let file = FileText::new(&request.original);
        let language = language_of(&request);
        let merges = merge::merge(&file.lines(), &suggestion, language).expect("a merge");
        run(&Task { request: &request, file, suggestion, language }, &merges)
    }

    fn rewrite(output: &str) -> Rewrite {
        Rewrite { output: output.into(), stats: Stats::default() }
    }

    #[test]
    fn a_model_that_changes_nothing_is_not_taken_for_an_edit_that_has_landed() {
        let original = "fn a() {}\nfn b() {}\n";
        let applied = with_task(original, "fn b() { a() }\n", |task, merges| {
            task.rewritten(&rewrite(original), merges)
        });
        assert!(applied.asks && applied.confidence < merge::SURE, "{}", applied.confidence);
        assert!(applied.why[0].contains("left the file as it was"), "{:?}", applied.why);
    }

    const FOUR: &str = "fn f() {\n    one(a);\n    two(a);\n    three(a);\n    four(a);\n}\n";
    const DEMAND: &str = "fn f() {\n    one(b);\n    two(a);\n    // same for the other two\n}\n";

    #[test]
    fn what_a_comment_asks_for_is_the_models_if_it_keeps_what_is_shown() {
        let done =
            FOUR.replace("one(a)", "one(b)").replace("three(a)", "three(b)").replace("four(a)", "four(b)");
        let carried =
            |output: &str| with_task(FOUR, DEMAND, |task, merges| task.carried_out(&rewrite(output), merges));
        let applied = carried(&done).expect("what the model wrote");
        assert!(applied.asks && applied.route == RouteTaken::Model && applied.output == done);
        assert!(applied.why[0].contains("same for the other two"), "{:?}", applied.why);
        let shown_is_lost = done.replace("one(b)", "one(a)");
        let demand_is_left = done.replace("    four", "    // same for the other two\n    four");
        let broken = done.replace("four(b);", "four(b;");
        let only_merged = FOUR.replace("one(a)", "one(b)");
        let twice = format!("{done}\nfn f() {{}}\n");
        for output in [FOUR, &shown_is_lost, &demand_is_left, &broken, &only_merged, &twice] {
            assert!(carried(output).is_none(), "{output}");
        }
        let more = carried(&format!("{done}\nfn g() {{}}\n")).expect("what the model wrote");
        assert!(more.why.iter().any(|why| why.contains("`g` is new")), "{:?}", more.why);
    }
}
