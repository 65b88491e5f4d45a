//! `redraft/applying`: what the model has verified so far, for clients that show it while it grows.
//!
//! Nothing here changes a document. The hunks are a preview, in the lines of the version that the apply is for; what
//! lands comes as an edit of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ropey::Rope;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::{ProgressToken, Range, TextEdit, Url};

use super::convert::to_range;
use super::engine::Step;
use super::job::Job;
use super::shared::Shared;
use crate::text::{Hunk, StreamingDiff};

/// Notifications follow each other at least so far apart, but for those with a new hunk.
const PAUSE: Duration = Duration::from_millis(50);

/// `redraft/applying`.
enum Applying {}

impl Notification for Applying {
    type Params = ApplyingParams;
    const METHOD: &'static str = "redraft/applying";
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplyingParams {
    uri: Url,
    version: Option<i32>,
    /// Cancels with `window/workDoneProgress/cancel`.
    token: ProgressToken,
    phase: Phase,
    tokens_per_second: Option<f64>,
    /// The part of the document that was gone over; nothing where edits land while the rest is verified.
    verified: Option<Range>,
    hunks: Vec<TextEdit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Reading,
    Writing,
    Done,
}

/// The preview of one apply. Dropping it tells the client that it is over.
pub(super) struct Preview {
    shared: Arc<Shared>,
    job: Job,
    rope: Rope,
    token: ProgressToken,
    /// Nothing where the edits themselves land meanwhile.
    diff: Option<StreamingDiff>,
    crlf: bool,
    hunks: Vec<TextEdit>,
    sent: Option<Instant>,
    _cancels: Box<dyn Send>,
}

impl Preview {
    /// A preview, if the client wants one. `lands` is set where edits land while the rest is being verified.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        job: &Job,
        cancel: &CancellationToken,
        lands: bool,
    ) -> Option<Self> {
        if !shared.client().applying {
            return None;
        }
        let token = shared.new_progress_token();
        let cancels = shared.register_cancel(token.clone(), cancel.clone());
        let original = job.original();
        Some(Self {
            shared: Arc::clone(shared),
            rope: Rope::from_str(&job.subject.text),
            job: job.clone(),
            token,
            crlf: original.contains("\r\n"),
            diff: (!lands).then(|| StreamingDiff::new(original)),
            hunks: Vec::new(),
            sent: None,
            _cancels: Box::new(cancels),
        })
    }

    /// The model is a step further.
    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Reading { .. } => self.send(Phase::Reading, None),
            Step::Writing { text, tokens_per_second } => {
                let text = if self.crlf { text.replace('\n', "\r\n") } else { text.clone() };
                let fresh = self.diff.as_mut().map(|diff| diff.push_new(&text)).unwrap_or_default();
                if !fresh.is_empty() {
                    self.sent = None;
                }
                for hunk in fresh {
                    let edit = self.to_edit(hunk);
                    self.hunks.push(edit);
                }
                self.send(Phase::Writing, *tokens_per_second);
            }
        }
    }

    /// A byte of the text that the suggestion is applied to, in the document, where the snippet may stand as well.
    fn in_document(&self, byte: usize) -> usize {
        match &self.job.cut {
            Some(cut) if byte > cut.start => byte + cut.len(),
            _ => byte,
        }
    }

    fn range(&self, bytes: std::ops::Range<usize>) -> Range {
        let bytes = self.in_document(bytes.start)..self.in_document(bytes.end);
        to_range(bytes, &self.rope, self.shared.encoding())
    }

    fn to_edit(&self, hunk: Hunk) -> TextEdit {
        TextEdit { range: self.range(hunk.range), new_text: hunk.text }
    }

    fn send(&mut self, phase: Phase, tokens_per_second: Option<f64>) {
        if self.sent.is_some_and(|sent| sent.elapsed() < PAUSE) {
            return;
        }
        self.sent = Some(Instant::now());
        self.notify(phase, tokens_per_second);
    }

    fn notify(&self, phase: Phase, tokens_per_second: Option<f64>) {
        let verified = self.diff.as_ref().map(|diff| self.range(0..diff.verified()));
        self.shared.peer.notify::<Applying>(&ApplyingParams {
            uri: self.job.subject.uri.clone(),
            version: self.job.subject.version,
            token: self.token.clone(),
            phase,
            tokens_per_second,
            verified,
            hunks: if phase == Phase::Done { Vec::new() } else { self.hunks.clone() },
        });
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.notify(Phase::Done, None);
    }
}
