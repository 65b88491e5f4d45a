//! Progress of one piece of work, in the client's own display.
//!
//! Nothing waits for the client here: when it is slow to create its display, the work goes on and the display starts
//! late or never. Reports are the newest ones only, a few per second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::Progress as ProgressNotification;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    ProgressParams, ProgressParamsValue, ProgressToken, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use super::peer::ANSWER_LIMIT;
use super::shared::Shared;

/// Reports follow each other at least so far apart.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Default, PartialEq)]
struct Update {
    message: Option<String>,
    percentage: Option<u32>,
}

/// A running display. Ends when it is dropped; [`Progress::finish`] also waits until the end was sent.
pub(super) struct Progress {
    updates: watch::Sender<Update>,
    display: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins a display under the client's token, or under one of ours when the client shows such; pressing its
    /// cancel button cancels `cancel`.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        token: Option<ProgressToken>,
        title: String,
        cancel: &CancellationToken,
    ) -> Self {
        let (updates, receiver) = watch::channel(Update::default());
        let display = (token.is_some() || shared.client().progress)
            .then(|| tokio::spawn(show(Arc::clone(shared), token, title, cancel.clone(), receiver)));
        Self { updates, display }
    }

    /// What is being done now, and how far it is in percent where that is known.
    pub(super) fn say(&self, message: impl Into<String>, percentage: Option<u32>) {
        self.updates.send_replace(Update { message: Some(message.into()), percentage });
    }

    /// Ends the display and waits until the client was told.
    pub(super) async fn finish(self) {
        let Self { updates, display } = self;
        drop(updates);
        if let Some(display) = display {
            let _ = display.await;
        }
    }
}

async fn show(
    shared: Arc<Shared>,
    given: Option<ProgressToken>,
    title: String,
    cancel: CancellationToken,
    mut updates: watch::Receiver<Update>,
) {
    let token = given.clone().unwrap_or_else(|| shared.new_progress_token());
    let _registered = shared.register_cancel(token.clone(), cancel);
    if given.is_none() {
        let create = WorkDoneProgressCreateParams { token: token.clone() };
        let created = tokio::select! {
            created = shared.peer.request::<WorkDoneProgressCreate>(create, ANSWER_LIMIT) => created.is_ok(),
            () = ended(updates.clone()) => false,
        };
        if !created {
            return;
        }
    }
    let send = |value| {
        let params = ProgressParams { token: token.clone(), value: ProgressParamsValue::WorkDone(value) };
        shared.peer.notify::<ProgressNotification>(&params);
    };
    let Update { message, percentage } = updates.borrow_and_update().clone();
    // A percentage may only be reported later when there is one at the beginning.
    send(WorkDoneProgress::Begin(WorkDoneProgressBegin {
        title,
        cancellable: Some(true),
        message,
        percentage: Some(percentage.unwrap_or(0)),
    }));
    while updates.changed().await.is_ok() {
        let Update { message, percentage } = updates.borrow_and_update().clone();
        send(WorkDoneProgress::Report(WorkDoneProgressReport {
            cancellable: Some(true),
            message,
            percentage,
        }));
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = ended(updates.clone()) => break,
        }
    }
    send(WorkDoneProgress::End(WorkDoneProgressEnd { message: None }));
}

/// Returns when the work is over.
async fn ended(mut updates: watch::Receiver<Update>) {
    while updates.changed().await.is_ok() {}
}
