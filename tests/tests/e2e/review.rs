//! What an extension of ours hears: the text as it is verified, and the hunks to keep or undo; and the other commands.

use std::sync::Arc;

use redraft_server::lsp::Availability;
use redraft_tests::editor::{Editor, capabilities};
use redraft_tests::engine::{Order, Running, Scripted};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

const A: &str = "file:///w/src/a.rs";
const B: &str = "file:///w/src/b.rs";

fn old() -> String {
    (0..40).map(|n| format!("let value{n} = {n};\n")).collect()
}

fn new() -> String {
    old().replace("value5 = 5", "value5 = FIVE").replace("let value30 = 30;\n", "")
}

/// An editor with our extension.
async fn editor() -> (Editor, UnboundedReceiver<Running>, Arc<Scripted>) {
    let (engine, running) = Scripted::new();
    let mut editor = Editor::in_memory(Arc::<Scripted>::clone(&engine));
    let mut capabilities = capabilities();
    capabilities["experimental"] = json!({"redraft": {"applying": true, "review": true}});
    editor.initialize(capabilities, Value::Null, &[]).await;
    editor.ignore_progress();
    editor.ignore("redraft/applying");
    (editor, running, engine)
}

fn call(command: &str, argument: &Value) -> Value {
    json!({"command": command, "arguments": [argument]})
}

async fn execute(editor: &mut Editor, command: &str, argument: Value) -> Result<Value, Value> {
    editor.request("workspace/executeCommand", call(command, &argument)).await
}

/// Executes a command that sends an edit, and applies the edit.
async fn execute_and_obey(editor: &mut Editor, command: &str, argument: Value) {
    let id = editor.rpc.start("workspace/executeCommand", call(command, &argument)).await;
    editor.obey().await;
    editor.rpc.response(id).await.expect("it works");
}

/// Applies a suggestion that makes [`new`] of [`old`], and claims the review.
async fn apply(editor: &mut Editor, running: &mut UnboundedReceiver<Running>) -> Value {
    let argument = json!({"uri": A, "suggestion": "let value5 = FIVE;"});
    let id = editor.rpc.start("workspace/executeCommand", call("redraft.applySuggestion", &argument)).await;
    running.recv().await.unwrap().finish(new());
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    let review = editor.told("redraft/review").await;
    // The end of the apply says it once more.
    editor.told("redraft/review").await;
    review
}

fn hunks(review: &Value) -> Vec<(u64, u64, u64, &str)> {
    let line = |hunk: &Value, end| hunk["range"][end]["line"].as_u64().unwrap();
    let hunks = review["hunks"].as_array().unwrap().iter();
    hunks
        .map(|hunk| {
            let removed = hunk["removed"].as_str().unwrap();
            (hunk["id"].as_u64().unwrap(), line(hunk, "start"), line(hunk, "end"), removed)
        })
        .collect()
}

#[tokio::test]
async fn hunks_are_kept_and_undone_one_by_one() {
    let (mut editor, mut running, _) = editor().await;
    editor.open(A, "rust", &old()).await;
    let review = apply(&mut editor, &mut running).await;
    assert_eq!(hunks(&review), [(1, 5, 6, "let value5 = 5;\n"), (2, 30, 30, "let value30 = 30;\n")]);
    let lenses = editor.request("textDocument/codeLens", json!({"textDocument": {"uri": A}})).await.unwrap();
    let titles: Vec<&str> =
        lenses.as_array().unwrap().iter().map(|lens| lens["command"]["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Keep", "Undo", "Keep all", "Undo all", "Keep", "Undo"]);

    editor.replace(A, "let value0", "// typed above\nlet value0").await;
    let review = editor.told("redraft/review").await;
    assert_eq!(hunks(&review)[0], (1, 6, 7, "let value5 = 5;\n"));
    let at = json!({"line": 31, "character": 0});
    execute_and_obey(&mut editor, "redraft.undoHunk", json!({"uri": A, "position": at})).await;
    assert!(editor.text(A).contains("let value30 = 30;\n") && editor.text(A).contains("FIVE"));
    for _ in 0..2 {
        let review = editor.told("redraft/review").await;
        assert_eq!(hunks(&review), [(1, 6, 7, "let value5 = 5;\n")]);
    }
    execute(&mut editor, "redraft.keepHunk", json!({"uri": A, "id": 1})).await.unwrap();
    assert_eq!(hunks(&editor.told("redraft/review").await), []);
    let error = execute(&mut editor, "redraft.undoAll", json!({"uri": A})).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("nothing to keep or undo"), "{error}");
    editor.shown().await;
    editor.close().await;
}

