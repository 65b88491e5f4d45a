//! The client, as the one we send notifications and requests to.
//!
//! Every request has a limit of time, and an answer that comes after it is dropped without harm. Messages leave in the
//! order in which they are handed over, answers to the client's own requests included.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::Error;
use tower_lsp::lsp_types::notification::{LogMessage, Notification, ShowMessage};
use tower_lsp::lsp_types::request::{Request, ShowMessageRequest};
use tower_lsp::lsp_types::{
    LogMessageParams, MessageActionItem, MessageType, ShowMessageParams, ShowMessageRequestParams,
};

use super::transport::message;

/// How long a client may take to answer what needs no person.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long a person may take to answer a question.
pub(super) const PERSON_LIMIT: Duration = Duration::from_secs(300);

/// Why a request of ours has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    /// No answer within the limit, or the connection ended.
    #[error("the editor did not answer")]
    NoAnswer,
    /// The client answered with an error.
    #[error("the editor refused: {0}")]
    Refused(String),
    /// The client's answer is not of the right form.
    #[error("the editor's answer could not be read: {0}")]
    Unreadable(String),
}

/// A handle to the client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Peer {
    inner: Arc<Inner>,
}

struct Inner {
    outgoing: UnboundedSender<String>,
    next: AtomicI64,
    waiting: Mutex<HashMap<i64, oneshot::Sender<Result<Value, Error>>>>,
}

impl Peer {
    pub(super) fn new(outgoing: UnboundedSender<String>) -> Self {
        let inner = Inner { outgoing, next: AtomicI64::new(1), waiting: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Sends a notification. When the connection has ended, nobody is there to miss it.
    pub(super) fn notify<N: Notification>(&self, params: &N::Params) {
        if let Ok(params) = serde_json::to_value(params) {
            let _ = self.inner.outgoing.send(message(None, N::METHOD, &params));
        }
    }

    /// Sends a request and waits for its answer, at most for `limit`.
    pub(super) async fn request<R: Request>(
        &self,
        params: R::Params,
        limit: Duration,
    ) -> Result<R::Result, PeerError> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let params =
            serde_json::to_value(params).map_err(|error| PeerError::Unreadable(error.to_string()))?;
        self.waiting().insert(id, sender);
        // However this ends, also by being dropped, nothing waits for the answer afterwards.
        let forget = Forget { peer: self, id };
        let _ = self.inner.outgoing.send(message(Some(id), R::METHOD, &params));
        let answer = match tokio::time::timeout(limit, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(PeerError::NoAnswer),
            Err(_) => {
                let _ = self.inner.outgoing.send(message(None, "$/cancelRequest", &json!({ "id": id })));
                return Err(PeerError::NoAnswer);
            }
        };
        drop(forget);
        let value = answer.map_err(|error| PeerError::Refused(error.message.into_owned()))?;
        serde_json::from_value(value).map_err(|error| PeerError::Unreadable(error.to_string()))
    }

    /// Takes in the client's answer to a request of ours.
    pub(super) fn answered(&self, id: i64, answer: Result<Value, Error>) {
        match self.waiting().remove(&id) {
            // The one who asked may be gone in this very moment.
            Some(sender) => drop(sender.send(answer)),
            None => tracing::debug!("an answer to request {id} came when nobody waited for it any more"),
        }
    }

    /// Asks a person to choose a title; nothing when none was chosen.
    pub(super) async fn ask(
        &self,
        typ: MessageType,
        message: String,
        titles: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Option<String>, PeerError> {
        let action = |title: String| MessageActionItem { title, properties: HashMap::default() };
        let actions = titles.into_iter().map(|title| action(title.into())).collect();
        let question = ShowMessageRequestParams { typ, message, actions: Some(actions) };
        let answer = self.request::<ShowMessageRequest>(question, PERSON_LIMIT).await?;
        Ok(answer.map(|item| item.title))
    }

    /// Shows a message to the user.
    pub(super) fn show(&self, typ: MessageType, message: impl Into<String>) {
        self.notify::<ShowMessage>(&ShowMessageParams { typ, message: message.into() });
    }

    /// Writes a line to the client's log and ours. Never source code of the user.
    pub(super) fn log(&self, message: String) {
        tracing::info!("{message}");
        self.notify::<LogMessage>(&LogMessageParams { typ: MessageType::INFO, message });
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<i64, oneshot::Sender<Result<Value, Error>>>> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Forget<'p> {
    peer: &'p Peer,
    id: i64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.peer.waiting().remove(&self.id);
    }
}
