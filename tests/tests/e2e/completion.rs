//! Code completion: ghost text and lists, what is known without the model, and what is overtaken.

use redraft_server::lsp::Availability;
use redraft_tests::editor::{Editor, capabilities, uri};
use redraft_tests::engine::{Running, Scripted, Writing};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

const A: &str = "file:///w/a.rs";
const B: &str = "file:///w/b.rs";
/// How long an answer is waited for before it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// An editor with ghost text, a document with the cursor at `$0`, and the completions and edits that reach the engine.
struct Setup {
    editor: Editor,
    engine: Arc<Scripted>,
    writings: UnboundedReceiver<Writing>,
    edits: UnboundedReceiver<Running>,
}

fn with_ghost_text() -> Value {
    let mut capabilities = capabilities();
    capabilities["textDocument"]["inlineCompletion"] = json!({});
    capabilities
}

impl Setup {
    async fn new(capabilities: Value, settings: Value, marked: &str) -> (Setup, Value) {
        let (engine, edits) = Scripted::new();
        let writings = engine.completions();
        let mut editor = Editor::in_memory(engine.clone());
        // What the engine has is the test's to say.
        let settings = json!({"redraft": {"completion": settings, "model": {"load": "first-use"}}});
        let answer = editor.initialize(capabilities, settings, &[]).await;
        editor.open(A, "rust", &marked.replace("$0", "")).await;
        (Setup { editor, engine, writings, edits }, answer)
    }

    async fn ghost(marked: &str) -> Setup {
        Setup::new(with_ghost_text(), json!({"debounce": 0}), marked).await.0
    }

    /// Asks at the end of the only place where `before` stands, with patience.
    async fn ask(&mut self, before: &str) -> i64 {
        self.ask_as(before, 1).await
    }

    /// Asks as an editor does with every key.
    async fn ask_as_typed(&mut self, before: &str) -> i64 {
        self.ask_as(before, 2).await
    }

    async fn ask_as(&mut self, before: &str, kind: u32) -> i64 {
        let position = self.editor.range_of(A, before)["end"].clone();
        let params = json!({
            "textDocument": {"uri": A}, "position": position, "context": {"triggerKind": kind},
        });
        self.editor.rpc.start("textDocument/inlineCompletion", params).await
    }

    /// The next completion that somebody waits for.
    async fn writing(&mut self) -> Writing {
        loop {
            let writing = self.writings.recv().await.expect("the server asks");
            if !writing.ahead {
                return writing;
            }
            writing.finish("");
        }
    }

    async fn answer(&mut self, id: i64) -> Value {
        self.editor.rpc.response(id).await.expect("completion works")
    }
}

const LOOP: &str = "fn total(items: &[u32]) -> u32 {\n    let mut sum = 0;\n    for item in items {\n        su$0\n    }\n    sum\n}\n";

#[tokio::test]
async fn ghost_text_is_advertised_and_the_list_only_where_there_is_none() {
    for (capabilities, ghost) in [(with_ghost_text(), true), (capabilities(), false)] {
        let (setup, answer) = Setup::new(capabilities, json!({}), "").await;
        assert_eq!(answer["capabilities"]["inlineCompletionProvider"], true);
        assert_eq!(answer["capabilities"]["completionProvider"].is_null(), ghost, "{answer}");
        setup.editor.close().await;
    }
}

#[tokio::test]
async fn the_models_text_is_shown_where_the_cursor_is() {
    let mut setup = Setup::ghost(LOOP).await;
    let id = setup.ask("        su").await;
    let writing = setup.writing().await;
    let prompt = &writing.plan.prompt;
    assert!(prompt.before.ends_with("for item in items {\n"), "{prompt:?}");
    assert_eq!(prompt.written, "        su");
    assert!(prompt.after.starts_with("\n    }\n    sum\n"), "{prompt:?}");
    writing.finish("m += item;\n    }\n    sum\n}");
    let answer = setup.answer(id).await;
    let range = json!({"start": {"line": 3, "character": 10}, "end": {"line": 3, "character": 10}});
    assert_eq!(answer, json!({"items": [{"insertText": "m += item;", "range": range}]}));
    setup.editor.close().await;
}

