//! Input that makes no sense, over the protocol and through the real engine without a model: each kind is refused with
//! a sentence that says what is wrong, and the document stays as it was.

use std::sync::Arc;

use redraft_server::lsp::LocalEngine;
use redraft_tests::editor::{Editor, capabilities, uri};
use redraft_tests::sample::{EXPECTED, ORIGINAL, SNIPPET};
use serde_json::{Value, json};

const A: &str = "file:///w/counter.rs";

async fn editor(folders: &[&std::path::Path]) -> Editor {
    let mut editor = Editor::in_memory(Arc::new(LocalEngine::default()));
    let options = json!({"redraft": {"apply": {"route": "deterministic"}, "model": {"load": "first-use"}}});
    editor.initialize(capabilities(), options, folders).await;
    editor.ignore_progress();
    editor
}

fn apply(uri: &str, suggestion: &str) -> Value {
    json!({"command": "redraft.applySuggestion", "arguments": [{"uri": uri, "suggestion": suggestion}]})
}

/// The refusal, which is also shown to the user.
async fn refused(editor: &mut Editor, uri: &str, suggestion: &str) -> String {
    let error = editor.request("workspace/executeCommand", apply(uri, suggestion)).await.unwrap_err();
    let message = error["message"].as_str().unwrap().to_owned();
    assert_eq!(editor.shown().await, format!("Redraft: {message}"));
    message
}

#[tokio::test]
async fn a_suggestion_that_cannot_be_applied_says_why() {
    for (suggestion, why) in [
        ("", "the suggestion is empty"),
        (" \n\t\n", "the suggestion is empty"),
        ("You should rename the method and then run the tests again.", "only prose"),
        ("```rust\n```\n", "code block is empty"),
        ("// ... existing code ...\n", "elision markers only"),
        ("<<<<<<< SEARCH\n    pub fn add(&mut self) {\n", "cut off"),
        ("def unrelated(x):\n    yield from x\n", "nothing in the suggestion matches this file"),
        ("<<<<<<< SEARCH\nnot in the file\n=======\nnew\n>>>>>>> REPLACE\n", ""),
    ] {
        let mut editor = editor(&[]).await;
        editor.open(A, "rust", ORIGINAL).await;
        let message = refused(&mut editor, A, suggestion).await;
        assert!(message.contains(why), "{suggestion:?}: {message}");
        assert_eq!((editor.text(A), editor.version(A)), (ORIGINAL, 1));
        editor.close().await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::write(root.join("latin1.rs"), b"// caf\xe9\n").unwrap();
    std::fs::create_dir(root.join("folder.rs")).unwrap();
    let mut editor = editor(&[&root]).await;
    let message = refused(&mut editor, &uri(&root.join("latin1.rs")), SNIPPET).await;
    assert!(message.contains("not UTF-8"), "{message}");
    for none in ["missing.rs", "folder.rs"] {
        let message = refused(&mut editor, &uri(&root.join(none)), SNIPPET).await;
        assert!(message.contains("neither open nor a file of the workspace"), "{message}");
    }
    let message = refused(&mut editor, "untitled:Untitled-1", SNIPPET).await;
    assert!(message.contains("neither open nor a file"), "{message}");
    assert_eq!(std::fs::read(root.join("latin1.rs")).unwrap(), b"// caf\xe9\n");
    editor.close().await;
}

#[tokio::test]
async fn a_suggestion_that_has_landed_already_changes_nothing() {
    let mut editor = editor(&[]).await;
    editor.open(A, "rust", EXPECTED).await;
    let diff = "--- a/counter.rs\n+++ b/counter.rs\n@@ -11,3 +11,3 @@\n-    pub fn add(&mut self) {\n-        self.count += 1;\n\
                +    pub fn add(&mut self, amount: u32) {\n+        self.count += amount;\n         println!(\"now {}\", self.count);\n";
    let result = editor.request("workspace/executeCommand", apply(A, diff)).await;
    let said = editor.shown().await;
    assert!(result.is_err() || said.contains("already says"), "{result:?} {said}");
    assert_eq!((editor.text(A), editor.version(A)), (EXPECTED, 1));
    editor.close().await;
}

#[tokio::test]
async fn line_ends_and_unknown_languages_are_kept_as_they_are() {
    let block = "<<<<<<< SEARCH\ntwo\n=======\n2\n>>>>>>> REPLACE\n";
    for (text, expected) in [
        ("one\r\ntwo\r\nthree\r\n", "one\r\n2\r\nthree\r\n"),
        ("one\ntwo\nthree", "one\n2\nthree"),
        ("one\r\ntwo\nthree\r\n", "one\r\n2\nthree\r\n"),
        ("😀\ntwo\n\u{feff}three\n", "😀\n2\n\u{feff}three\n"),
    ] {
        let mut editor = editor(&[]).await;
        editor.open("file:///w/notes.unheard-of", "klingon", text).await;
        let params = apply("file:///w/notes.unheard-of", block);
        let id = editor.rpc.start("workspace/executeCommand", params).await;
        editor.obey().await;
        assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
        let after = editor.text("file:///w/notes.unheard-of");
        // The one line that is replaced may take the file's usual line end; no other byte changes.
        assert_eq!(after.replace("2\r\n", "2\n"), expected.replace("2\r\n", "2\n"));
        editor.close().await;
    }
}

#[tokio::test]
async fn a_huge_file_is_edited_in_one_place() {
    let mut editor = editor(&[]).await;
    let comment = "x".repeat(400);
    let filler: String =
        (0..6_000).map(|n| format!("pub const VALUE_{n}: u32 = {n}; // {comment}\n")).collect();
    assert!(filler.len() > redraft_server::session::MAX_PARSED_BYTES);
    let text = format!("{filler}{ORIGINAL}");
    editor.open(A, "rust", &text).await;
    let line = format!("pub const VALUE_777: u32 = 777; // {comment}");
    let block = format!("<<<<<<< SEARCH\n{line}\n=======\nx\n>>>>>>> REPLACE\n");
    let id = editor.rpc.start("workspace/executeCommand", apply(A, &block)).await;
    let edit = editor.obey().await;
    assert_eq!(edit["documentChanges"][0]["edits"].as_array().unwrap().len(), 1);
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), text.replace(&line, "x"));
    editor.close().await;
}
