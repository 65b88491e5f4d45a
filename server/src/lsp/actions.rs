//! Where "Apply suggestion" is offered, and the job that each offer stands for.
//!
//! Offering does no model work and changes nothing. What an action needs later travels in its data; the text it was
//! offered for is found again by the document's version.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tower_lsp::lsp_types::{
    self, CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, Command, Url,
};

use super::capabilities::APPLY_COMMAND;
use super::convert::from_range;
use super::job::{Job, JobError, Subject};
use super::shared::Shared;
use crate::apply::Route;
use crate::session::markdown::{self, Fence};
use crate::session::{DocumentSnapshot, Stream, candidates_on_disk, inside, open_targets};

/// At most so many files are offered for one fenced block.
const MAX_TARGETS: usize = 4;

/// What an action stands for. Ranges are bytes of the document at that version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "camelCase")]
pub(super) enum Source {
    /// The selected text of the file itself.
    Selection { uri: Url, version: i32, start: usize, end: usize },
    /// A fenced block of another document.
    Fence { uri: Url, version: i32, start: usize, target: Url },
    /// A suggestion that an extension offered.
    Offer { uri: Url, id: String },
}

/// The argument of [`APPLY_COMMAND`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Argument {
    /// An action of ours, for clients that take commands only.
    Action { action: Source },
    /// What the documentation describes.
    Suggestion {
        uri: Url,
        suggestion: String,
        #[serde(default)]
        instruction: Option<String>,
        #[serde(default)]
        version: Option<i32>,
    },
}

/// Something that can be applied.
pub(super) struct Offered {
    pub(super) title: String,
    pub(super) source: Source,
}

/// The actions for a range of a document.
pub(super) async fn offer(shared: &Arc<Shared>, params: &CodeActionParams) -> Vec<CodeActionOrCommand> {
    if !params.context.only.as_ref().is_none_or(|only| only.iter().any(asks_for_rewrite)) {
        return Vec::new();
    }
    let offered = offered(shared, &params.text_document.uri, params.range).await;
    if let Some(first) = offered.first() {
        shared.prepare_for(first.source.clone());
    }
    offered.into_iter().map(|offered| action(shared, offered)).collect()
}

/// What can be applied at a range of a document.
pub(super) async fn offered(shared: &Arc<Shared>, uri: &Url, range: lsp_types::Range) -> Vec<Offered> {
    let Ok(Some(snapshot)) = shared.snapshot(uri) else { return Vec::new() };
    let range = from_range(range, &snapshot.rope, shared.encoding());
    let mut offered = from_offers(shared, uri);
    let text = snapshot.text();
    let is_markdown = snapshot.language.is_some_and(|language| matches!(language.name(), "markdown" | "mdx"))
        || snapshot.language.is_none_or(|language| language.name() == "plaintext");
    let fences = if is_markdown { markdown::fences(&text) } else { Vec::new() };
    let touched: Vec<Fence> = fences
        .into_iter()
        .filter(|fence| fence.range.start <= range.end && range.start <= fence.range.end)
        .filter(|fence| !text[fence.content.clone()].trim().is_empty())
        .collect();
    if touched.is_empty() {
        offered.extend(from_selection(&snapshot, &text, range));
    }
    for fence in touched {
        offered.extend(from_fence(shared, &snapshot, &text, &fence).await);
    }
    offered
}

fn asks_for_rewrite(kind: &CodeActionKind) -> bool {
    let (kind, ours) = (kind.as_str(), CodeActionKind::REFACTOR_REWRITE);
    kind.is_empty() || ours.as_str() == kind || ours.as_str().starts_with(&format!("{kind}."))
}

/// The action in the form that the client takes: resolved later, or with a command, or a command alone.
fn action(shared: &Shared, offered: Offered) -> CodeActionOrCommand {
    let client = shared.client();
    let Offered { title, source } = offered;
    let command = || {
        let argument = serde_json::to_value(Argument::Action { action: source.clone() });
        Command::new(title.clone(), APPLY_COMMAND.to_owned(), argument.ok().map(|argument| vec![argument]))
    };
    if !client.action_literals {
        return CodeActionOrCommand::Command(command());
    }
    let config = shared.config().apply;
    let streams = config.stream == Stream::Hunks && config.route == Route::Model;
    let resolved = client.resolves_edits && !streams;
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.clone(),
        kind: Some(CodeActionKind::REFACTOR_REWRITE),
        command: (!resolved).then(command),
        data: if resolved { serde_json::to_value(&source).ok() } else { None },
        ..CodeAction::default()
    })
}