#[tokio::test]
async fn what_was_predicted_is_typed_through_without_the_model() {
    let mut setup = Setup::ghost(LOOP).await;
    let id = setup.ask("        su").await;
    setup.writing().await.finish("m += item;");
    setup.answer(id).await;
    setup.editor.replace(A, "        su", "        sum +").await;
    let id = setup.ask("        sum +").await;
    assert_eq!(setup.answer(id).await["items"][0]["insertText"], "= item;");
    setup.editor.replace(A, "        sum +", "        sum -").await;
    let id = setup.ask("        sum -").await;
    setup.writing().await.finish("= item;");
    assert_eq!(setup.answer(id).await["items"][0]["insertText"], "= item;");
    setup.editor.close().await;
}

#[tokio::test]
async fn what_became_of_a_completion_is_counted_without_its_code() {
    let mut setup = Setup::ghost(LOOP).await;
    let id = setup.ask("        su").await;
    setup.writing().await.finish("m += item;");
    setup.answer(id).await;
    setup.editor.replace(A, "        su", "        sum += item;").await;
    let engine = setup.engine.clone();
    setup.editor.close().await;
    let counted = serde_json::to_value(&*engine.counted.borrow()).unwrap();
    assert_eq!(counted["rust"]["accepted"], 1, "{counted}");
    assert!(!counted.to_string().contains("item"));
}

#[tokio::test]
async fn what_follows_an_accepted_completion_is_there_before_it_is_asked_for() {
    let mut setup = Setup::ghost(LOOP).await;
    let id = setup.ask("        su").await;
    setup.writing().await.finish("m += item;");
    setup.answer(id).await;
    let ahead = setup.writings.recv().await.unwrap();
    assert!(ahead.ahead && ahead.plan.prompt.written.ends_with("sum += item;"), "{:?}", ahead.plan.prompt);
    ahead.finish("\n        count += 1;");
    setup.editor.replace(A, "        su", "        sum += item;").await;
    // Either it is known by now, or it is asked for once more and has the same answer.
    let id = setup.ask("sum += item;").await;
    let answer = tokio::select! {
        answer = setup.editor.rpc.response(id) => answer.unwrap(),
        Some(writing) = setup.writings.recv() => {
            writing.finish("\n        count += 1;");
            setup.answer(id).await
        }
    };
    assert_eq!(answer["items"][0]["insertText"], "\n        count += 1;");
    setup.editor.close().await;
}

#[tokio::test]
async fn a_request_that_is_overtaken_is_answered_with_nothing() {
    let mut setup = Setup::ghost(LOOP).await;
    let first = setup.ask("        su").await;
    let writing = setup.writing().await;
    setup.editor.replace(A, "        su", "        let").await;
    assert_eq!(setup.answer(first).await, Value::Null);
    let second = setup.ask("        let").await;
    writing.cancel.cancelled().await;
    let writing = setup.writing().await;
    let third = setup.ask("        let").await;
    assert_eq!(setup.answer(second).await, Value::Null);
    // What is being written is what the newer request needs as well.
    writing.finish(" x = 1;");
    assert_eq!(setup.answer(third).await["items"][0]["insertText"], " x = 1;");
    setup.editor.close().await;
}

#[tokio::test]
async fn typing_what_is_being_written_does_not_stop_it() {
    let mut setup = Setup::ghost(LOOP).await;
    let first = setup.ask("        su").await;
    let writing = setup.writing().await;
    writing.so_far("m +=");
    setup.editor.replace(A, "        su", "        sum").await;
    let second = setup.ask("        sum").await;
    assert_eq!(setup.answer(first).await, Value::Null);
    writing.finish("m += item;");
    assert_eq!(setup.answer(second).await["items"][0]["insertText"], " += item;");
    setup.editor.close().await;
}

