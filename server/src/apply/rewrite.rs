//! The file written anew by the model, a large one in a [`Scope`], with the file, the suggestion and the best merge as its
//! draft. A model with an adapter writes the edit's places only: that is what adapters are trained on.

use redraft_grammars::Language;
use redraft_model::prompt::{Rendered, RewritePrompt};
use redraft_model::{
    DecoderKind, DraftSources, Event, GenerateRequest, ModelHandle, Priority, Stats, StopReason,
};
use tokio_util::sync::CancellationToken;

use super::outcome::Task;
use super::scope::{Filling, Scope};
use super::{ApplyError, ApplyRequest, FileText, Progress};
use crate::merge::Merge;

/// What a rewrite gave: the file's text with its own line endings, and what it cost.
pub(super) struct Rewrite {
    pub(super) output: String,
    pub(super) stats: Stats,
    /// Whether the model wrote it through its adapter.
    pub(super) adapted: bool,
}

/// Tokens beyond the draft that a model may write before it is stopped.
const SLACK: usize = 256;

/// Who writes, and how.
pub(super) struct Writer<'a> {
    pub(super) model: &'a ModelHandle,
    pub(super) decoder: DecoderKind,
    pub(super) cancel: &'a CancellationToken,
}

pub(super) fn prompt<'a>(request: &'a ApplyRequest, original: &'a str, code: &'a str) -> RewritePrompt<'a> {
    RewritePrompt {
        path: request.path.as_deref(),
        language: request.language.as_deref(),
        original,
        suggestion: code,
        instruction: request.instruction.as_deref(),
    }
}

/// The beginning of the prompt of a file that is rewritten whole, whatever the suggestion.
pub(super) fn whole_file(request: &ApplyRequest, model: &ModelHandle) -> Vec<u32> {
    let original = FileText::new(&request.original).plain();
    prompt(request, &original, "").prefix(model.info().family, model.tokenizer())
}

/// Larger files, in tokens, are rewritten in a scope. On files of 440 to 570 lines that took a median of 2.4 s with the
/// 0.5B model and gave 2 of 8 right; rewriting three of the same files whole took 21 s and gave none.
pub(super) const LARGEST_WHOLE: usize = 2000;

/// Files of at most so many tokens are rewritten whole even by a model with an adapter.
const LARGEST_WHOLE_ADAPTED: usize = 150;

/// What a model with an adapter is given of a file of `tokens` tokens; nothing if that is the whole file.
pub(super) fn edited_places(
    lines: &[&str],
    tokens: usize,
    merges: &[Merge],
    code: &str,
    language: Option<Language>,
) -> Option<Scope> {
    if tokens > LARGEST_WHOLE_ADAPTED { Scope::of_edits(lines, merges, code, language) } else { None }
}

/// What the model is told, and what it is likely to answer.
pub(super) struct Plan {
    /// What of the file is shown; all of it if there is none.
    scope: Option<Scope>,
    pub(super) rendered: Rendered,
    draft: DraftSources,
    /// Whether the model's adapter is for this.
    pub(super) adapted: bool,
    /// Most tokens of the answer.
    max_tokens: usize,
}

/// Makes the prompt; the first of `merges` is the text that the model is most likely to copy. An error if that cannot fit.
pub(super) fn plan(model: &ModelHandle, task: &Task<'_>, merges: &[Merge]) -> Result<Plan, ApplyError> {
    let (tokenizer, context) = (model.tokenizer(), model.info().context_length);
    let lines = task.file.lines();
    let (whole, code) = (task.file.plain(), task.suggestion.code());
    let size = tokenizer.encode(&whole).len();
    let large = size > LARGEST_WHOLE.min(context / 3);
    if large && merges.is_empty() {
        return Err(ApplyError::NoPlace);
    }
    // What is asked for beyond what is shown can be anywhere in an item, and adapters are not trained on it.
    let adapted = model.info().adapted && task.demand().is_none();
    let scope = if adapted {
        edited_places(&lines, size, merges, &code, task.language)
    } else if large {
        Scope::of_items(&lines, merges, task.language)
    } else {
        None
    };
    let original = scope.as_ref().map_or(whole, |scope| scope.excerpt(&lines));
    let merged = merges.first().map(|merge| match &scope {
        Some(scope) => scope.excerpt_of(&merge.lines),
        None => FileText::new(&task.file.rebuild(&merge.lines)).plain(),
    });
    let rendered = prompt(task.request, &original, &code).render(model.info().family, tokenizer);
    let longest = merged.as_deref().unwrap_or(&original);
    let expected = tokenizer.encode(longest).len().max(tokenizer.encode(&original).len());
    if rendered.tokens.len() + expected >= context {
        return Err(ApplyError::TooLong { tokens: rendered.tokens.len() + expected, context });
    }
    let most = expected + tokenizer.encode(&code).len() + SLACK;
    let max_tokens = most.min(context - rendered.tokens.len());
    let draft = DraftSources { original, suggestion: code, merged };
    Ok(Plan { scope, rendered, draft, adapted, max_tokens })
}

/// Lets the model write the file.
pub(super) fn rewrite(
    writer: &Writer<'_>,
    task: &Task<'_>,
    merges: &[Merge],
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Rewrite, ApplyError> {
    let Plan { scope, rendered, draft, adapted, max_tokens } = plan(writer.model, task, merges)?;
    let lines = task.file.lines();
    let mut events = writer.model.submit(GenerateRequest {
        max_tokens,
        prompt: rendered.tokens,
        draft,
        decoder: writer.decoder,
        stop: rendered.stop,
        priority: Priority::Apply,
        adapted,
        cancel: writer.cancel.clone(),
    });
    let mut text = String::new();
    let mut filling = scope.as_ref().map(|scope| Filling::new(scope, &lines));
    while let Some(event) = events.blocking_recv() {
        match event {
            Event::Prefill { done, total } => on_progress(Progress::Prefill { done, total }),
            Event::Text { text: more, stats } => {
                text.push_str(&more);
                let filled = filling.as_mut().map(|filling| filling.push(&more));
                on_progress(Progress::Text { text: filled.as_deref().unwrap_or(&more), stats });
            }
            Event::Finished(Err(error)) => return Err(ApplyError::Model(error)),
            Event::Finished(Ok(finished)) => match finished.stop {
                StopReason::Cancelled => return Err(ApplyError::Cancelled),
                StopReason::Length => {
                    return Err(ApplyError::Endless { written: text, stats: finished.stats });
                }
                StopReason::EndOfText | StopReason::StopString => {
                    let output = match &scope {
                        None => task.file.adopt(&text),
                        Some(scope) => task.file.rebuild(&scope.restore(&lines, &text)),
                    };
                    return Ok(Rewrite { output, stats: finished.stats, adapted });
                }
            },
        }
    }
    Err(ApplyError::Gone)
}
