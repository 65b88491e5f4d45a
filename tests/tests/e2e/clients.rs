//! Recorded clients against the real server: what each sent with `initialize` (`clients/*.json`, with neutral paths), and
//! then what it does with what it has declared: open, edit, code action, resolve or command, the edit, inline completion,
//! cancel, close.

use std::path::Path;

use redraft_tests::editor::{Editor, End, command, slow};
use redraft_tests::sample::{EXPECTED, ORIGINAL, SNIPPET};
use redraft_tests::text::Encoding;
use serde_json::{Value, json};

const FILE: &str = "file:///project/src/counter.rs";

/// How a client differs from what it declares.
#[derive(Clone, Copy, Default)]
struct Habits {
    /// Never answers requests of the server.
    mute: bool,
    /// Leaves with `exit` alone.
    abrupt: bool,
}

/// Answers what the server asks of a client on the way.
struct Client {
    editor: Editor,
    declared: Value,
    habits: Habits,
}

impl Client {
    /// Starts the server and does the handshake that was recorded.
    async fn start(name: &str, habits: Habits, settings: Value) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/e2e/clients/{name}.json"));
        let mut params: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        params["initializationOptions"] = json!({ "redraft": settings });
        let mut editor = Editor::of_process(command());
        let result = editor.request("initialize", params.clone()).await.expect("initialize works");
        let encoding = result["capabilities"]["positionEncoding"].as_str().unwrap();
        editor.encoding = Encoding::by_name(encoding);
        // The client's own first choice, and UTF-16 where it makes none.
        let first = &params["capabilities"]["general"]["positionEncodings"][0];
        assert_eq!(encoding, first.as_str().unwrap_or("utf-16"), "{name}");
        // Some take ghost text without saying so; who says so needs no list beside it.
        let capabilities = &result["capabilities"];
        assert_eq!(capabilities["inlineCompletionProvider"], true, "{name}");
        let ghost = params.pointer("/capabilities/textDocument/inlineCompletion").is_some();
        assert_eq!(capabilities["completionProvider"].is_object(), !ghost, "{name}");
        editor.rpc.notify("initialized", json!({})).await;
        let mut client = Self { editor, declared: params["capabilities"].clone(), habits };
        client.settle().await;
        client
    }

    fn declares(&self, pointer: &str) -> bool {
        self.declared.pointer(pointer).is_some_and(|value| *value == true || value.is_object())
    }

    /// The requests that come with the handshake.
    async fn settle(&mut self) {
        for announced in ["didChangeConfiguration", "didChangeWatchedFiles"] {
            if self.declares(&format!("/workspace/{announced}/dynamicRegistration")) {
                let request = self.editor.asked("client/registerCapability").await;
                self.editor.rpc.answer(&request, Value::Null).await;
            }
        }
        if self.declares("/workspace/configuration") {
            let request = self.editor.asked("workspace/configuration").await;
            self.editor.rpc.answer(&request, json!([null])).await;
        }
    }

    /// Calls a command; the client applies the edit that comes.
    async fn execute(&mut self, command: &Value) -> Result<Value, Value> {
        let params = json!({"command": command["command"], "arguments": command["arguments"]});
        let id = self.editor.rpc.start("workspace/executeCommand", params).await;
        if self.declares("/workspace/applyEdit") && !self.habits.mute {
            self.editor.obey().await;
        }
        self.editor.rpc.response(id).await
    }

    async fn leave(mut self) {
        self.editor.ignore_progress();
        self.editor.close_document(FILE).await;
        if self.habits.abrupt {
            self.editor.rpc.notify("exit", Value::Null).await;
            assert_eq!(self.editor.ended().await, End::Process(Some(1)));
        } else {
            self.editor.close().await;
        }
    }
}

/// The whole way of a client, without a model.
async fn walk(name: &str, habits: Habits) {
    let settings =
        json!({"model": {"load": "first-use", "fetch": "never"}, "apply": {"route": "deterministic"}});
    let mut client = Client::start(name, habits, settings).await;
    client.editor.ignore_progress();
    let pasted = format!("{ORIGINAL}\n{SNIPPET}").replace("now {}", "now 😀 {}");
    client.editor.open(FILE, "rust", &pasted).await;
    // A character that every encoding counts differently stands before what is typed.
    client.editor.replace(FILE, "/// A counter.", "/// A counter: 😀é.").await;
    client.editor.replace(FILE, "é.", "é!").await;
    let snippet = SNIPPET.replace("now {}", "now 😀 {}");
    let expected = EXPECTED.replace("now {}", "now 😀 {}").replace("A counter.", "A counter: 😀é!");

    let actions = client.editor.actions(FILE, &snippet).await;
    assert_eq!(actions.len(), 1, "{name}: {actions:#?}");
    let action = actions[0].clone();
    assert_eq!(action["title"], "Apply suggestion", "{name}");
    let resolves = client.declared.pointer("/textDocument/codeAction/resolveSupport/properties");
    let resolves = resolves.and_then(Value::as_array).is_some_and(|all| all.contains(&json!("edit")))
        && client.declares("/textDocument/codeAction/dataSupport");
    if resolves {
        assert!(action.get("command").is_none() && action.get("edit").is_none(), "{name}: {action}");
        let resolved = client.editor.request("codeAction/resolve", action).await.expect("resolve works");
        let edit = &resolved["edit"];
        let versioned = client.declares("/workspace/workspaceEdit/documentChanges");
        assert_eq!(edit.get("documentChanges").is_some(), versioned, "{name}: {edit}");
        assert!(client.editor.apply(edit).await, "{name}");
        assert_eq!(client.editor.text(FILE), expected, "{name}");
    } else {
        // A command, inside an action or bare.
        let command = if action["command"].is_object() { &action["command"] } else { &action };
        let result = client.execute(command).await;
        if client.declares("/workspace/applyEdit") {
            result.expect("the command works");
            assert_eq!(client.editor.text(FILE), expected, "{name}");
        } else {
            let error = result.unwrap_err();
            assert!(error["message"].as_str().unwrap().contains("does not apply edits"), "{name}: {error}");
            client.editor.shown().await;
        }
    }
    client.leave().await;
}