#[tokio::test]
async fn while_keys_come_fast_what_is_written_so_far_is_shown() {
    let mut setup = Setup::ghost(LOOP).await;
    let mut overtaken = vec![setup.ask("        su").await];
    let writing = setup.writing().await;
    setup.editor.replace(A, "        su", "        sum").await;
    // Nothing is written: nothing is answered before the next key comes.
    setup.editor.replace(A, "        sum", "        sum ").await;
    setup.editor.replace(A, "        sum ", "        sum").await;
    let id = setup.ask_as_typed("        sum").await;
    let waiting = setup.editor.rpc.response(id);
    assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err());
    setup.editor.replace(A, "        sum", "        sum ").await;
    setup.editor.replace(A, "        sum ", "        sum").await;
    assert_eq!(setup.answer(id).await, Value::Null);
    writing.so_far("m += item.val");
    let answer = loop {
        setup.editor.replace(A, "        sum", "        sum ").await;
        setup.editor.replace(A, "        sum ", "        sum").await;
        let id = setup.ask_as_typed("        sum").await;
        match tokio::time::timeout(PATIENCE, setup.editor.rpc.response(id)).await {
            Ok(answer) => break answer.unwrap(),
            // The machine was so slow that the keys came slowly.
            Err(_) => overtaken.push(id),
        }
    };
    for id in overtaken {
        assert_eq!(setup.answer(id).await, Value::Null);
    }
    assert_eq!(answer["items"][0]["insertText"], " += item.");
    // The rest is for the next key.
    writing.finish("m += item.value();");
    let id = setup.ask("        sum").await;
    assert_eq!(setup.answer(id).await["items"][0]["insertText"], " += item.value();");
    setup.editor.close().await;
}

#[tokio::test]
async fn while_the_model_makes_an_edit_fast_keys_are_answered_whatever_is_there() {
    let mut setup = Setup::ghost(LOOP).await;
    let settings =
        json!({"settings": {"redraft": {"completion": {"debounce": 0}, "apply": {"route": "model"}}}});
    setup.editor.rpc.notify("workspace/didChangeConfiguration", settings).await;
    setup.editor.open(B, "rust", "fn a() {}\n").await;
    let arguments = json!([{"uri": B, "suggestion": "fn a() { 1 }"}]);
    let params = json!({"command": "redraft.applySuggestion", "arguments": arguments});
    let applied = setup.editor.rpc.start("workspace/executeCommand", params).await;
    let edit = setup.edits.recv().await.expect("the model is asked");
    let mut overtaken = vec![setup.ask("        su").await];
    let writing = setup.writing().await;
    setup.editor.replace(A, "        su", "        sum").await;
    loop {
        setup.editor.replace(A, "        sum", "        sum ").await;
        setup.editor.replace(A, "        sum ", "        sum").await;
        let id = setup.ask_as_typed("        sum").await;
        match tokio::time::timeout(PATIENCE, setup.editor.rpc.response(id)).await {
            Ok(answer) => break assert_eq!(answer.unwrap(), Value::Null),
            // The machine was so slow that the keys came slowly.
            Err(_) => overtaken.push(id),
        }
    }
    for id in overtaken {
        assert_eq!(setup.answer(id).await, Value::Null);
    }
    edit.finish("fn a() { 1 }\n");
    setup.editor.obey().await;
    assert_eq!(setup.editor.rpc.response(applied).await.unwrap()["applied"], true);
    writing.finish("m += item;");
    let id = setup.ask("        sum").await;
    assert_eq!(setup.answer(id).await["items"][0]["insertText"], " += item;");
    setup.editor.ignore_progress();
    setup.editor.close().await;
}

#[tokio::test]
async fn a_cancelled_request_is_answered() {
    let mut setup = Setup::ghost(LOOP).await;
    let id = setup.ask("        su").await;
    let _writing = setup.writing().await;
    setup.editor.rpc.notify("$/cancelRequest", json!({ "id": id })).await;
    assert_eq!(setup.editor.rpc.response(id).await.unwrap_err()["code"], -32800);
    setup.editor.close().await;
}

