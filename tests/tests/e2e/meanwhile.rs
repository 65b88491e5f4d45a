//! What happens while an apply runs: typing, cancelling, closing, more applies, and clients that do not answer.

use redraft_server::lsp::Step;
use redraft_tests::editor::{Editor, capabilities};
use redraft_tests::engine::{Order, Running, Scripted};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

const A: &str = "file:///w/a.rs";
const B: &str = "file:///w/b.rs";
const OLD: &str = "fn one() {\n    1\n}\n\nfn two() {\n    2\n}\n\nfn three() {\n    3\n}\n";

fn edited() -> String {
    OLD.replace("    2", "    22")
}

async fn editor() -> (Editor, UnboundedReceiver<Running>) {
    let (engine, running) = Scripted::new();
    let mut editor = Editor::in_memory(engine);
    editor.start().await;
    editor.open(A, "rust", OLD).await;
    (editor, running)
}

fn command(uri: &str) -> Value {
    let arguments = json!([{"uri": uri, "suggestion": "fn two() {\n    22\n}\n"}]);
    json!({"command": "redraft.applySuggestion", "arguments": arguments, "workDoneToken": uri})
}

async fn start(editor: &mut Editor, uri: &str) -> i64 {
    editor.rpc.start("workspace/executeCommand", command(uri)).await
}

#[tokio::test]
async fn progress_is_reported_under_the_clients_token() {
    let (mut editor, mut running) = editor().await;
    let id = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    let begin = editor.progress(&json!(A), "begin", "").await;
    assert_eq!(begin["title"], "Applying the suggestion to a.rs");
    assert_eq!(begin["cancellable"], true);
    apply.order(Order::Step(Step::Reading { done: 50, total: 200 }));
    editor.progress(&json!(A), "report", "50 of 200 tokens").await;
    apply.write("fn one() {\n    1\n}\n");
    let report = editor.progress(&json!(A), "report", "123 tokens/s").await;
    assert!((11..100).contains(&report["percentage"].as_u64().unwrap()), "{report}");
    apply.finish(edited());
    editor.obey().await;
    editor.progress(&json!(A), "end", "").await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    editor.close().await;
}

#[tokio::test]
async fn progress_is_created_for_clients_that_show_it_and_left_out_for_others() {
    for shows in [true, false] {
        let (engine, mut running) = Scripted::new();
        let mut editor = Editor::in_memory(engine);
        let mut capabilities = capabilities();
        capabilities["window"]["workDoneProgress"] = json!(shows);
        editor.initialize(capabilities, Value::Null, &[]).await;
        editor.open(A, "rust", OLD).await;
        let mut params = command(A);
        params["workDoneToken"] = Value::Null;
        let id = editor.rpc.start("workspace/executeCommand", params).await;
        let apply = running.recv().await.unwrap();
        if shows {
            let token = editor.progress_created().await;
            editor.progress(&token, "begin", "").await;
            apply.finish(edited());
            editor.obey().await;
            editor.progress(&token, "end", "").await;
        } else {
            apply.finish(edited());
            editor.obey().await;
        }
        editor.rpc.response(id).await.unwrap();
        editor.close().await;
    }
}

#[tokio::test]
async fn typing_elsewhere_moves_the_edit() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let id = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    editor.replace(A, "    1", "    111;\n    😀()").await;
    editor.replace(A, "    3", "    33").await;
    apply.finish(edited());
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    let both = edited().replace("    1", "    111;\n    😀()").replace("    3", "    33");
    assert_eq!(editor.text(A), both);
    editor.close().await;
}

#[tokio::test]
async fn typing_in_the_same_place_refuses_the_edit() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let id = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    editor.replace(A, "    2", "    7").await;
    apply.finish(edited());
    let error = editor.rpc.response(id).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("changed at the same place"), "{error}");
    assert!(editor.shown().await.contains("nothing was applied"));
    assert_eq!(editor.text(A), OLD.replace("    2", "    7"));
    editor.close().await;
}

