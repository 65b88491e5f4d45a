//! Errors with a button for what helps, and the log that one of them opens.

use std::sync::Arc;

use redraft_server::lsp::Availability;
use redraft_tests::editor::{Editor, capabilities, command};
use redraft_tests::engine::{Order, Scripted};
use redraft_tests::sample::{EXPECTED, ORIGINAL, SNIPPET};
use serde_json::{Value, json};

const A: &str = "file:///w/a.rs";
const MISSING: [&str; 2] = ["Fetch model", "Choose another model"];
const NOT_FETCHED: [&str; 3] = ["Fetch model", "Choose another model", "Open log"];
const UNUSABLE: [&str; 2] = ["Choose another model", "Open log"];
const MODELS: [&str; 3] = ["tiny (104 MB to fetch)", "small (on this machine)", "large (104 MB to fetch)"];

fn missing() -> Availability {
    Availability::Missing { name: "tiny".to_owned(), bytes: 100 << 20 }
}

fn call(name: &str) -> Value {
    json!({"command": format!("redraft.{name}"), "arguments": []})
}

/// An editor with these capabilities, whose model is as `availability` says.
async fn editor(capabilities: Value, availability: Availability) -> (Editor, Arc<Scripted>) {
    let (engine, _running) = Scripted::new();
    engine.set_availability(availability);
    let mut editor = Editor::in_memory(engine.clone());
    editor.ignore_progress();
    let options = json!({"redraft": {"model": {"load": "first-use"}}});
    editor.initialize(capabilities, options, &[]).await;
    (editor, engine)
}