/// With the real model: completion where the client has it, and an apply that is cancelled.
async fn walk_with_model(name: &str, habits: Habits) {
    if !slow() {
        return;
    }
    let settings = json!({"model": {"name": "smollm2-135m", "fetch": "never"}, "apply": {"route": "model"}});
    let mut client = Client::start(name, habits, settings).await;
    client.editor.ignore_progress();
    let long: String =
        (0..60).map(|n| format!("pub fn helper_{n}(x: u32) -> u32 {{\n    x * {n}\n}}\n\n")).collect();
    client.editor.open(FILE, "rust", &long).await;
    let suggestion = "pub fn helper_30(x: u32) -> u32 {\n    x * 30 + 1\n}\n";
    let argument = json!({"uri": FILE, "suggestion": suggestion});
    let params = json!({
        "command": "redraft.applySuggestion",
        "arguments": [argument],
        "workDoneToken": "t",
    });
    let id = client.editor.rpc.start("workspace/executeCommand", params).await;
    if client.declares("/workspace/applyEdit") {
        client.editor.progress(&json!("t"), "report", "tokens").await;
        client.editor.rpc.notify("$/cancelRequest", json!({"id": id})).await;
        assert_eq!(client.editor.rpc.response(id).await.unwrap_err()["code"], -32800, "{name}");
    } else {
        client.editor.rpc.response(id).await.unwrap_err();
        client.editor.shown().await;
    }
    assert_eq!(client.editor.text(FILE), long, "{name}");
    client.leave().await;
}

/// With the real model: ghost text, for the clients that ask for it.
async fn walk_with_ghost_text(name: &str, habits: Habits) {
    if !slow() {
        return;
    }
    let settings = json!({"model": {"name": "qwen2.5-coder-0.5b", "fetch": "never"}});
    let mut client = Client::start(name, habits, settings).await;
    client.editor.ignore_progress();
    if client.declares("/textDocument/inlineCompletion") {
        let text = "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a \n}\n";
        client.editor.open(FILE, "rust", text).await;
        let params = json!({
            "textDocument": {"uri": FILE},
            "position": {"line": 5, "character": 6},
            "context": {"triggerKind": 1},
        });
        // Nothing is offered while the model is being loaded.
        let item = loop {
            let answer =
                client.editor.request("textDocument/inlineCompletion", params.clone()).await.unwrap();
            if let Some(item) = answer["items"].as_array().and_then(|items| items.first()) {
                break item.clone();
            }
        };
        let edit = json!({"range": item["range"], "newText": item["insertText"]});
        assert!(client.editor.apply(&json!({"changes": {FILE: [edit]}})).await);
        assert!(client.editor.text(FILE).contains("    a - b\n"), "{name}: {item}");
        client.leave().await;
    } else {
        client.editor.close().await;
    }
}

macro_rules! clients {
    ($($test:ident = $name:literal $habits:expr,)*) => {
        $(mod $test {
            use super::*;

            #[tokio::test]
            async fn walks_from_open_to_close() {
                walk($name, $habits).await;
            }

            #[tokio::test]
            async fn cancels_the_model() {
                walk_with_model($name, $habits).await;
            }

            #[tokio::test]
            async fn gets_ghost_text() {
                walk_with_ghost_text($name, $habits).await;
            }
        })*
    };
}

clients! {
    vscode = "vscode-1.139" Habits::default(),
    neovim_011 = "neovim-0.11" Habits::default(),
    neovim_012 = "neovim-0.12" Habits::default(),
    helix_2501 = "helix-25.01" Habits::default(),
    helix_2507 = "helix-25.07" Habits::default(),
    eglot = "emacs-30.1-eglot-1.17" Habits::default(),
    kak_lsp = "kak-lsp-22.0" Habits { abrupt: true, ..Habits::default() },
    vim_ale = "vim-9-ale-3.3" Habits { mute: true, ..Habits::default() },
}