#[tokio::test]
async fn an_edit_that_the_editor_is_too_new_for_is_made_again() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let id = start(&mut editor, A).await;
    running.recv().await.unwrap().finish(edited());
    // The user types between our edit and its arrival: the editor refuses the old version, and we try again.
    let request = editor.asked("workspace/applyEdit").await;
    editor.replace(A, "    1", "    1111").await;
    let edit = request["params"]["edit"].clone();
    assert!(!editor.apply(&edit).await);
    editor.rpc.answer(&request, json!({"applied": false, "failureReason": "newer"})).await;
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), edited().replace("    1", "    1111"));
    editor.close().await;
}

#[tokio::test]
async fn a_suggestion_for_an_older_version_is_moved_or_refused() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let mut params = command(A);
    params["arguments"][0]["version"] = json!(1);
    editor.replace(A, "    1", "    1111").await;
    let id = editor.rpc.start("workspace/executeCommand", params.clone()).await;
    let apply = running.recv().await.unwrap();
    assert_eq!(apply.request.original, OLD, "it is applied to the text that it was made for");
    apply.finish(edited());
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    assert_eq!(editor.text(A), edited().replace("    1", "    1111"));

    params["arguments"][0]["version"] = json!(-5);
    let error = editor.request("workspace/executeCommand", params).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("for version -5"), "{error}");
    editor.shown().await;
    editor.close().await;
}

#[tokio::test]
async fn closing_the_file_ends_its_apply_with_a_message() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let id = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    editor.close_document(A).await;
    apply.finish(edited());
    let error = editor.rpc.response(id).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("closed meanwhile"), "{error}");
    assert!(editor.shown().await.contains("nothing was applied"));
    editor.close().await;
}

#[tokio::test]
async fn cancelling_by_progress_or_request_leaves_the_file_as_it_was() {
    for by_progress in [true, false] {
        let (mut editor, mut running) = editor().await;
        let id = start(&mut editor, A).await;
        let apply = running.recv().await.unwrap();
        editor.progress(&json!(A), "begin", "").await;
        apply.write("fn one() {\n");
        if by_progress {
            editor.rpc.notify("window/workDoneProgress/cancel", json!({"token": A})).await;
        } else {
            editor.rpc.notify("$/cancelRequest", json!({"id": id})).await;
        }
        apply.cancel.cancelled().await;
        let error = editor.rpc.response(id).await.unwrap_err();
        assert_eq!(error["code"], -32800);
        editor.progress(&json!(A), "end", "").await;
        assert_eq!(editor.text(A), OLD);
        // The next apply is not disturbed.
        let id = start(&mut editor, A).await;
        running.recv().await.unwrap().finish(edited());
        editor.obey().await;
        editor.rpc.response(id).await.unwrap();
        editor.progress(&json!(A), "end", "").await;
        editor.close().await;
    }
}

#[tokio::test]
async fn a_second_apply_waits_in_the_open_and_is_not_lost() {
    let (mut editor, mut running) = editor().await;
    editor.open(B, "rust", OLD).await;
    let first = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    let second = start(&mut editor, B).await;
    editor.progress(&json!(B), "", "Waiting for another apply").await;
    apply.finish(edited());
    editor.obey().await;
    editor.rpc.response(first).await.unwrap();
    running.recv().await.unwrap().finish(edited());
    editor.obey().await;
    editor.rpc.response(second).await.unwrap();
    assert_eq!((editor.text(A), editor.text(B)), (edited().as_str(), edited().as_str()));
    editor.progress(&json!(A), "end", "").await;
    editor.progress(&json!(B), "end", "").await;
    editor.close().await;
}