#[tokio::test]
async fn a_fetch_that_failed_is_tried_again_or_another_model_chosen() {
    let (mut editor, engine) = editor(capabilities(), missing()).await;
    let id = editor.rpc.start("workspace/executeCommand", call("fetchModel")).await;
    engine.fail_fetch("no hub can be reached");
    let error = editor.rpc.response(id).await.unwrap_err();
    assert_eq!(error["message"], "no hub can be reached");
    let shown = editor.choose_of(&NOT_FETCHED, Some("Fetch model")).await;
    assert_eq!(shown, "Redraft: no hub can be reached");
    engine.fail_fetch("no hub can be reached");
    editor.choose_of(&NOT_FETCHED, Some("Choose another model")).await;
    let question = editor.choose_of(&MODELS, Some(MODELS[1])).await;
    assert!(question.contains("instead of qwen2.5-coder-0.5b"), "{question}");
    engine.end_fetch();
    assert_eq!(editor.shown().await, "Redraft: the model small is ready");
    let keep = editor.shown().await;
    assert!(keep.contains(r#"redraft.model.name "small""#), "{keep}");
    assert_eq!(engine.configured(), "small");
    editor.close().await;
}

#[tokio::test]
async fn a_client_that_keeps_settings_is_told_which() {
    let mut declared = capabilities();
    declared["experimental"] = json!({"redraft": {"settings": true}});
    let (mut editor, engine) = editor(declared, missing()).await;
    let id = editor.rpc.start("workspace/executeCommand", call("chooseModel")).await;
    editor.choose_of(&MODELS, Some(MODELS[2])).await;
    engine.end_fetch();
    assert_eq!(editor.rpc.response(id).await.unwrap()["model"]["name"], "large");
    editor.shown().await;
    assert_eq!(editor.told("redraft/setting").await, json!({"name": "redraft.model.name", "value": "large"}));
    // It is not among those that it could be changed for.
    let id = editor.rpc.start("workspace/executeCommand", call("chooseModel")).await;
    editor.choose_of(&MODELS[..2], None).await;
    assert_eq!(editor.rpc.response(id).await.unwrap_err()["code"], -32800);
    editor.close().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_had_changes_nothing() {
    let (mut editor, engine) = editor(capabilities(), missing()).await;
    let id = editor.rpc.start("workspace/executeCommand", call("chooseModel")).await;
    editor.choose_of(&MODELS, Some(MODELS[2])).await;
    engine.fail_fetch("no room");
    editor.rpc.response(id).await.unwrap_err();
    editor.choose_of(&NOT_FETCHED, None).await;
    assert_eq!(engine.configured(), "qwen2.5-coder-0.5b");
    editor.close().await;
}

#[tokio::test]
async fn the_status_of_a_model_has_the_buttons_that_help() {
    for (availability, titles) in
        [(missing(), &MISSING[..]), (Availability::Unusable("it is a text file".to_owned()), &UNUSABLE)]
    {
        let (mut editor, _engine) = editor(capabilities(), availability).await;
        editor.request("workspace/executeCommand", call("showStatus")).await.unwrap();
        editor.choose_of(titles, None).await;
        editor.close().await;
    }
}

#[tokio::test]
async fn another_model_is_chosen_where_a_fetch_is_asked_about() {
    let (engine, mut running) = Scripted::new();
    engine.set_availability(missing());
    let mut editor = Editor::in_memory(engine.clone());
    editor.ignore_progress();
    editor.start().await;
    editor.open(A, "rust", "fn a() {}\n").await;
    let arguments = json!([{"uri": A, "suggestion": "fn a() { 1 }"}]);
    let params = json!({"command": "redraft.applySuggestion", "arguments": arguments});
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    editor.choose_of(&["Fetch", "Choose another model", "Not now"], Some("Choose another model")).await;
    editor.choose_of(&MODELS, Some(MODELS[1])).await;
    engine.end_fetch();
    running.recv().await.unwrap().order(Order::Finish("fn a() { 1 }\n".to_owned()));
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert!(editor.shown().await.contains("small is ready"));
    assert!(editor.shown().await.contains("keeps it"));
    editor.close().await;
}

#[tokio::test]
async fn a_client_without_questions_gets_the_sentence() {
    let mut declared = capabilities();
    declared.as_object_mut().unwrap().remove("window");
    let (mut mute, _engine) = editor(declared, missing()).await;
    mute.request("workspace/executeCommand", call("showStatus")).await.unwrap();
    assert!(mute.shown().await.contains("is not on this machine"));
    mute.close().await;

    let (mut refusing, _engine) = editor(capabilities(), missing()).await;
    refusing.request("workspace/executeCommand", call("showStatus")).await.unwrap();
    let question = refusing.asked("window/showMessageRequest").await;
    let error = json!({"code": -32601, "message": "no such method"});
    refusing.rpc.send(&json!({"jsonrpc": "2.0", "id": question["id"], "error": error})).await;
    assert!(refusing.shown().await.contains("is not on this machine"));
    refusing.close().await;
}

/// The real server, with a folder of its own to log into.
async fn process(cache: &std::path::Path, shows_documents: bool, device: &str) -> Editor {
    let mut command = command();
    command.env("REDRAFT_CACHE", cache).env("REDRAFT_LOG", "trace").stderr(std::process::Stdio::null());
    let mut editor = Editor::of_process(command);
    editor.ignore_progress();
    let mut capabilities = capabilities();
    capabilities["window"]["showDocument"] = json!({"support": shows_documents});
    let options =
        json!({"redraft": {"model": {"name": "nothing.gguf", "load": "first-use", "device": device}}});
    editor.initialize(capabilities, options, &[]).await;
    editor
}

#[tokio::test]
async fn the_log_opens_in_the_editor_and_holds_no_source_code() {
    let cache = tempfile::tempdir().unwrap();
    let mut editor = process(cache.path(), true, "cpu").await;
    editor.open(A, "rust", &format!("{ORIGINAL}\n{SNIPPET}")).await;
    let actions = editor.actions(A, SNIPPET).await;
    let resolved = editor.request("codeAction/resolve", actions[0].clone()).await.unwrap();
    assert!(editor.apply(&resolved["edit"]).await);
    assert_eq!(editor.text(A), EXPECTED);
    let position = json!({"line": 12, "character": 8});
    let params = json!({"textDocument": {"uri": A}, "position": position, "context": {"triggerKind": 1}});
    editor.request("textDocument/inlineCompletion", params).await.unwrap();

    editor.request("workspace/executeCommand", call("fetchModel")).await.unwrap_err();
    let shown = editor.choose_of(&UNUSABLE, Some("Open log")).await;
    assert!(shown.contains("nothing.gguf does not exist"), "{shown}");
    let request = editor.asked("window/showDocument").await;
    let path = request["params"]["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    editor.rpc.answer(&request, json!({"success": true})).await;
    assert!(log.contains("a.rs: ") && log.contains("nothing.gguf does not exist"), "{log}");
    // Words of the file and of the suggestion.
    for word in ["Counter", "amount", "println"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    editor.close().await;
}

#[tokio::test]
async fn a_device_that_this_build_lacks_is_said_with_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    // Neither is in any build for the other's system.
    let device = if cfg!(target_os = "macos") { "cuda:1" } else { "metal" };
    let mut editor = process(cache.path(), false, device).await;
    let status = editor.request("redraft/status", Value::Null).await.unwrap();
    assert_eq!(
        (&status["device"], &status["model"]["state"], &status["kernels"]),
        (&json!(device), &json!("unusable"), &json!("candle"))
    );
    let error = editor.request("workspace/executeCommand", call("fetchModel")).await.unwrap_err();
    let said = error["message"].as_str().unwrap();
    let feature = device.trim_end_matches(":1");
    assert!(
        said.contains(&format!("`{device}`")) && said.contains(&format!("--features {feature}")),
        "{said}"
    );
    assert!(said.contains("set `model.device` to `cpu`"), "{said}");
    assert!(editor.choose_of(&UNUSABLE, None).await.ends_with(said));
    editor.close().await;
}

#[tokio::test]
async fn where_the_log_cannot_be_opened_its_place_is_said() {
    let cache = tempfile::tempdir().unwrap();
    let mut editor = process(cache.path(), false, "cpu").await;
    editor.request("workspace/executeCommand", call("openLog")).await.unwrap();
    let said = editor.shown().await;
    let path = said.strip_prefix("Redraft: the log is ").unwrap();
    assert!(std::path::Path::new(path).is_file(), "{said}");
    editor.close().await;
}