fn from_offers(shared: &Shared, uri: &Url) -> Vec<Offered> {
    let offers = shared.session().offers(uri).to_vec();
    let title = |title: Option<String>| {
        title.map_or_else(|| "Apply suggestion".to_owned(), |title| format!("Apply suggestion: {title}"))
    };
    offers
        .into_iter()
        .map(|offer| Offered {
            title: title(offer.title),
            source: Source::Offer { uri: uri.clone(), id: offer.id },
        })
        .collect()
}

/// The selection itself is the suggestion, when there is a file beside it.
fn from_selection(snapshot: &DocumentSnapshot, text: &str, range: Range<usize>) -> Option<Offered> {
    let cut = whole_lines(text, range);
    let rest_is_blank = text[..cut.start].trim().is_empty() && text[cut.end..].trim().is_empty();
    if text[cut.clone()].trim().is_empty() || rest_is_blank {
        return None;
    }
    Some(Offered {
        title: "Apply suggestion".to_owned(),
        source: Source::Selection {
            uri: snapshot.uri.clone(),
            version: snapshot.version,
            start: cut.start,
            end: cut.end,
        },
    })
}

/// A selection from the first to the last character of its lines means the lines: their last line end goes too, and
/// one of the two blank lines that were put around a snippet.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = range;
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if start == end || !text[line_start..start].trim().is_empty() {
        return start..end;
    }
    if !text[..end].ends_with('\n') {
        let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        if !text[end..line_end].trim().is_empty() {
            return start..end;
        }
        end = line_end;
    }
    start = line_start;
    let blank_line = |line: &str| line.trim().is_empty();
    let next = text[end..].split_inclusive('\n').next().unwrap_or_default();
    let above = text[..start].split_inclusive('\n').next_back().unwrap_or_default();
    if above.ends_with('\n') && blank_line(above) && blank_line(next) {
        start -= above.len();
    }
    start..end
}

async fn from_fence(shared: &Shared, snapshot: &DocumentSnapshot, text: &str, fence: &Fence) -> Vec<Offered> {
    let targets = targets(shared, text, fence, Some(snapshot)).await;
    let folders = shared.session().folders.clone();
    let title = |target: &Url| {
        let path = target.to_file_path().unwrap_or_else(|()| target.path().into());
        let short = folders.iter().find_map(|folder| path.strip_prefix(folder).ok()).unwrap_or(&path);
        format!("Apply suggestion to {}", short.display())
    };
    targets
        .into_iter()
        .take(MAX_TARGETS)
        .map(|target| Offered {
            title: title(&target),
            source: Source::Fence {
                uri: snapshot.uri.clone(),
                version: snapshot.version,
                start: fence.range.start,
                target,
            },
        })
        .collect()
}

/// The files that a fenced block of a text may be meant for: open ones first, then one of the workspace. The document
/// that the text is from, if it is from one, is not among them.
pub(super) async fn targets(
    shared: &Shared,
    text: &str,
    fence: &Fence,
    from: Option<&DocumentSnapshot>,
) -> Vec<Url> {
    let hints = markdown::path_hints(text, fence);
    let (documents, folders) = {
        let session = shared.session();
        let documents: Vec<DocumentSnapshot> = session
            .snapshots()
            .into_iter()
            .filter(|document| from.is_none_or(|from| document.uri != from.uri))
            .collect();
        (documents, session.folders.clone())
    };
    let block = fence.text(text);
    let mut targets: Vec<Url> = open_targets(&hints, fence.language(), &block, &documents)
        .into_iter()
        .map(|document| document.uri)
        .collect();
    if targets.is_empty() {
        let beside = from.and_then(|from| Some(from.path()?.parent()?.to_owned()));
        let found = tokio::task::spawn_blocking(move || {
            let candidates = candidates_on_disk(&hints, &folders, beside.as_deref());
            candidates.into_iter().find_map(|path| inside(&path, &folders))
        });
        let found = found.await.ok().flatten();
        targets.extend(found.and_then(|path| Url::from_file_path(path).ok()));
    }
    targets
}

