//! Where suggestions come from, and in which form the edit goes to which client.

use redraft_server::lsp::Availability;
use redraft_tests::editor::{Editor, capabilities, uri};
use redraft_tests::engine::{Order, Running, Scripted};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

const A: &str = "file:///w/src/a.rs";
const OLD: &str = "fn one() {\n    1\n}\n\nfn two() {\n    2\n}\n";
const NEW: &str = "fn one() {\n    1\n}\n\nfn two() {\n    22\n}\n";
const SNIPPET: &str = "fn two() {\n    22\n}\n";

fn editor() -> (Editor, UnboundedReceiver<Running>) {
    let (engine, running) = Scripted::new();
    (Editor::in_memory(engine), running)
}

fn only(actions: &[Value]) -> &Value {
    assert_eq!(actions.len(), 1, "{actions:#?}");
    &actions[0]
}

async fn next(running: &mut UnboundedReceiver<Running>) -> Running {
    running.recv().await.expect("an apply reaches the engine")
}

/// Resolves an action while the engine makes `output` of it, and gives the edit.
async fn resolve(
    editor: &mut Editor,
    running: &mut UnboundedReceiver<Running>,
    action: &Value,
    output: &str,
) -> Value {
    let id = editor.rpc.start("codeAction/resolve", action.clone()).await;
    next(running).await.finish(output);
    editor.rpc.response(id).await.expect("resolve works")["edit"].clone()
}

#[tokio::test]
async fn a_selected_snippet_is_taken_out_and_applied_to_the_rest() {
    for encoding in ["utf-8", "utf-16", "utf-32"] {
        let (mut editor, mut running) = editor();
        let mut capabilities = capabilities();
        capabilities["general"]["positionEncodings"] = json!([encoding]);
        editor.initialize(capabilities, Value::Null, &[]).await;
        editor.ignore_progress();
        let old = OLD.replace('1', "\"😀é\"");
        let pasted = format!("{old}\n{}", SNIPPET.replace("22", "\"中😀\""));
        editor.open(A, "rust", &pasted).await;
        let actions = editor.actions(A, &SNIPPET.replace("22", "\"中😀\"")).await;
        let action = only(&actions);
        assert_eq!(action["title"], "Apply suggestion");
        assert_eq!(action["kind"], "refactor.rewrite");
        assert!(action.get("edit").is_none() && action.get("command").is_none(), "{action}");

        let id = editor.rpc.start("codeAction/resolve", action.clone()).await;
        let apply = next(&mut running).await;
        assert_eq!(apply.request.original, old);
        assert_eq!(apply.request.suggestion, SNIPPET.replace("22", "\"中😀\""));
        assert_eq!(apply.request.language.as_deref(), Some("rust"));
        apply.finish(old.replace("    2", "    \"中😀\""));
        let edit = editor.rpc.response(id).await.unwrap()["edit"].clone();
        assert_eq!(edit["documentChanges"][0]["textDocument"]["version"], 1);
        let edits = edit["documentChanges"][0]["edits"].as_array().unwrap();
        assert_eq!(edits.len(), 2, "one change and the snippet taken out: {edits:?}");
        assert!(editor.apply(&edit).await);
        assert_eq!(editor.text(A), old.replace("    2", "    \"中😀\""));
        editor.close().await;
    }
}