#[tokio::test]
async fn one_that_waits_can_be_cancelled() {
    let (mut editor, mut running) = editor().await;
    editor.open(B, "rust", OLD).await;
    let first = start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    let second = start(&mut editor, B).await;
    editor.progress(&json!(B), "", "Waiting").await;
    editor.rpc.notify("window/workDoneProgress/cancel", json!({"token": B})).await;
    assert_eq!(editor.rpc.response(second).await.unwrap_err()["code"], -32800);
    editor.progress(&json!(B), "end", "").await;
    apply.finish(edited());
    editor.obey().await;
    editor.rpc.response(first).await.unwrap();
    editor.progress(&json!(A), "end", "").await;
    editor.close().await;
}

/// tower-lsp's own loop stalls with its fifth waiting request; this one has none such number.
#[tokio::test]
async fn stalled_requests_hold_nothing_up() {
    const STALLED: usize = 300;
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let mut ids = Vec::new();
    for _ in 0..STALLED {
        ids.push(start(&mut editor, A).await);
    }
    let mut apply = running.recv().await.unwrap();
    editor.replace(A, "    1", "    11").await;
    assert_eq!(editor.actions(A, "    11\n").await.len(), 1, "answered while all the others wait");
    for id in ids.drain(1..) {
        editor.rpc.notify("$/cancelRequest", json!({"id": id})).await;
        assert_eq!(editor.rpc.response(id).await.unwrap_err()["code"], -32800);
    }
    // Turns were taken in any order, some by those that were cancelled then.
    while apply.cancel.is_cancelled() {
        apply = running.recv().await.unwrap();
    }
    apply.finish(edited());
    editor.obey().await;
    editor.rpc.response(ids[0]).await.unwrap();
    assert_eq!(editor.text(A), edited().replace("    1", "    11"));
    editor.close().await;
}

#[tokio::test]
async fn a_crash_of_the_engine_ends_that_apply_only() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    let id = start(&mut editor, A).await;
    running.recv().await.unwrap().order(Order::Crash);
    let error = editor.rpc.response(id).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("defect of ours"), "{error}");
    editor.choose_of(&["Open log"], None).await;
    let id = start(&mut editor, A).await;
    running.recv().await.unwrap().finish(edited());
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    editor.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_is_not_waited_for_for_ever() {
    let (mut editor, mut running) = editor().await;
    let mut params = command(A);
    params["workDoneToken"] = Value::Null;
    let id = editor.rpc.start("workspace/executeCommand", params).await;
    running.recv().await.unwrap().finish(edited());
    let edit = editor.asked("workspace/applyEdit").await;
    let error = editor.rpc.response(id).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("did not answer"), "{error}");
    editor.shown().await;
    // The late answer does no harm.
    editor.rpc.answer(&edit, json!({"applied": true})).await;
    editor.ignore("window/workDoneProgress/create");
    editor.ignore("$/cancelRequest");
    editor.close().await;
}

#[tokio::test]
async fn an_exit_does_not_wait_for_an_apply() {
    let (mut editor, mut running) = editor().await;
    editor.ignore_progress();
    start(&mut editor, A).await;
    let apply = running.recv().await.unwrap();
    editor.rpc.notify("exit", Value::Null).await;
    editor.ended().await;
    apply.cancel.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_ahead_when_typing_pauses_and_when_the_action_is_offered() {
    let (engine, _running) = Scripted::new();
    let mut editor = Editor::in_memory(engine.clone());
    editor.start().await;
    editor.open(A, "rust", OLD).await;
    editor.replace(A, "    1", "    11").await;
    let typed = editor.text(A).to_owned();
    engine.until_prepared(1).await;
    assert_eq!(engine.prepared()[0].original, typed, "once, after the last change");
    let rest = typed.replace("fn two() {\n    2\n}\n\n", "");
    assert_eq!(editor.actions(A, "fn two() {\n    2\n}\n").await.len(), 1);
    engine.until_prepared(2).await;
    assert_eq!(engine.prepared()[1].original, rest, "what the suggestion would be applied to");
    editor.close().await;
}