/// The job that an action stands for, on the texts it was offered for.
pub(super) async fn job(shared: &Shared, source: Source) -> Result<Job, JobError> {
    match source {
        Source::Selection { uri, version, start, end } => {
            let snapshot = shared.snapshot_at(&uri, version)?;
            let subject = Subject::open(&snapshot);
            // The cut may begin with the blank line above the snippet.
            let suggestion =
                subject.text.get(start..end).map(|text| text.trim_start_matches(['\n', '\r']).to_owned());
            let suggestion =
                suggestion.ok_or_else(|| JobError::refused("the selection is not in the file"))?;
            Ok(Job { subject, cut: Some(start..end), suggestion, instruction: None, offer: None })
        }
        Source::Fence { uri, version, start, target } => {
            let text = shared.snapshot_at(&uri, version)?.text();
            let fence = markdown::fences(&text).into_iter().find(|fence| fence.range.start == start);
            let fence =
                fence.ok_or_else(|| JobError::refused("the code block is not in the text any more"))?;
            let subject = subject(shared, &target).await?;
            Ok(Job { subject, cut: None, suggestion: fence.text(&text), instruction: None, offer: None })
        }
        Source::Offer { uri, id } => {
            let offer = shared.session().offers(&uri).iter().find(|offer| offer.id == id).cloned();
            let offer = offer.ok_or_else(|| JobError::refused("this suggestion was withdrawn"))?;
            let subject = match offer.version {
                Some(version) => Subject::open(&shared.snapshot_at(&uri, version)?),
                None => subject(shared, &uri).await?,
            };
            Ok(Job {
                subject,
                cut: None,
                suggestion: offer.suggestion,
                instruction: offer.instruction,
                offer: Some(offer.id),
            })
        }
    }
}

/// The job of a command's argument.
pub(super) async fn job_of_argument(shared: &Shared, argument: Argument) -> Result<Job, JobError> {
    let (uri, suggestion, instruction, version) = match argument {
        Argument::Action { action } => return job(shared, action).await,
        Argument::Suggestion { uri, suggestion, instruction, version } => {
            (uri, suggestion, instruction, version)
        }
    };
    let subject = match version {
        Some(version) => Subject::open(&shared.snapshot_at(&uri, version)?),
        None => subject(shared, &uri).await?,
    };
    Ok(Job { subject, cut: None, suggestion, instruction, offer: None })
}

/// An open document, or else a file inside the workspace folders.
pub(super) async fn subject(shared: &Shared, uri: &Url) -> Result<Subject, JobError> {
    if let Some(snapshot) = shared.snapshot(uri)? {
        return Ok(Subject::open(&snapshot));
    }
    let refused = || JobError::refused(format!("{uri} is neither open nor a file of the workspace"));
    let path = uri.to_file_path().map_err(|()| refused())?;
    let folders = shared.session().folders.clone();
    let found = tokio::task::spawn_blocking(move || inside(&path, &folders));
    let path = found.await.ok().flatten().ok_or_else(refused)?;
    Subject::on_disk(path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let start = text.find('<').unwrap();
        let end = text.find('>').unwrap() - 1;
        let text = text.replace(['<', '>'], "");
        let cut = whole_lines(&text, start..end);
        assert_eq!([&text[..cut.start], &text[cut.end..]].concat(), expected);
    }

    #[test]
    fn whole_lines_go_with_their_end() {
        check("a\n<b\nc>\nd\n", "a\nd\n");
        check("a\n<b\nc\n>d\n", "a\nd\n");
        check("a\n  <b\n  c>  \nd\n", "a\nd\n");
        check("a\n\n<b\nc\n>", "a\n");
        check("a\n\n<b\n>\nd\n", "a\n\nd\n");
        check("a\n<b\n>\nd\n", "a\n\nd\n");
        check("a\r\n<b>\r\nd\r\n", "a\r\nd\r\n");
    }

    #[test]
    fn part_of_a_line_is_just_that_part() {
        check("let a = <1 + 2>;\n", "let a = ;\n");
        check("a<\nb>\nc\n", "a\nc\n");
    }

    #[test]
    fn the_kind_is_matched_by_its_parts() {
        let asks = |kind: &'static str| asks_for_rewrite(&CodeActionKind::new(kind));
        assert!(asks("") && asks("refactor") && asks("refactor.rewrite"));
        assert!(!asks("ref") && !asks("refactor.extract") && !asks("quickfix"));
    }
}
