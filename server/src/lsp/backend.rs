//! The methods of the protocol. Each changes the session before its first `.await` and hands longer work on.

use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::*;
use tower_lsp::{LanguageServer, async_trait};

use super::actions::{self, Source};
use super::capabilities::{self, Client};
use super::commands::Called;
use super::completion::{self, InlineCompletionList, InlineCompletionParams};
use super::convert::{from_changes, from_folders};
use super::engine::Engine;
use super::indexing;
use super::land::{Landed, Way};
use super::peer::{ANSWER_LIMIT, Peer};
use super::review;
use super::shared::Shared;
use super::status;
use crate::session::Offer;

/// What a client sends with `redraft/suggestion`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SuggestionParams {
    uri: Url,
    suggestion: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    instruction: Option<String>,
    #[serde(default)]
    version: Option<i32>,
}

/// The server of one connection.
pub(super) struct Backend {
    shared: Arc<Shared>,
}

impl Backend {
    pub(super) fn new(peer: Peer, engine: Arc<dyn Engine>) -> Self {
        Self { shared: Arc::new(Shared::new(peer, engine)) }
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.shared.is_shut_down()
    }

    /// The connection has ended: nothing goes on.
    pub(super) fn end(&self) {
        self.shared.end();
    }

    /// What the client declares to `initialize`, before it is read into types.
    pub(super) fn declares(&self, initialize: &Value) {
        self.shared.completing.set_inline(capabilities::takes_inline_completion(initialize));
    }

    /// `textDocument/inlineCompletion`
    pub(super) async fn inline_completion(
        &self,
        params: InlineCompletionParams,
    ) -> Result<Option<InlineCompletionList>> {
        Ok(completion::inline(&self.shared, params).await)
    }

    /// `redraft/suggestion`: an extension has a suggestion for a file.
    pub(super) async fn suggestion_offered(&self, params: SuggestionParams) {
        let offer = Offer {
            id: params.id.unwrap_or_default(),
            suggestion: params.suggestion,
            instruction: params.instruction,
            title: params.title,
            version: params.version,
        };
        self.shared.session().offer(params.uri, offer);
    }

    /// `redraft/status`: what is running here.
    pub(super) async fn status(&self) -> Result<Value> {
        Ok(self
            .in_task(|shared, cancel| Box::pin(async move { status::status(&shared, &cancel).await }))
            .await??)
    }

    /// `window/workDoneProgress/cancel`, which tower-lsp does not know.
    pub(super) async fn progress_cancelled(&self, params: WorkDoneProgressCancelParams) {
        self.shared.cancel_progress(&params.token);
    }

    /// Asks the client for its settings, where it answers such questions.
    fn pull_configuration(&self) {
        if !self.shared.client().configuration {
            return;
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let item = ConfigurationItem { scope_uri: None, section: Some("redraft".to_owned()) };
            let params = ConfigurationParams { items: vec![item] };
            let answer = shared.peer.request::<request::WorkspaceConfiguration>(params, ANSWER_LIMIT).await;
            if let Ok(settings) = answer
                && let Some(settings) = settings.first().filter(|settings| settings.is_object())
            {
                shared.configure(settings);
            }
            shared.follow_workspace();
            shared.start_loading().await;
        });
    }

    /// Asks the client to announce something from now on.
    fn register(&self, method: &'static str, options: Value) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let registration = Registration {
                id: format!("redraft/{method}"),
                method: method.to_owned(),
                register_options: Some(options),
            };
            let params = RegistrationParams { registrations: vec![registration] };
            let answer = shared.peer.request::<request::RegisterCapability>(params, ANSWER_LIMIT).await;
            if let Err(error) = answer {
                tracing::debug!("{method} does not come: {error}");
            }
        });
    }

    /// Runs work in a task of its own, so that it can clean up when this request is dropped; dropping cancels it.
    async fn in_task<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Shared>, CancellationToken) -> Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<T> {
        let cancel = self.shared.new_cancel();
        let _cancels = cancel.clone().drop_guard();
        tokio::spawn(work(Arc::clone(&self.shared), cancel)).await.map_err(|_| Error::internal_error())
    }
}