#[tokio::test]
async fn nothing_is_asked_in_comments_other_languages_and_without_a_model() {
    let mut setup = Setup::ghost("// a note $0\nfn a() {}\n").await;
    let id = setup.ask("// a note ").await;
    assert_eq!(setup.answer(id).await, Value::Null);
    setup.engine.set_availability(Availability::OnDisk);
    let id = setup.ask("fn a() {").await;
    assert_eq!(setup.answer(id).await, Value::Null);
    assert!(setup.writings.try_recv().is_err());
    setup.editor.close().await;

    for settings in [json!({"enabled": false}), json!({"languages": {"rust": false}})] {
        let (mut setup, _) = Setup::new(with_ghost_text(), settings, LOOP).await;
        let id = setup.ask("        su").await;
        assert_eq!(setup.answer(id).await, Value::Null);
        setup.editor.close().await;
    }
}

#[tokio::test]
async fn ghost_text_goes_on_after_the_selected_entry_of_a_list() {
    let mut setup = Setup::ghost("fn a() {\n    items.pu\n}\n").await;
    let end = setup.editor.range_of(A, "items.pu")["end"].clone();
    let range = setup.editor.range_of(A, "pu");
    let params = json!({
        "textDocument": {"uri": A}, "position": end,
        "context": {"triggerKind": 2, "selectedCompletionInfo": {"range": range, "text": "push"}},
    });
    let id = setup.editor.rpc.start("textDocument/inlineCompletion", params).await;
    let writing = setup.writing().await;
    assert_eq!(writing.plan.prompt.written, "    items.push");
    writing.finish("(1);");
    assert_eq!(setup.answer(id).await["items"][0], json!({"insertText": "push(1);", "range": range}));
    setup.editor.close().await;
}

#[tokio::test]
async fn a_list_holds_one_entry_that_replaces_the_word() {
    let (mut setup, _) = Setup::new(capabilities(), json!({"debounce": 0}), LOOP).await;
    let end = setup.editor.range_of(A, "        su")["end"].clone();
    let params = json!({"textDocument": {"uri": A}, "position": end});
    let id = setup.editor.rpc.start("textDocument/completion", params).await;
    setup.writing().await.finish("m += item;");
    let answer = setup.answer(id).await;
    assert_eq!(answer["isIncomplete"], true);
    let item = &answer["items"][0];
    assert_eq!((item["label"].as_str(), item["preselect"].as_bool()), (Some("sum += item;"), Some(false)));
    let range = json!({"start": {"line": 3, "character": 8}, "end": {"line": 3, "character": 10}});
    assert_eq!(item["textEdit"], json!({"range": range, "newText": "sum += item;"}));
    setup.editor.close().await;
}

#[tokio::test]
async fn what_a_file_of_the_workspace_defines_is_in_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = "pub struct Ledger;\n\nimpl Ledger {\n    pub fn deposit(&mut self, cents: u64) {}\n}\n";
    std::fs::write(folder.path().join("ledger.rs"), ledger).unwrap();
    let (engine, _) = Scripted::new();
    let mut writings = engine.completions();
    let mut editor = Editor::in_memory(engine.clone());
    let settings = json!({"redraft": {"completion": {"debounce": 0}, "model": {"load": "first-use"}}});
    editor.initialize(with_ghost_text(), settings, &[folder.path()]).await;
    let main = uri(&folder.path().join("main.rs"));
    // Files are indexed in the background: asked anew with other texts until it is there.
    for round in 0..1000 {
        let text = format!("fn main() {{\n    let mut ledger = Ledger::new({round});\n    ledger.\n}}\n");
        editor.open(&main, "rust", &text).await;
        let position = editor.range_of(&main, "ledger.")["end"].clone();
        let params = json!({
            "textDocument": {"uri": main}, "position": position, "context": {"triggerKind": 1},
        });
        let id = editor.rpc.start("textDocument/inlineCompletion", params).await;
        let writing = loop {
            let writing = writings.recv().await.unwrap();
            if !writing.ahead {
                break writing;
            }
            writing.finish("");
        };
        let others = writing.plan.prompt.others.clone();
        writing.finish("deposit(1);");
        editor.rpc.response(id).await.unwrap();
        if let [other] = others.as_slice() {
            assert_eq!(other.path, "ledger.rs");
            assert!(other.text.contains("pub fn deposit(&mut self, cents: u64)"), "{}", other.text);
            return editor.close().await;
        }
        editor.close_document(&main).await;
    }
    panic!("the index never had it");
}