#[tokio::test]
async fn nothing_is_offered_where_there_is_nothing_to_apply() {
    let (mut editor, _running) = editor();
    editor.start().await;
    editor.open(A, "rust", "fn one() {}\n\n  \n").await;
    assert!(
        editor.actions(A, "fn one() {}\n\n  \n").await.is_empty(),
        "nothing would be left to apply it to"
    );
    assert!(editor.actions(A, "\n\n  \n").await.is_empty(), "blank");
    let params = json!({
        "textDocument": {"uri": A},
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 2}},
        "context": {"diagnostics": [], "only": ["quickfix"]},
    });
    assert!(editor.request("textDocument/codeAction", params.clone()).await.unwrap().is_null());
    let mut rewrite = params.clone();
    rewrite["context"]["only"] = json!(["refactor"]);
    assert_eq!(
        editor.request("textDocument/codeAction", rewrite).await.unwrap().as_array().unwrap().len(),
        1
    );
    let mut unopened = params;
    unopened["textDocument"]["uri"] = json!("file:///w/unopened.rs");
    assert!(editor.request("textDocument/codeAction", unopened).await.unwrap().is_null());
    // An action that is not ours, or has lost its data, comes back as it was.
    let action = json!({"title": "Apply suggestion", "kind": "refactor.rewrite"});
    assert_eq!(editor.request("codeAction/resolve", action.clone()).await.unwrap(), action);
    editor.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_resolve_gets_a_command() {
    let (mut editor, mut running) = editor();
    let mut capabilities = capabilities();
    capabilities["textDocument"]["codeAction"]["resolveSupport"] = Value::Null;
    editor.initialize(capabilities, Value::Null, &[]).await;
    editor.ignore_progress();
    editor.open(A, "rust", &format!("{OLD}\n{SNIPPET}")).await;
    let actions = editor.actions(A, SNIPPET).await;
    let command = only(&actions)["command"].clone();
    let params = json!({"command": command["command"], "arguments": command["arguments"]});
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    next(&mut running).await.finish(NEW);
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), NEW);
    editor.close().await;
}

#[tokio::test]
async fn a_client_without_action_literals_gets_a_bare_command() {
    let (mut editor, _running) = editor();
    editor.initialize(json!({}), Value::Null, &[]).await;
    editor.open(A, "rust", &format!("{OLD}\n{SNIPPET}")).await;
    let actions = editor.actions(A, SNIPPET).await;
    assert_eq!(only(&actions)["command"], "redraft.applySuggestion");
    // Such a client declares no applyEdit either: the command says so and waits for nothing.
    let params = json!({"command": "redraft.applySuggestion", "arguments": only(&actions)["arguments"]});
    let error = editor.request("workspace/executeCommand", params).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("does not apply edits"), "{error}");
    assert!(editor.shown().await.contains("does not apply edits"));
    editor.close().await;
}

#[tokio::test]
async fn changes_are_used_where_document_changes_are_not_declared() {
    let (mut editor, mut running) = editor();
    let mut capabilities = capabilities();
    capabilities["workspace"]["workspaceEdit"] = json!({});
    editor.initialize(capabilities, Value::Null, &[]).await;
    editor.ignore_progress();
    editor.open(A, "rust", &format!("{OLD}\n{SNIPPET}")).await;
    let actions = editor.actions(A, SNIPPET).await;
    let edit = resolve(&mut editor, &mut running, only(&actions), NEW).await;
    assert!(edit.get("documentChanges").is_none() && edit["changes"][A].is_array(), "{edit}");
    editor.apply(&edit).await;
    assert_eq!(editor.text(A), NEW);
    editor.close().await;
}

#[tokio::test]
async fn a_fenced_block_finds_its_open_file() {
    const CHAT: &str = "file:///w/chat.md";
    let other = "file:///w/src/b.rs";
    for (chat, title) in [
        (format!("Do this in `src/a.rs`:\n\n```rust\n{SNIPPET}```\n"), "/w/src/a.rs"),
        (format!("```rust src/a.rs\n{SNIPPET}```\n"), "/w/src/a.rs"),
        (format!("Better:\n```rust\n{SNIPPET}```\n"), "/w/src/a.rs"),
    ] {
        let (mut editor, mut running) = editor();
        editor.start().await;
        editor.ignore_progress();
        editor.open(A, "rust", OLD).await;
        editor.open(other, "rust", "fn three() {\n    3\n}\n").await;
        editor.open(CHAT, "markdown", &chat).await;
        let actions = editor.actions(CHAT, "22").await;
        assert_eq!(only(&actions)["title"], format!("Apply suggestion to {title}"));
        let edit = resolve(&mut editor, &mut running, only(&actions), NEW).await;
        assert!(editor.apply(&edit).await);
        assert_eq!(editor.text(A), NEW);
        assert_eq!(editor.text(CHAT), chat, "the chat stays as it is");
        editor.close().await;
    }
}

