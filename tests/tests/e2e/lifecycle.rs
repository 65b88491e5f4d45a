//! The protocol itself: the handshake, the end, bad input, settings.

use redraft_server::lsp::Ended;
use redraft_tests::editor::{Editor, End, capabilities, command};
use redraft_tests::engine::Scripted;
use redraft_tests::text::Encoding;
use serde_json::{Value, json};

const A: &str = "file:///w/a.rs";

fn editor() -> Editor {
    Editor::in_memory(Scripted::new().0)
}

#[tokio::test]
async fn the_clients_first_encoding_is_taken() {
    for (offered, settled) in [
        (json!(["utf-8", "utf-16"]), Encoding::Utf8),
        (json!(["utf-32", "utf-8"]), Encoding::Utf32),
        (json!(["utf-7", "utf-16"]), Encoding::Utf16),
        (Value::Null, Encoding::Utf16),
    ] {
        let mut editor = editor();
        editor.initialize(json!({"general": {"positionEncodings": offered}}), Value::Null, &[]).await;
        assert_eq!(editor.encoding, settled);
        editor.close().await;
    }
}

/// The real server, without a model.
async fn process() -> Editor {
    let mut editor = Editor::of_process(command());
    let options = json!({"redraft": {"model": {"load": "first-use"}}});
    editor.initialize(capabilities(), options, &[]).await;
    editor
}

#[tokio::test]
async fn exit_codes_are_those_of_the_specification() {
    process().await.close().await;

    let mut abrupt = process().await;
    abrupt.rpc.notify("exit", Value::Null).await;
    assert_eq!(abrupt.ended().await, End::Process(Some(1)));

    let mut unmet = Editor::of_process(command());
    unmet.rpc.notify("exit", Value::Null).await;
    assert_eq!(unmet.ended().await, End::Process(Some(1)));

    let mut closed = process().await;
    closed.rpc.close().await;
    assert_eq!(closed.ended().await, End::Process(Some(1)));
}

#[tokio::test]
async fn requests_out_of_order_are_refused() {
    let mut editor = editor();
    let error = editor.request("textDocument/codeAction", json!({})).await.unwrap_err();
    assert_eq!(error["code"], -32002);
    editor.start().await;
    assert_eq!(editor.request("initialize", json!({"capabilities": {}})).await.unwrap_err()["code"], -32600);
    assert_eq!(editor.request("textDocument/unheardOf", json!({})).await.unwrap_err()["code"], -32601);
    editor.rpc.notify("$/unheardOf", json!({})).await;
    editor.request("shutdown", Value::Null).await.unwrap();
    assert_eq!(editor.request("textDocument/codeAction", json!({})).await.unwrap_err()["code"], -32600);
    editor.rpc.notify("exit", Value::Null).await;
    assert_eq!(editor.ended().await, End::InMemory(Ended::Shutdown));
}

#[tokio::test]
async fn a_broken_message_gets_an_error_and_the_next_one_works() {
    let mut editor = editor();
    editor.start().await;
    let broken: [&[u8]; 5] = [
        b"Content-Length: 9\r\n\r\n{\"broken\"",
        b"Content-Length: 2\r\n\r\n\xff\xfe",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Type: nothing\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
    ];
    for bytes in broken {
        editor.rpc.send_raw(bytes).await;
        let error =
            editor.rpc.claim("error without id", |m| m.get("error").is_some() && m["id"].is_null()).await;
        assert!([-32700, -32600].contains(&error["error"]["code"].as_i64().unwrap()), "{error}");
    }
    let error = editor.request("textDocument/codeAction", json!({"textDocument": 7})).await.unwrap_err();
    assert_eq!(error["code"], -32602);
    editor.open(A, "rust", "fn a() {}\n").await;
    assert!(editor.actions(A, "fn").await.len() == 1);
    editor.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_does_no_harm() {
    let mut editor = editor();
    editor.start().await;
    editor.rpc.send(&json!({"jsonrpc": "2.0", "id": 4711, "result": null})).await;
    editor.rpc.send(&json!({"jsonrpc": "2.0", "id": 4712, "error": {"code": 1, "message": "x"}})).await;
    editor.close().await;
}

#[tokio::test]
async fn a_client_that_lies_is_told_and_nothing_is_applied() {
    let mut editor = editor();
    editor.start().await;
    let change = |uri: &str, version: i64, start: u64, end: u64| {
        let range = json!({"start": {"line": start, "character": 0}, "end": {"line": end, "character": 0}});
        json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"range": range, "text": "x"}]})
    };
    editor.rpc.notify("textDocument/didChange", change("file:///w/never-opened.rs", 2, 0, 0)).await;
    assert!(editor.shown().await.contains("had not opened"));
    editor.rpc.notify("textDocument/didClose", json!({"textDocument": {"uri": "file:///w/never.rs"}})).await;

    editor.open(A, "rust", "fn a() {}\n").await;
    for (version, start, end) in [(2, 7, 7), (3, 1, 0)] {
        editor.rpc.notify("textDocument/didChange", change(A, version, start, end)).await;
    }
    let shown = editor.shown().await;
    assert!(shown.contains("no longer agree") && shown.contains("a.rs"), "{shown}");
    let arguments = json!([{"uri": A, "suggestion": "fn b() {}"}]);
    let params = json!({"command": "redraft.applySuggestion", "arguments": arguments});
    let error = editor.request("workspace/executeCommand", params).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("closed and opened again"), "{error}");
    assert!(editor.shown().await.contains("closed and opened again"));
    editor.close_document(A).await;
    editor.open(A, "rust", "fn a() {}\n").await;
    assert_eq!(editor.actions(A, "fn").await.len(), 1);
    editor.close().await;
}

