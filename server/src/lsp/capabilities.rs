//! What the client can do, read once, and what we say that we can do.
//!
//! Real clients differ from what one would think: Neovim does not declare versioned document edits, some never answer
//! `workspace/applyEdit`, some know commands only. Whatever is not declared is not used.

use serde_json::Value;
use tower_lsp::jsonrpc::Response;
use tower_lsp::lsp_types::{
    ClientCapabilities, CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CodeLensOptions,
    CompletionOptions, ExecuteCommandOptions, InitializeParams, OneOf, PositionEncodingKind, SaveOptions,
    ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, WorkDoneProgressOptions, WorkspaceFoldersServerCapabilities,
    WorkspaceServerCapabilities,
};

use crate::text::PositionEncoding;

/// The command that applies a suggestion.
pub const APPLY_COMMAND: &str = "redraft.applySuggestion";

/// The other commands: what is selected or under the cursor; a whole chat reply; the hunks of an apply; the model.
pub(super) const APPLY_AT: &str = "redraft.applyAt";
pub(super) const APPLY_REPLY: &str = "redraft.applyReply";
pub(super) const KEEP_HUNK: &str = "redraft.keepHunk";
pub(super) const UNDO_HUNK: &str = "redraft.undoHunk";
pub(super) const KEEP_ALL: &str = "redraft.keepAll";
pub(super) const UNDO_ALL: &str = "redraft.undoAll";
pub(super) const FETCH_MODEL: &str = "redraft.fetchModel";
pub(super) const CHOOSE_MODEL: &str = "redraft.chooseModel";
pub(super) const OPEN_LOG: &str = "redraft.openLog";
pub(super) const SHOW_STATUS: &str = "redraft.showStatus";
pub(super) const BENCHMARK: &str = "redraft.benchmark";

/// All commands.
const COMMANDS: [&str; 12] = [
    APPLY_COMMAND,
    APPLY_AT,
    APPLY_REPLY,
    KEEP_HUNK,
    UNDO_HUNK,
    KEEP_ALL,
    UNDO_ALL,
    FETCH_MODEL,
    CHOOSE_MODEL,
    OPEN_LOG,
    SHOW_STATUS,
    BENCHMARK,
];

/// What the client can do, as far as we use it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    /// `WorkspaceEdit.documentChanges`, which carry a version.
    pub(super) document_changes: bool,
    /// Edits sent by `workspace/applyEdit` may wait for a person's confirmation.
    pub(super) annotations: bool,
    /// The same for the edit of a code action.
    pub(super) action_annotations: bool,
    /// Answers `workspace/applyEdit`.
    pub(super) apply_edit: bool,
    /// Takes code actions, not just commands.
    pub(super) action_literals: bool,
    /// Asks for a code action's edit when it is chosen, and keeps our data until then.
    pub(super) resolves_edits: bool,
    /// Shows progress that we begin.
    pub(super) progress: bool,
    /// Shows messages; whoever declares nothing at all about its window may neither answer a question nor show it.
    pub(super) questions: bool,
    /// Opens a document when asked to.
    pub(super) shows_documents: bool,
    /// Keeps a setting when told to (`redraft/setting`, an extension of ours).
    pub(super) keeps_settings: bool,
    /// Answers `workspace/configuration`.
    pub(super) configuration: bool,
    /// Can be told to announce changes of its settings.
    pub(super) registers_configuration: bool,
    /// Wants `redraft/applying`: what the model has verified so far (an extension of ours, as the next one).
    pub(super) applying: bool,
    /// Wants `redraft/review`: the hunks that can be kept or undone, with a lens for each.
    pub(super) review: bool,
    /// Asks for lenses again when told to.
    pub(super) refreshes_lenses: bool,
    /// Can be told to announce changes of files.
    pub(super) registers_watchers: bool,
}