#[tokio::test]
async fn a_fenced_block_finds_a_file_of_the_workspace_and_none_outside() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("w");
    std::fs::create_dir_all(root.join("src")).unwrap();
    std::fs::write(root.join("src/a.rs"), format!("\u{feff}{OLD}")).unwrap();
    std::fs::write(folder.path().join("out.rs"), OLD).unwrap();
    let chat = root.join("chat.md");
    let (mut editor, mut running) = editor();
    editor.initialize(capabilities(), Value::Null, &[&root]).await;
    editor.ignore_progress();
    let text = format!("`src/a.rs`\n```rust\n{SNIPPET}```\n\n`../out.rs`\n```rust\nfn two() {{ 23 }}\n```\n");
    editor.open(&uri(&chat), "markdown", &text).await;
    assert!(editor.actions(&uri(&chat), "23").await.is_empty());
    let actions = editor.actions(&uri(&chat), "    22").await;
    assert_eq!(only(&actions)["title"], "Apply suggestion to src/a.rs");
    let id = editor.rpc.start("codeAction/resolve", only(&actions).clone()).await;
    let apply = next(&mut running).await;
    assert_eq!(apply.request.original, OLD, "an editor's text has no byte-order mark");
    apply.finish(NEW);
    let edit = editor.rpc.response(id).await.unwrap()["edit"].clone();
    let document = &edit["documentChanges"][0]["textDocument"];
    assert_eq!(document["uri"], uri(&root.join("src/a.rs")));
    assert!(document["version"].is_null());

    let outside = json!([{"uri": uri(&folder.path().join("out.rs")), "suggestion": SNIPPET}]);
    let params = json!({"command": "redraft.applySuggestion", "arguments": outside});
    let error = editor.request("workspace/executeCommand", params).await.unwrap_err();
    assert!(
        error["message"].as_str().unwrap().contains("neither open nor a file of the workspace"),
        "{error}"
    );
    editor.shown().await;
    editor.close().await;
}

#[tokio::test]
async fn an_offered_suggestion_appears_until_it_has_landed_or_is_withdrawn() {
    let (mut editor, mut running) = editor();
    editor.start().await;
    editor.ignore_progress();
    editor.open(A, "rust", OLD).await;
    let offer =
        |id: &str, suggestion: &str| json!({"uri": A, "id": id, "title": id, "suggestion": suggestion});
    editor.rpc.notify("redraft/suggestion", offer("first", SNIPPET)).await;
    editor.rpc.notify("redraft/suggestion", offer("second", "fn other() {}")).await;
    editor.rpc.notify("redraft/suggestion", offer("second", "")).await;
    // No selection is needed: the cursor may be anywhere in the file.
    let cursor = json!({"line": 0, "character": 0});
    let params = json!({
        "textDocument": {"uri": A},
        "range": {"start": cursor, "end": cursor},
        "context": {"diagnostics": []},
    });
    let actions = editor.request("textDocument/codeAction", params.clone()).await.unwrap();
    let actions = actions.as_array().unwrap().clone();
    assert_eq!(only(&actions)["title"], "Apply suggestion: first");
    let edit = resolve(&mut editor, &mut running, only(&actions), NEW).await;
    assert!(editor.apply(&edit).await);
    assert_eq!(editor.text(A), NEW);
    assert!(editor.request("textDocument/codeAction", params).await.unwrap().is_null());
    let error = editor.request("codeAction/resolve", only(&actions).clone()).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("withdrawn"), "{error}");
    editor.shown().await;
    editor.close().await;
}

fn command(arguments: &Value) -> Value {
    json!({"command": "redraft.applySuggestion", "arguments": [arguments]})
}

/// Asks for the snippet to be applied to `A`, and gives the request's id.
async fn start_apply(editor: &mut Editor) -> i64 {
    let params = command(&json!({"uri": A, "suggestion": SNIPPET}));
    editor.rpc.start("workspace/executeCommand", params).await
}

