//! From the edited text to the editor: edits for the document as it is now, confirmed where they must be.
//!
//! Whatever was typed meanwhile is looked at in the last moment before an edit leaves. Edits that touch it are
//! refused; an edit is never sent for a text that it was not made for.

use std::sync::Arc;
use std::time::Duration;

use ropey::Rope;
use tokio::sync::mpsc::UnboundedReceiver;
use tower_lsp::lsp_types::request::ApplyWorkspaceEdit;
use tower_lsp::lsp_types::{ApplyWorkspaceEditParams, MessageType, WorkspaceEdit};

use super::convert::EditForm;
use super::job::{Job, JobError, Subject, read_file};
use super::peer::{ANSWER_LIMIT, PERSON_LIMIT, PeerError};
use super::review;
use super::shared::Shared;
use crate::apply::Applied;
use crate::session::Review;
use crate::text::{Edits, StreamingDiff, diff};

/// How often an edit is made anew because the document changed while it was on its way.
const TRIES: usize = 5;

/// How long the client may take to announce a change that it said it made.
const CHANGE_LIMIT: Duration = Duration::from_secs(2);

const APPLY: &str = "Apply";

/// How an edit reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As the edit of the code action that was asked for.
    Action,
    /// By `workspace/applyEdit`.
    Sent,
}

/// What became of an apply that worked.
#[derive(Debug)]
pub(super) enum Landed {
    /// The edit that the client applies.
    Edit(WorkspaceEdit),
    /// The client has applied it.
    Applied,
    /// It was held back, and the user did not want it.
    Discarded,
    /// The suggestion says what the file says already.
    Unchanged,
}

/// Brings a finished apply to the editor.
pub(super) async fn land(
    shared: &Arc<Shared>,
    job: &Job,
    applied: &Applied,
    way: Way,
) -> Result<Landed, JobError> {
    let edits = job.edits(&applied.output);
    if edits.is_empty() {
        return unchanged(applied);
    }
    let client = shared.client();
    let annotates = match way {
        Way::Action => client.action_annotations,
        Way::Sent => client.annotations,
    };
    let mut ask = applied.asks.then(|| sentence(applied));
    if !annotates && let Some(why) = ask.take() {
        let question = format!("The suggestion for {} may not be right. {why}", job.subject.name);
        if !confirm(shared, question, APPLY, "Discard").await {
            return Ok(Landed::Discarded);
        }
    }
    if way == Way::Action {
        let (edits, version, rope) = current(shared, &job.subject, &edits).await?;
        let before = String::from(&rope);
        expect_review(shared, job, &before, edits.apply(&before));
        return Ok(Landed::Edit(form(shared, &job.subject, version, &rope, ask).make(&edits)));
    }
    if shared.client().review {
        let (edits, _, rope) = current(shared, &job.subject, &edits).await?;
        let before = String::from(&rope);
        expect_review(shared, job, &before, edits.apply(&before));
    }
    send(shared, &job.subject, &edits, ask).await?;
    review::announce(shared, &job.subject.uri);
    Ok(Landed::Applied)
}

/// Once the document has the text `after`, a person can keep or undo what is new in it hunk by hunk.
fn expect_review(shared: &Shared, job: &Job, before: &str, after: String) {
    if !shared.client().review || job.subject.version.is_none() {
        return;
    }
    // Something may have been typed above the snippet.
    let meanwhile = diff(&job.subject.text, before);
    let cut = job.cut.clone().and_then(|cut| meanwhile.map_range(cut).ok());
    let review = Review::new(before.to_owned(), after, cut.as_ref());
    shared.session().expect_review(job.subject.uri.clone(), review);
}

/// No edit came of it: the file reads so already, or what was made is not to be trusted.
fn unchanged(applied: &Applied) -> Result<Landed, JobError> {
    if applied.asks { Err(JobError::refused(sentence(applied))) } else { Ok(Landed::Unchanged) }
}

fn sentence(applied: &Applied) -> String {
    if applied.why.is_empty() { applied.reason.clone() } else { applied.why.join(" ") }
}

/// Asks a person; no answer is a no.
async fn confirm(shared: &Shared, question: String, yes: &str, no: &str) -> bool {
    let answer = shared.peer.ask(MessageType::WARNING, question, [yes, no]).await;
    matches!(answer, Ok(Some(title)) if title == yes)
}

fn form<'a>(
    shared: &Shared,
    subject: &'a Subject,
    version: Option<i32>,
    rope: &'a Rope,
    ask: Option<String>,
) -> EditForm<'a> {
    EditForm {
        uri: &subject.uri,
        version,
        rope,
        encoding: shared.encoding(),
        document_changes: shared.client().document_changes,
        ask,
    }
}

/// The edits for the file as it is now, with its version and text. Refused when it changed at the same place.
async fn current(
    shared: &Shared,
    subject: &Subject,
    edits: &Edits,
) -> Result<(Edits, Option<i32>, Rope), JobError> {
    let name = &subject.name;
    let (version, rope) = match shared.snapshot(&subject.uri)? {
        Some(now) => (Some(now.version), now.rope),
        None if subject.version.is_some() => {
            return Err(JobError::refused(format!("{name} was closed meanwhile; nothing was applied")));
        }
        None => {
            let path = subject.path.as_deref().unwrap_or_else(|| std::path::Path::new(name));
            (None, Rope::from_str(&read_file(path).await?))
        }
    };
    if version.is_some() && version == subject.version {
        return Ok((edits.clone(), version, rope));
    }
    let meanwhile = diff(&subject.text, &String::from(&rope));
    let edits = edits.rebase(&meanwhile).map_err(|_| {
        JobError::refused(format!(
            "{name} was changed at the same place meanwhile; nothing was applied. Apply the suggestion again."
        ))
    })?;
    Ok((edits, version, rope))
}