#[tokio::test]
async fn settings_that_are_not_understood_are_reported() {
    let mut editor = editor();
    let options = json!({"redraft": {"apply": {"streem": "hunks"}, "model": {"threads": "two"}}});
    editor.initialize(capabilities(), options, &[]).await;
    let shown = [editor.shown().await, editor.shown().await].join("\n");
    assert!(shown.contains("redraft.apply.streem") && shown.contains("redraft.model.threads"), "{shown}");
    let settings = json!({"settings": {"redraft": {"apply": {"route": "model", "x": 1}}}});
    editor.rpc.notify("workspace/didChangeConfiguration", settings).await;
    assert!(editor.shown().await.contains("redraft.apply.x"));
    editor.close().await;
}

#[tokio::test]
async fn settings_are_pulled_from_clients_that_answer() {
    let mut editor = editor();
    let mut capabilities = capabilities();
    capabilities["workspace"]["configuration"] = json!(true);
    capabilities["workspace"]["didChangeConfiguration"] = json!({"dynamicRegistration": true});
    editor.initialize(capabilities, Value::Null, &[]).await;
    let registration = editor.asked("client/registerCapability").await;
    assert_eq!(registration["params"]["registrations"][0]["method"], "workspace/didChangeConfiguration");
    editor.rpc.answer(&registration, Value::Null).await;
    let request = editor.asked("workspace/configuration").await;
    assert_eq!(request["params"]["items"][0]["section"], "redraft");
    editor.rpc.answer(&request, json!([{"apply": {"nonsense": 1}}])).await;
    assert!(editor.shown().await.contains("redraft.apply.nonsense"));
    editor.rpc.notify("workspace/didChangeConfiguration", json!({"settings": null})).await;
    let request = editor.asked("workspace/configuration").await;
    editor.rpc.answer(&request, json!([null])).await;
    editor.close().await;
}

#[tokio::test]
async fn clients_of_a_port_have_sessions_of_their_own() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut server = command();
    let mut server = server
        .args(["lsp", "--listen", "127.0.0.1:0"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut line).await.unwrap();
    let address = line.trim().strip_prefix("redraft listens on ").expect(&line).to_owned();
    let options = json!({"redraft": {"model": {"load": "first-use"}}});
    let mut first = Editor::of_port(&address).await;
    let mut second = Editor::of_port(&address).await;
    for editor in [&mut first, &mut second] {
        editor.initialize(capabilities(), options.clone(), &[]).await;
    }
    first.open(A, "rust", "fn a() {}\n").await;
    assert_eq!(first.actions(A, "fn").await.len(), 1);
    second.open(A, "rust", "struct Other;\n").await;
    assert_eq!(second.actions(A, "Other").await.len(), 1);
    first.close().await;
    assert_eq!(second.actions(A, "Other").await.len(), 1, "one that leaves does not end the other");
    second.close().await;
    server.kill().await.unwrap();

    let open = command().args(["lsp", "--listen", "0.0.0.0:0"]).output().await.unwrap();
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("127.0.0.1:PORT"));
}