#[tokio::test]
async fn an_unsure_edit_waits_for_confirmation() {
    let (mut editor, mut running) = editor();
    editor.start().await;
    editor.ignore_progress();
    editor.open(A, "rust", OLD).await;
    let id = start_apply(&mut editor).await;
    next(&mut running).await.order(Order::Ask(NEW.to_owned(), "A line was lost."));
    let edit = editor.obey().await;
    let annotation = &edit["changeAnnotations"]["redraft"];
    assert_eq!(annotation["needsConfirmation"], true);
    assert_eq!(annotation["description"], "A line was lost.");
    assert_eq!(edit["documentChanges"][0]["edits"][0]["annotationId"], "redraft");
    assert_eq!(editor.rpc.response(id).await.unwrap()["asked"], true);
    editor.close().await;
}

#[tokio::test]
async fn without_annotations_an_unsure_edit_is_asked_about() {
    for (choice, text, applied) in [("Apply", NEW, true), ("Discard", OLD, false)] {
        let (mut editor, mut running) = editor();
        let mut capabilities = capabilities();
        capabilities["workspace"]["workspaceEdit"] = json!({"documentChanges": true});
        editor.initialize(capabilities, Value::Null, &[]).await;
        editor.ignore_progress();
        editor.open(A, "rust", OLD).await;
        let id = start_apply(&mut editor).await;
        next(&mut running).await.order(Order::Ask(NEW.to_owned(), "A line was lost."));
        let question = editor.choose(choice).await;
        assert!(question.contains("A line was lost."), "{question}");
        if applied {
            editor.obey().await;
        }
        assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], applied);
        assert_eq!(editor.text(A), text);
        editor.close().await;
    }
}

#[tokio::test]
async fn a_suggestion_that_changes_nothing_says_so() {
    let (mut editor, mut running) = editor();
    editor.start().await;
    editor.ignore_progress();
    editor.open(A, "rust", OLD).await;
    let id = start_apply(&mut editor).await;
    next(&mut running).await.finish(OLD);
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], false);
    assert!(editor.shown().await.contains("already says"));
    editor.close().await;
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let (mut editor, _running) = editor();
    editor.start().await;
    for arguments in [json!(null), json!({"uri": A}), json!({"uri": 3, "suggestion": "x"}), json!("text")] {
        let error = editor.request("workspace/executeCommand", command(&arguments)).await.unwrap_err();
        assert_eq!(error["code"], -32602);
        assert!(error["message"].as_str().unwrap().contains("{uri, suggestion"), "{error}");
    }
    let other = json!({"command": "redraft.unheardOf", "arguments": []});
    assert!(editor.request("workspace/executeCommand", other).await.is_err());
    editor.close().await;
}

#[tokio::test]
async fn a_missing_model_is_fetched_only_after_asking() {
    let (engine, mut running) = Scripted::new();
    let missing = Availability::Missing { name: "tiny".to_owned(), bytes: 100 << 20 };
    engine.set_availability(missing.clone());
    let mut editor = Editor::in_memory(engine.clone());
    let mut capabilities = capabilities();
    capabilities["workspace"]["workspaceEdit"] = json!({"documentChanges": true});
    editor.initialize(capabilities, Value::Null, &[]).await;
    editor.open(A, "rust", OLD).await;

    // Declined: what the merge made is asked about, and the fetch is not asked about again.
    let mut params = command(&json!({"uri": A, "suggestion": SNIPPET}));
    params["workDoneToken"] = json!("t");
    for declined in [true, false] {
        let id = editor.rpc.start("workspace/executeCommand", params.clone()).await;
        if declined {
            let question = editor.choose("Not now").await;
            assert!(question.contains("tiny") && question.contains("104 MB"), "{question}");
        }
        // The stand-in's own merge is the file as it was, and not sure of it.
        assert!(editor.rpc.response(id).await.is_err());
        assert!(editor.shown().await.contains("has the model decide"));
        editor.progress(&json!("t"), "end", "").await;
    }
    editor.close().await;

    engine.set_availability(missing);
    let mut editor = Editor::in_memory(engine.clone());
    editor.start().await;
    editor.open(A, "rust", OLD).await;
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    editor.choose("Fetch").await;
    editor.progress(&json!("t"), "report", "Fetching the model tiny: 50 of 100 MB").await;
    engine.end_fetch();
    next(&mut running).await.finish(NEW);
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    editor.progress(&json!("t"), "end", "").await;
    editor.close().await;
}
