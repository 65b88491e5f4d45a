//! `apply.stream: "hunks"`: edits go out while the rest is still being verified.

use redraft_tests::editor::{Editor, capabilities};
use redraft_tests::engine::{Order, Running, Scripted};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

const A: &str = "file:///w/a.rs";

fn old() -> String {
    (0..40).map(|n| format!("let value{n} = {n};\n")).collect()
}

fn new() -> String {
    old().replace("value5 = 5", "value5 = FIVE").replace("value30 = 30", "value30 = THIRTY")
}

async fn editor() -> (Editor, UnboundedReceiver<Running>) {
    let (engine, running) = Scripted::new();
    let mut editor = Editor::in_memory(engine);
    let options = json!({"redraft": {"apply": {"stream": "hunks", "route": "model"}}});
    editor.initialize(capabilities(), options, &[]).await;
    editor.ignore_progress();
    (editor, running)
}

/// Chooses the action on the snippet, which is a command when edits are streamed.
async fn start(editor: &mut Editor, snippet: &str) -> i64 {
    let actions = editor.actions(A, snippet).await;
    let command = &actions[0]["command"];
    let params = json!({"command": command["command"], "arguments": command["arguments"]});
    editor.rpc.start("workspace/executeCommand", params).await
}

const SNIPPET: &str = "// the snippet\nlet value5 = FIVE;\n";

#[tokio::test]
async fn the_first_hunk_lands_before_the_last_is_written() {
    let (mut editor, mut running) = editor().await;
    editor.open(A, "rust", &format!("{}{SNIPPET}", old())).await;
    let id = start(&mut editor, SNIPPET).await;
    let apply = running.recv().await.unwrap();
    assert_eq!(apply.request.original, old());
    let new = new();
    let (head, tail) = new.split_at(new.find("let value20").unwrap());
    apply.write(head);
    let edit = editor.obey().await;
    assert_eq!(
        edit["documentChanges"][0]["edits"].as_array().unwrap().len(),
        2,
        "the hunk, the snippet taken out"
    );
    assert_eq!(editor.text(A), old().replace("value5 = 5", "value5 = FIVE"));
    // Typing elsewhere goes on meanwhile.
    editor.replace(A, "value0 = 0", "value0 = zero").await;
    apply.write(tail);
    editor.obey().await;
    apply.finish(new.as_str());
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), new.replace("value0 = 0", "value0 = zero"));
    editor.close().await;
}

#[tokio::test]
async fn what_the_guard_repairs_at_the_end_lands_too() {
    let (mut editor, mut running) = editor().await;
    editor.open(A, "rust", &format!("{}{SNIPPET}", old())).await;
    let id = start(&mut editor, SNIPPET).await;
    let apply = running.recv().await.unwrap();
    apply.write(&new().replace("value10 = 10", "value10 = WRONG"));
    editor.obey().await;
    apply.finish(new());
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), new());
    editor.close().await;
}

#[tokio::test]
async fn a_cancelled_stream_is_taken_back() {
    let (mut editor, mut running) = editor().await;
    let pasted = format!("{}{SNIPPET}", old());
    editor.open(A, "rust", &pasted).await;
    let id = start(&mut editor, SNIPPET).await;
    let apply = running.recv().await.unwrap();
    apply.write(&new()[..new().find("let value20").unwrap()]);
    editor.obey().await;
    assert_ne!(editor.text(A), pasted);
    editor.rpc.notify("$/cancelRequest", json!({"id": id})).await;
    apply.cancel.cancelled().await;
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap_err()["code"], -32800);
    assert_eq!(editor.text(A), pasted);
    editor.close().await;
}

#[tokio::test]
async fn an_unsure_stream_is_asked_about_and_taken_back() {
    let (mut editor, mut running) = editor().await;
    let pasted = format!("{}{SNIPPET}", old());
    editor.open(A, "rust", &pasted).await;
    let id = start(&mut editor, SNIPPET).await;
    let apply = running.recv().await.unwrap();
    apply.write(&new());
    editor.obey().await;
    apply.order(Order::Ask(new(), "A line was lost."));
    assert!(editor.choose("Discard").await.contains("A line was lost."));
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], false);
    assert_eq!(editor.text(A), pasted);
    editor.close().await;
}

#[tokio::test]
async fn typing_into_a_hunk_ends_the_stream() {
    let (mut editor, mut running) = editor().await;
    let pasted = format!("{}{SNIPPET}", old());
    editor.open(A, "rust", &pasted).await;
    let id = start(&mut editor, SNIPPET).await;
    let apply = running.recv().await.unwrap();
    let new = new();
    let (head, tail) = new.split_at(new.find("let value20").unwrap());
    apply.write(head);
    editor.obey().await;
    editor.replace(A, "value30 = 30", "value30 = mine").await;
    apply.write(tail);
    editor.obey().await;
    let error = editor.rpc.response(id).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("changed at the same place"), "{error}");
    editor.shown().await;
    assert_eq!(
        editor.text(A),
        pasted.replace("value30 = 30", "value30 = mine"),
        "what had landed is taken back"
    );
    apply.cancel.cancelled().await;
    editor.close().await;
}