#[tokio::test]
async fn all_is_undone_with_what_was_typed_kept_and_the_snippet_put_back() {
    let (mut editor, mut running, _) = editor().await;
    let pasted = format!("{}\n// paste\nlet value5 = FIVE;\n", old());
    editor.open(A, "rust", &pasted).await;
    let actions = editor.actions(A, "// paste\nlet value5 = FIVE;\n").await;
    let id = editor.rpc.start("codeAction/resolve", actions[0].clone()).await;
    running.recv().await.unwrap().finish(new());
    let edit = editor.rpc.response(id).await.unwrap()["edit"].clone();
    assert!(editor.apply(&edit).await);
    assert_eq!(hunks(&editor.told("redraft/review").await).len(), 2, "not the snippet");
    editor.replace(A, "value0 = 0", "value0 = zero").await;
    editor.told("redraft/review").await;
    execute_and_obey(&mut editor, "redraft.undoAll", json!({"uri": A})).await;
    assert_eq!(editor.text(A), pasted.replace("value0 = 0", "value0 = zero"));
    assert_eq!(hunks(&editor.told("redraft/review").await), []);
    editor.close().await;
}

#[tokio::test]
async fn the_editors_own_undo_ends_the_review() {
    let (mut editor, mut running, _) = editor().await;
    editor.open(A, "rust", &old()).await;
    apply(&mut editor, &mut running).await;
    editor.replace(A, "FIVE", "5").await;
    assert_eq!(
        hunks(&editor.told("redraft/review").await).len(),
        1,
        "what is typed into is not ours any more"
    );
    editor.replace(A, "let value31", "let value30 = 30;\nlet value31").await;
    assert_eq!(hunks(&editor.told("redraft/review").await), []);
    editor.close().await;
}

#[tokio::test]
async fn what_is_verified_is_shown_before_it_lands() {
    let (mut editor, mut running, _) = editor().await;
    let pasted = format!("// paste\nlet value5 = FIVE;\n{}", old());
    editor.open(A, "rust", &pasted).await;
    let actions = editor.actions(A, "// paste\nlet value5 = FIVE;\n").await;
    let id = editor.rpc.start("codeAction/resolve", actions[0].clone()).await;
    let apply = running.recv().await.unwrap();
    let new = new();
    apply.write(&new[..new.find("let value20").unwrap()]);
    let news = loop {
        let news = editor.told("redraft/applying").await;
        if !news["hunks"].as_array().unwrap().is_empty() {
            break news;
        }
    };
    assert_eq!(news["phase"], "writing");
    assert_eq!(news["tokensPerSecond"], 123.0);
    assert_eq!((&news["uri"], &news["version"]), (&json!(A), &json!(1)));
    assert_eq!(news["verified"]["end"], json!({"line": 22, "character": 0}), "the snippet's lines count");
    let place = json!({"start": {"line": 7, "character": 13}, "end": {"line": 7, "character": 14}});
    assert_eq!(news["hunks"], json!([{"range": place, "newText": "FIVE"}]));
    editor.rpc.notify("window/workDoneProgress/cancel", json!({"token": news["token"]})).await;
    apply.cancel.cancelled().await;
    assert_eq!(editor.rpc.response(id).await.unwrap_err()["code"], -32800);
    let end = loop {
        let news = editor.told("redraft/applying").await;
        if news["phase"] == "done" {
            break news;
        }
    };
    assert_eq!(end["hunks"], json!([]));
    assert_eq!(editor.text(A), pasted);
    editor.close().await;
}