#[async_trait]
impl LanguageServer for Backend {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let encoding = capabilities::negotiate_encoding(&params);
        // A second `initialize` is refused before it comes here.
        self.shared.met(Client::new(&params.capabilities));
        {
            let mut session = self.shared.session();
            session.encoding = encoding;
            let mut folders = params.workspace_folders.unwrap_or_default();
            if let (true, Some(root)) = (folders.is_empty(), params.root_uri) {
                folders.push(WorkspaceFolder { uri: root, name: String::new() });
            }
            session.folders = from_folders(&folders);
        }
        if let Some(settings) = params.initialization_options {
            self.shared.configure(&settings);
        } else {
            self.shared.engine.configure(&self.shared.config().model);
        }
        Ok(InitializeResult {
            capabilities: capabilities::server(encoding, self.shared.completing.is_inline()),
            server_info: Some(ServerInfo {
                name: "redraft".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    async fn initialized(&self, _: InitializedParams) {
        self.shared.completing.remember(self.shared.engine.counted());
        let client = self.shared.client();
        if client.registers_configuration {
            let options = json!({ "section": "redraft" });
            self.register("workspace/didChangeConfiguration", options);
        }
        if client.registers_watchers {
            self.register("workspace/didChangeWatchedFiles", indexing::watchers());
        }
        if self.shared.client().configuration {
            self.pull_configuration();
        } else {
            self.shared.follow_workspace();
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { shared.start_loading().await });
        }
    }

    async fn shutdown(&self) -> Result<()> {
        self.shared.shut_down();
        completion::keep_counted(&self.shared);
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        let TextDocumentItem { uri, language_id, version, text } = params.text_document;
        {
            let mut session = self.shared.session();
            session.open(uri.clone(), &language_id, version, &text);
            self.shared.indexing.document_changed(&session, &uri, &[]);
        }
        self.shared.changed();
        self.shared.prepare_when_idle(uri);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { uri, version } = params.text_document;
        let changes = from_changes(params.content_changes);
        let (was, result) = {
            let mut session = self.shared.session();
            let was = session.out_of_step(&uri);
            let result = session.change(&uri, version, &changes);
            self.shared.indexing.document_changed(&session, &uri, &changes);
            if let Some(snapshot) = session.snapshot(&uri) {
                self.shared.completing.changed(&uri, &snapshot.rope);
            }
            (was, result)
        };
        self.shared.changed();
        match result {
            Ok(()) => {
                review::announce(&self.shared, &uri);
                self.shared.prepare_when_idle(uri);
            }
            // Said once, not with every key.
            Err(error) if was.is_none() => {
                self.shared.peer.show(MessageType::ERROR, format!("Redraft: {error}"));
            }
            Err(_) => {}
        }
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.shared.session().close(&params.text_document.uri);
        self.shared.indexing.document_closed(&params.text_document.uri);
        self.shared.changed();
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        completion::keep_counted(&self.shared);
        self.shared.indexing.files_changed([&params.text_document.uri]);
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        self.shared.indexing.files_changed(params.changes.iter().map(|change| &change.uri));
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        if params.settings.get("redraft").is_some() {
            self.shared.configure(&params.settings);
            return;
        }
        self.pull_configuration();
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        let (added, removed) = (from_folders(&params.event.added), from_folders(&params.event.removed));
        {
            let folders = &mut self.shared.session().folders;
            folders.retain(|folder| !removed.contains(folder));
            folders.extend(added);
        }
        self.shared.follow_workspace();
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        Ok(completion::list(&self.shared, params).await)
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let lines = params.range.start.line as usize..params.range.end.line as usize + 1;
        self.shared.indexing.viewed(&self.shared.session(), &params.text_document.uri, &lines);
        let offered = actions::offer(&self.shared, &params).await;
        Ok((!offered.is_empty()).then_some(offered))
    }

    async fn code_action_resolve(&self, mut action: CodeAction) -> Result<CodeAction> {
        let Some(data) = &action.data else { return Ok(action) };
        let Ok(source) = serde_json::from_value::<Source>(data.clone()) else { return Ok(action) };
        let done = self
            .in_task(|shared, cancel| {
                Box::pin(async move {
                    let job = actions::job(&shared, source);
                    shared.run(job, Way::Action, None, cancel).await
                })
            })
            .await??;
        action.edit = match done.landed {
            Landed::Edit(edit) => Some(edit),
            // An action without any edit is an error to some clients.
            Landed::Discarded | Landed::Unchanged | Landed::Applied => Some(WorkspaceEdit::default()),
        };
        Ok(action)
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        Ok(Some(review::lenses(&self.shared, &params.text_document.uri)))
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        let called = Called::new(&params.command, params.arguments)?;
        let token = params.work_done_progress_params.work_done_token;
        let outcome = self
            .in_task(|shared, cancel| Box::pin(async move { called.run(&shared, token, cancel).await }))
            .await??;
        Ok(Some(outcome))
    }
}