impl Client {
    /// Reads what the client declares.
    pub(super) fn new(capabilities: &ClientCapabilities) -> Self {
        let workspace = capabilities.workspace.as_ref();
        let edit = workspace.and_then(|workspace| workspace.workspace_edit.as_ref());
        let document = capabilities.text_document.as_ref();
        let action = document.and_then(|document| document.code_action.as_ref());
        let ours = |name: &str| {
            let experimental = capabilities.experimental.as_ref().and_then(|ours| ours.get("redraft"));
            experimental.and_then(|ours| ours.get(name)).and_then(Value::as_bool) == Some(true)
        };
        let document_changes = edit.and_then(|edit| edit.document_changes) == Some(true);
        let annotations =
            document_changes && edit.is_some_and(|edit| edit.change_annotation_support.is_some());
        let resolves = action
            .and_then(|action| action.resolve_support.as_ref())
            .is_some_and(|support| support.properties.iter().any(|property| property == "edit"));
        Self {
            document_changes,
            annotations,
            action_annotations: annotations
                && action.and_then(|action| action.honors_change_annotations) == Some(true),
            apply_edit: workspace.and_then(|workspace| workspace.apply_edit) == Some(true),
            action_literals: action.is_some_and(|action| action.code_action_literal_support.is_some()),
            resolves_edits: resolves && action.and_then(|action| action.data_support) == Some(true),
            progress: capabilities.window.as_ref().and_then(|window| window.work_done_progress) == Some(true),
            questions: capabilities.window.is_some(),
            shows_documents: capabilities
                .window
                .as_ref()
                .and_then(|window| window.show_document.as_ref())
                .is_some_and(|documents| documents.support),
            keeps_settings: ours("settings"),
            configuration: workspace.and_then(|workspace| workspace.configuration) == Some(true),
            registers_configuration: workspace
                .and_then(|workspace| workspace.did_change_configuration.as_ref())
                .and_then(|configuration| configuration.dynamic_registration)
                == Some(true),
            applying: ours("applying"),
            review: ours("review"),
            refreshes_lenses: workspace
                .and_then(|workspace| workspace.code_lens.as_ref())
                .and_then(|lens| lens.refresh_support)
                == Some(true),
            registers_watchers: workspace
                .and_then(|workspace| workspace.did_change_watched_files.as_ref())
                .and_then(|files| files.dynamic_registration)
                == Some(true),
        }
    }
}

/// The encoding to use: the first of the client's that we know, in its order of preference, and UTF-16 without any.
pub(super) fn negotiate_encoding(params: &InitializeParams) -> PositionEncoding {
    let offered =
        params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_ref());
    let known = |kind: &PositionEncodingKind| {
        if *kind == PositionEncodingKind::UTF8 {
            Some(PositionEncoding::Utf8)
        } else if *kind == PositionEncodingKind::UTF16 {
            Some(PositionEncoding::Utf16)
        } else if *kind == PositionEncodingKind::UTF32 {
            Some(PositionEncoding::Utf32)
        } else {
            None
        }
    };
    offered.into_iter().flatten().find_map(known).unwrap_or_default()
}

/// Whether the client asks for ghost text. The version of the protocol's types in use here does not know of that, so it is
/// read from the bare parameters of `initialize`.
pub(super) fn takes_inline_completion(initialize: &Value) -> bool {
    initialize.pointer("/capabilities/textDocument/inlineCompletion").is_some_and(Value::is_object)
}

/// The answer to `initialize` with the capability that its type lacks.
pub(super) fn with_inline_completion(response: Response) -> Response {
    let (id, result) = response.into_parts();
    match result {
        Ok(mut result) => {
            if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
                capabilities.insert("inlineCompletionProvider".to_owned(), Value::Bool(true));
            }
            Response::from_ok(id, result)
        }
        Err(error) => Response::from_error(id, error),
    }
}

/// What we can do. A list of completions is for clients without ghost text: the others would show everything twice.
pub(super) fn server(encoding: PositionEncoding, inline_completion: bool) -> ServerCapabilities {
    let completion = CompletionOptions {
        trigger_characters: Some([".", "(", "=", ":"].map(str::to_owned).to_vec()),
        ..CompletionOptions::default()
    };
    ServerCapabilities {
        completion_provider: (!inline_completion).then_some(completion),
        position_encoding: Some(match encoding {
            PositionEncoding::Utf8 => PositionEncodingKind::UTF8,
            PositionEncoding::Utf16 => PositionEncodingKind::UTF16,
            PositionEncoding::Utf32 => PositionEncodingKind::UTF32,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions { include_text: Some(false) })),
            ..TextDocumentSyncOptions::default()
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::REFACTOR_REWRITE]),
            resolve_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: COMMANDS.map(str::to_owned).to_vec(),
            work_done_progress_options: WorkDoneProgressOptions { work_done_progress: Some(true) },
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        ..ServerCapabilities::default()
    }
}