#[tokio::test]
async fn streamed_hunks_are_reviewed_as_they_land() {
    let (mut editor, mut running, _) = editor().await;
    let settings = json!({"settings": {"redraft": {"apply": {"stream": "hunks", "route": "model"}}}});
    editor.rpc.notify("workspace/didChangeConfiguration", settings).await;
    editor.open(A, "rust", &old()).await;
    let argument = json!({"uri": A, "suggestion": "let value5 = FIVE;"});
    let id = editor.rpc.start("workspace/executeCommand", call("redraft.applySuggestion", &argument)).await;
    let apply = running.recv().await.unwrap();
    let new = new();
    let (head, tail) = new.split_at(new.find("let value20").unwrap());
    apply.write(head);
    editor.obey().await;
    assert_eq!(hunks(&editor.told("redraft/review").await).len(), 1);
    editor.replace(A, "value0 = 0", "value0 = zero").await;
    editor.told("redraft/review").await;
    apply.write(tail);
    editor.obey().await;
    assert_eq!(hunks(&editor.told("redraft/review").await).len(), 2);
    apply.finish(new.as_str());
    editor.rpc.response(id).await.unwrap();
    execute_and_obey(&mut editor, "redraft.undoAll", json!({"uri": A})).await;
    assert_eq!(editor.text(A), old().replace("value0 = 0", "value0 = zero"));
    editor.ignore("redraft/review");
    editor.close().await;
}

#[tokio::test]
async fn a_whole_reply_goes_to_the_files_that_it_names() {
    let (mut editor, mut running, _) = editor().await;
    editor.ignore("redraft/review");
    editor.open(A, "rust", "fn a() {}\n").await;
    editor.open(B, "rust", "fn b() {}\n").await;
    let text =
        "First `src/a.rs`:\n\n```rust\nfn a() { 1 }\n```\n\nthen `src/b.rs`:\n\n```rust\nfn b() { 2 }\n```\n";
    let params = call("redraft.applyReply", &json!({"text": text, "uri": A}));
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    for (original, output) in [("fn a() {}\n", "fn a() { 1 }\n"), ("fn b() {}\n", "fn b() { 2 }\n")] {
        let apply = running.recv().await.unwrap();
        assert_eq!(apply.request.original, original);
        assert!(apply.request.suggestion.contains(output.trim()), "{}", apply.request.suggestion);
        apply.finish(output);
        editor.obey().await;
    }
    let outcome = editor.rpc.response(id).await.unwrap();
    assert_eq!(outcome["applied"], true);
    assert_eq!([&outcome["files"][0]["uri"], &outcome["files"][1]["uri"]], [A, B]);
    assert_eq!((editor.text(A), editor.text(B)), ("fn a() { 1 }\n", "fn b() { 2 }\n"));

    // Bare code is for the file in front of the user; without one there is nothing to go by.
    let params = call("redraft.applyReply", &json!({"text": "fn b() { 3 }", "uri": B}));
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    let apply = running.recv().await.unwrap();
    assert_eq!(apply.request.original, "fn b() { 2 }\n");
    apply.finish("fn b() { 3 }\n");
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    for text in ["fn b() { 3 }", " \n"] {
        execute(&mut editor, "redraft.applyReply", json!({ "text": text })).await.unwrap_err();
        editor.shown().await;
    }
    editor.close().await;
}