/// Sends edits and waits for the client to have applied them.
pub(super) async fn send(
    shared: &Shared,
    subject: &Subject,
    edits: &Edits,
    ask: Option<String>,
) -> Result<Rope, JobError> {
    let limit = if ask.is_some() { PERSON_LIMIT } else { ANSWER_LIMIT };
    let mut reason = None;
    for _ in 0..TRIES {
        let (edits, version, rope) = current(shared, subject, edits).await?;
        let edit = form(shared, subject, version, &rope, ask.clone()).make(&edits);
        let params = ApplyWorkspaceEditParams { label: Some("Apply suggestion".to_owned()), edit };
        let answer = match shared.peer.request::<ApplyWorkspaceEdit>(params, limit).await {
            Ok(answer) => answer,
            Err(PeerError::NoAnswer) => {
                return Err(JobError::refused(
                    "the editor did not answer; look whether it applied the suggestion",
                ));
            }
            Err(error) => return Err(JobError::refused(error.to_string())),
        };
        if answer.applied {
            return Ok(Rope::from_str(&edits.apply(&String::from(&rope))));
        }
        reason = answer.failure_reason;
        let changed = shared.snapshot(&subject.uri)?.is_some_and(|now| Some(now.version) != version);
        if !changed {
            break;
        }
    }
    let why = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    Err(JobError::refused(format!("the editor did not apply the suggestion{why}")))
}

/// Sends the hunks of a text that is still being verified, each as soon as it is settled. What the file was when the
/// last hunk went is kept in `subject`, so that typing elsewhere only moves the next one.
pub(super) struct Stream {
    job: Job,
    original: String,
    diff: StreamingDiff,
    landed: Edits,
    subject: Subject,
    started: bool,
    crlf: bool,
}

impl Stream {
    pub(super) fn new(job: &Job) -> Self {
        let original = job.original();
        Self {
            diff: StreamingDiff::new(original.as_str()),
            landed: Edits::none(original.len()),
            subject: job.subject.clone(),
            job: job.clone(),
            crlf: original.contains("\r\n"),
            original,
            started: false,
        }
    }

    /// Takes verified text as it comes, until there is no more.
    pub(super) async fn follow(
        &mut self,
        shared: &Shared,
        texts: &mut UnboundedReceiver<String>,
    ) -> Result<(), JobError> {
        while let Some(mut text) = texts.recv().await {
            // The client is slower than the model: what has gathered meanwhile goes in one edit.
            while let Ok(more) = texts.try_recv() {
                text.push_str(&more);
            }
            // The model writes plain line ends; the file's own are what is compared.
            if self.crlf {
                text = text.replace('\n', "\r\n");
            }
            let hunks = self.diff.push_new(&text);
            if hunks.is_empty() {
                continue;
            }
            for hunk in hunks {
                self.landed.push(hunk.range, &hunk.text);
            }
            let so_far = self.landed.apply(&self.original);
            self.advance(shared, &so_far).await?;
        }
        Ok(())
    }

    /// The apply has ended: brings the file to its final text, and asks about it where the guard wants that.
    pub(super) async fn finish(&mut self, shared: &Shared, applied: &Applied) -> Result<Landed, JobError> {
        if self.job.edits(&applied.output).is_empty() {
            return unchanged(applied);
        }
        if applied.asks {
            let question = format!(
                "The suggestion for {} may not be right. {}",
                self.job.subject.name,
                sentence(applied)
            );
            if !confirm(shared, question, APPLY, "Discard").await {
                self.take_back(shared).await?;
                return Ok(Landed::Discarded);
            }
        }
        self.advance(shared, &applied.output).await?;
        Ok(Landed::Applied)
    }

    /// Undoes what has landed.
    pub(super) async fn take_back(&mut self, shared: &Shared) -> Result<(), JobError> {
        if !self.started {
            return Ok(());
        }
        let edits = diff(&self.subject.text, &self.job.subject.text);
        self.step(shared, &edits).await.map_err(|error| {
            JobError::refused(format!(
                "{error}. What had been applied before could not be taken back: undo it."
            ))
        })
    }

    /// Brings the file from what has landed to `text`.
    async fn advance(&mut self, shared: &Shared, text: &str) -> Result<(), JobError> {
        let edits = if self.started { diff(&self.subject.text, text) } else { self.job.edits(text) };
        if edits.is_empty() {
            return Ok(());
        }
        self.step(shared, &edits).await
    }

    async fn step(&mut self, shared: &Shared, edits: &Edits) -> Result<(), JobError> {
        self.expect_review(shared, edits);
        let expected = send(shared, &self.subject, edits, None).await?;
        self.started = true;
        self.subject.text = edits.apply(&self.subject.text);
        // From here on the version does not tell whether the text is ours: the texts are compared.
        self.subject.version = self.subject.version.map(|_| i32::MIN);
        shared.wait_for_text(&self.subject.uri, &expected, CHANGE_LIMIT).await;
        Ok(())
    }

    /// The review after this step is of all that has landed, beside what was typed meanwhile.
    fn expect_review(&self, shared: &Shared, edits: &Edits) {
        if !shared.client().review {
            return;
        }
        let Ok(Some(now)) = shared.snapshot(&self.subject.uri) else { return };
        let now = now.text();
        let meanwhile = diff(&self.subject.text, &now);
        let back = diff(&self.subject.text, &self.job.subject.text);
        if let (Ok(back), Ok(edits)) = (back.rebase(&meanwhile), edits.rebase(&meanwhile)) {
            expect_review(shared, &self.job, &back.apply(&now), edits.apply(&now));
        }
    }
}
