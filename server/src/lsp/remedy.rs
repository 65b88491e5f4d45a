//! Errors that a person can do something about: a sentence, with a button for what helps.
//!
//! Nothing waits for the button. A client that cannot ask shows the sentence alone.

use std::sync::Arc;

use tower_lsp::lsp_types::request::ShowDocument;
use tower_lsp::lsp_types::{MessageType, ShowDocumentParams, Url};

use super::choice::choose_model;
use super::peer::{ANSWER_LIMIT, PeerError};
use super::shared::Shared;
use super::status::fetch_model;
use crate::log_file;

/// What can be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    FetchModel,
    ChooseModel,
    OpenLog,
}

impl Remedy {
    /// The model is not on this machine.
    pub(super) const MISSING: &[Self] = &[Self::FetchModel, Self::ChooseModel];
    /// The model could not be fetched.
    pub(super) const NOT_FETCHED: &[Self] = &[Self::FetchModel, Self::ChooseModel, Self::OpenLog];
    /// The model is no model, or cannot be loaded.
    pub(super) const UNUSABLE: &[Self] = &[Self::ChooseModel, Self::OpenLog];

    /// The button's text.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::FetchModel => "Fetch model",
            Self::ChooseModel => "Choose another model",
            Self::OpenLog => "Open log",
        }
    }

    /// What goes wrong is shown there.
    async fn carry_out(self, shared: &Arc<Shared>) {
        let cancel = shared.new_cancel();
        match self {
            Self::FetchModel => drop(fetch_model(shared, None, &cancel).await),
            Self::ChooseModel => drop(choose_model(shared, None, &cancel).await),
            Self::OpenLog => open_log(shared).await,
        }
    }
}

/// Shows a message with these buttons, and does what the pressed one says.
pub(super) fn show(shared: &Arc<Shared>, typ: MessageType, message: String, remedies: &'static [Remedy]) {
    if remedies.is_empty() || !shared.client().questions {
        shared.peer.show(typ, message);
        return;
    }
    let (shared, cancel) = (Arc::clone(shared), shared.new_cancel());
    tokio::spawn(async move {
        let answer = tokio::select! {
            answer = shared.peer.ask(typ, message.clone(), remedies.iter().map(|remedy| remedy.title())) => answer,
            () = cancel.cancelled() => return,
        };
        match answer {
            Ok(Some(title)) => {
                if let Some(remedy) = remedies.iter().find(|remedy| remedy.title() == title) {
                    remedy.carry_out(&shared).await;
                }
            }
            // It has no such questions, and has shown nothing.
            Err(PeerError::Refused(_)) => shared.peer.show(typ, message),
            Ok(None) | Err(_) => {}
        }
    });
}

/// Opens the log in the editor, or says where it is.
pub(super) async fn open_log(shared: &Shared) {
    let Some(path) = log_file::path().filter(|path| path.is_file()) else {
        shared
            .peer
            .show(MessageType::INFO, "Redraft: there is no log file; the editor may keep what it says");
        return;
    };
    if shared.client().shows_documents
        && let Ok(uri) = Url::from_file_path(&path)
    {
        let params = ShowDocumentParams { uri, external: None, take_focus: Some(true), selection: None };
        let answer = shared.peer.request::<ShowDocument>(params, ANSWER_LIMIT).await;
        if answer.is_ok_and(|answer| answer.success) {
            return;
        }
    }
    shared.peer.show(MessageType::INFO, format!("Redraft: the log is {}", path.display()));
}