#[tokio::test]
async fn what_is_under_the_cursor_is_applied() {
    let (mut editor, mut running, _) = editor().await;
    editor.ignore("redraft/review");
    editor.open(A, "rust", "fn a() {}\n").await;
    let chat = "file:///w/chat.md";
    editor.open(chat, "markdown", "`src/a.rs`\n```rust\nfn a() { 1 }\n```\n").await;
    let cursor = |line: u64| {
        let at = json!({"line": line, "character": 0});
        json!({"start": at, "end": at})
    };
    let params = call("redraft.applyAt", &json!({"uri": chat, "range": cursor(2)}));
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    running.recv().await.unwrap().finish("fn a() { 1 }\n");
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    assert_eq!(editor.text(A), "fn a() { 1 }\n");
    let nothing = json!({"uri": chat, "range": cursor(0)});
    execute(&mut editor, "redraft.applyAt", nothing).await.unwrap_err();
    assert!(editor.shown().await.contains("select the pasted snippet"));
    editor.close().await;
}

#[tokio::test]
async fn the_model_is_asked_about_fetched_and_measured() {
    let (mut editor, mut running, engine) = editor().await;
    engine.set_availability(Availability::Missing { name: "tiny".to_owned(), bytes: 100 << 20 });
    let status = editor.request("redraft/status", Value::Null).await.unwrap();
    assert_eq!(status["model"]["state"], "missing");
    assert_eq!(status["model"]["adapter"], "qwen2.5-coder-0.5b-rewrite");
    let shown = execute(&mut editor, "redraft.showStatus", Value::Null).await.unwrap();
    assert_eq!(shown, status);
    let question = editor.asked("window/showMessageRequest").await;
    assert_eq!(question["params"]["message"], status["text"]);
    editor.rpc.answer(&question, Value::Null).await;

    let id = editor.rpc.start("workspace/executeCommand", call("redraft.fetchModel", &Value::Null)).await;
    engine.end_fetch();
    assert_eq!(editor.rpc.response(id).await.unwrap()["model"]["state"], "ready");
    assert!(editor.shown().await.contains("is ready"));

    let id = editor.rpc.start("workspace/executeCommand", call("redraft.benchmark", &Value::Null)).await;
    for _ in 0..3 {
        running.recv().await.unwrap().order(Order::Finish(String::new()));
    }
    // The stand-in counts no tokens.
    assert!(editor.rpc.response(id).await.is_err());
    assert!(editor.shown().await.contains("nothing to measure"));
    editor.close().await;
}

#[tokio::test]
async fn an_apply_that_needs_the_model_offers_to_fetch_it() {
    let (mut editor, mut running, engine) = editor().await;
    editor.ignore("redraft/review");
    engine.set_availability(Availability::Missing { name: "tiny".to_owned(), bytes: 100 << 20 });
    let settings =
        json!({"settings": {"redraft": {"apply": {"route": "model"}, "model": {"fetch": "never"}}}});
    editor.rpc.notify("workspace/didChangeConfiguration", settings).await;
    editor.open(A, "rust", "fn a() {}\n").await;
    let suggestion = json!({"uri": A, "suggestion": "fn a() { 1 }"});
    execute(&mut editor, "redraft.applySuggestion", suggestion.clone()).await.unwrap_err();
    let problem = editor.choose("Fetch model").await;
    assert!(problem.contains("not on this machine"), "{problem}");
    engine.end_fetch();
    assert!(editor.shown().await.contains("is ready"));
    let params = call("redraft.applySuggestion", &suggestion);
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    running.recv().await.unwrap().finish("fn a() { 1 }\n");
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    editor.close().await;
}

#[tokio::test]
async fn a_client_that_is_not_ours_hears_nothing_of_this() {
    let (engine, mut running) = Scripted::new();
    let mut editor = Editor::in_memory(engine);
    editor.start().await;
    editor.ignore_progress();
    editor.open(A, "rust", &old()).await;
    let argument = json!({"uri": A, "suggestion": "let value5 = FIVE;"});
    let id = editor.rpc.start("workspace/executeCommand", call("redraft.applySuggestion", &argument)).await;
    let apply = running.recv().await.unwrap();
    apply.write(&new());
    apply.finish(new());
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    let lenses = editor.request("textDocument/codeLens", json!({"textDocument": {"uri": A}})).await.unwrap();
    assert_eq!(lenses, json!([]));
    editor.close().await;
}
