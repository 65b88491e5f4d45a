//! The real server with real weights, over standard input and output. Run with `REDRAFT_SLOW_TESTS=1` and the models
//! `qwen2.5-coder-0.5b` and `smollm2-135m` fetched (`redraft model fetch NAME`).

use redraft_tests::editor::{Editor, capabilities, command, slow};
use redraft_tests::sample::{EXPECTED, ORIGINAL, SNIPPET};
use serde_json::{Value, json};

const A: &str = "file:///w/counter.rs";

/// A server whose model writes every file. It must not ask to fetch: a test that downloads is not what was wanted.
async fn editor(model: &str, stream: &str) -> Editor {
    let mut editor = Editor::of_process(command());
    let options = json!({"redraft": {
        "model": {"name": model, "fetch": "never"},
        "apply": {"route": "model", "stream": stream},
    }});
    editor.initialize(capabilities(), options, &[]).await;
    editor
}

/// The small model, and a file open that takes it a while to write; gives the file's text.
async fn editor_of_long_file() -> (Editor, String) {
    let mut editor = editor("smollm2-135m", "off").await;
    let long: String =
        (0..60).map(|n| format!("pub fn helper_{n}(x: u32) -> u32 {{\n    x * {n}\n}}\n\n")).collect();
    editor.open(A, "rust", &long).await;
    (editor, long)
}

fn apply(suggestion: &str) -> Value {
    let arguments = json!([{"uri": A, "suggestion": suggestion}]);
    json!({"command": "redraft.applySuggestion", "arguments": arguments, "workDoneToken": "t"})
}

#[tokio::test]
async fn the_model_rewrites_a_file_with_a_pasted_snippet() {
    if !slow() {
        return;
    }
    let mut editor = editor("qwen2.5-coder-0.5b", "off").await;
    editor.open(A, "rust", &format!("{ORIGINAL}\n{SNIPPET}")).await;
    let actions = editor.actions(A, SNIPPET).await;
    let id = editor.rpc.start("codeAction/resolve", actions[0].clone()).await;
    let token = editor.progress_created().await;
    editor.progress(&token, "report", "tokens/s").await;
    let edit = editor.rpc.response(id).await.unwrap()["edit"].clone();
    assert_eq!(edit["documentChanges"][0]["textDocument"]["version"], 1);
    let edits = edit["documentChanges"][0]["edits"].as_array().unwrap();
    assert_eq!(edits.len(), 3, "two lines and the snippet taken out: {edits:?}");
    assert!(editor.apply(&edit).await);
    assert_eq!(editor.text(A), EXPECTED);
    editor.ignore_progress();
    editor.close().await;
}

#[tokio::test]
async fn the_model_does_what_a_comment_of_the_suggestion_asks_for() {
    if !slow() {
        return;
    }
    let case = |name: &str, fields: &str, area: &str| {
        let low = name.to_lowercase();
        format!(
            "        Shape::{name} {{ {fields} }} => {{\n            println!(\"{low}\");\n            {area}\n        }}\n"
        )
    };
    let circle = case("Circle", "radius", "radius * radius * PI");
    let others = [
        case("Square", "side", "side * side"),
        case("Rectangle", "width, height", "width * height"),
        case("Triangle", "base, height", "base * height / 2.0"),
    ];
    let head = "fn area(shape: &Shape) -> f64 {\n    match shape {\n";
    let main = "\nfn main() {\n    println!(\"{}\", area(&Shape::Circle { radius: 1.0 }));\n}\n";
    let original = format!("{head}{circle}{}    }}\n}}\n{main}", others.concat());
    let changed = |text: &str| text.replace("println!", "log::debug!");
    let demand = "// same for the other three cases";
    let suggestion = format!("{head}{}        {demand}\n    }}\n}}\n", changed(&circle));
    let mut editor = Editor::of_process(command());
    let options = json!({"redraft": {"model": {"name": "qwen2.5-coder-0.5b", "fetch": "never"}}});
    editor.initialize(capabilities(), options, &[]).await;
    editor.ignore_progress();
    editor.open(A, "rust", &original).await;
    let id = editor.rpc.start("workspace/executeCommand", apply(&suggestion)).await;
    let request = editor.asked("workspace/applyEdit").await;
    let edit = &request["params"]["edit"];
    let annotation = &edit["changeAnnotations"]["redraft"];
    assert_eq!(annotation["needsConfirmation"], true, "{edit}");
    assert!(annotation["description"].as_str().unwrap().contains(demand), "{edit}");
    assert!(editor.apply(edit).await);
    editor.rpc.answer(&request, json!({"applied": true})).await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), format!("{}{main}", changed(original.strip_suffix(main).unwrap())));
    editor.close().await;
}

#[tokio::test]
async fn hunks_land_while_the_model_writes() {
    if !slow() {
        return;
    }
    let mut editor = editor("qwen2.5-coder-0.5b", "hunks").await;
    editor.ignore_progress();
    // The rest of the file is long enough that the edit is settled well before its end.
    let tail: String = (0..40).map(|n| format!("\npub fn helper_{n}() -> u32 {{\n    {n}\n}}\n")).collect();
    editor.open(A, "rust", &format!("{ORIGINAL}{tail}")).await;
    let id = editor.rpc.start("workspace/executeCommand", apply(SNIPPET)).await;
    editor.obey().await;
    assert_eq!(editor.text(A), format!("{EXPECTED}{tail}"));
    // Typing goes on behind the place where the model is.
    editor.replace(A, "helper_39", "helper_last").await;
    let answer = loop {
        // The model may stumble further down; then the guard asks, and the user declines.
        let message = editor
            .rpc
            .claim("answer, edit or question", |message| {
                message["id"] == id && message.get("method").is_none()
                    || message["method"] == "window/showMessageRequest"
                    || message["method"] == "workspace/applyEdit"
            })
            .await;
        match message["method"].as_str() {
            None => break message,
            Some("workspace/applyEdit") => {
                let applied = editor.apply(&message["params"]["edit"]).await;
                editor.rpc.answer(&message, json!({ "applied": applied })).await;
            }
            Some(_) => editor.rpc.answer(&message, json!({"title": "Apply"})).await,
        }
    };
    assert_eq!(answer["result"]["applied"], true, "{answer}");
    let stats = &answer["result"]["stats"];
    let count = |name: &str| stats[name].as_u64().unwrap();
    assert!(count("forwards") * 4 < count("tokens"), "the file is the draft: {stats}");
    assert_eq!(editor.text(A), format!("{EXPECTED}{tail}").replace("helper_39", "helper_last"));
    editor.close().await;
}

#[tokio::test]
async fn the_model_stops_when_cancelled_and_the_next_apply_works() {
    if !slow() {
        return;
    }
    let (mut editor, long) = editor_of_long_file().await;
    let suggestion = "pub fn helper_30(x: u32) -> u32 {\n    x * 30 + 1\n}\n";
    for by_progress in [true, false] {
        let id = editor.rpc.start("workspace/executeCommand", apply(suggestion)).await;
        editor.progress(&json!("t"), "report", "tokens").await;
        // Other requests are answered while the model is at work.
        assert_eq!(editor.actions(A, "x * 5\n").await.len(), 1);
        if by_progress {
            editor.rpc.notify("window/workDoneProgress/cancel", json!({"token": "t"})).await;
        } else {
            editor.rpc.notify("$/cancelRequest", json!({"id": id})).await;
        }
        assert_eq!(editor.rpc.response(id).await.unwrap_err()["code"], -32800);
        editor.progress(&json!("t"), "end", "").await;
        assert_eq!(editor.text(A), long);
    }
    let settings = json!({"settings": {"redraft": {"apply": {"route": "deterministic"}}}});
    editor.rpc.notify("workspace/didChangeConfiguration", settings).await;
    let id = editor.rpc.start("workspace/executeCommand", apply(suggestion)).await;
    editor.obey().await;
    assert_eq!(editor.rpc.response(id).await.unwrap()["applied"], true);
    assert_eq!(editor.text(A), long.replace("    x * 30\n", "    x * 30 + 1\n"));
    editor.ignore_progress();
    editor.close().await;
}

#[tokio::test]
async fn closing_the_editor_while_the_model_writes_ends_the_server() {
    if !slow() {
        return;
    }
    let (mut editor, _) = editor_of_long_file().await;
    editor.rpc.start("workspace/executeCommand", apply("pub fn helper_30() {}\n")).await;
    editor.progress(&json!("t"), "report", "tokens").await;
    editor.ignore_progress();
    editor.rpc.close().await;
    editor.ended().await;
}

#[tokio::test]
async fn the_model_completes_what_is_being_typed_and_what_is_typed_through() {
    if !slow() {
        return;
    }
    let mut editor = editor("qwen2.5-coder-0.5b", "off").await;
    editor.open(A, "rust", ORIGINAL).await;
    // An apply waits until the model is loaded; a completion does not.
    let id = editor.rpc.start("workspace/executeCommand", apply(SNIPPET)).await;
    editor.obey().await;
    editor.rpc.response(id).await.unwrap();
    for (typed, left) in [("        self.co", "unt"), ("        self.cou", "nt")] {
        let before = if left == "unt" { "        self.count\n" } else { "        self.co\n" };
        editor.replace(A, before, &format!("{typed}\n")).await;
        let position = editor.range_of(A, &format!("{typed}\n"))["start"].clone();
        let position = json!({
            "line": position["line"], "character": position["character"].as_u64().unwrap() + typed.len() as u64,
        });
        let params = json!({"textDocument": {"uri": A}, "position": position, "context": {"triggerKind": 1}});
        let answer = editor.request("textDocument/inlineCompletion", params).await.unwrap();
        assert_eq!(answer["items"][0]["insertText"], left, "{answer}");
    }
    editor.ignore_progress();
    editor.close().await;
}

const LIMITER: &str = r#"use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Counts requests in a sliding window.
pub struct RateLimiter {
    window: Duration,
    limit: usize,
    seen: HashMap<String, Vec<Instant>>,
}

impl RateLimiter {
    pub fn new(window: Duration, limit: usize) -> Self {
        RateLimiter { window, limit, seen: HashMap::new() }
    }

    /// Whether `client` may go on.
    pub fn allow(&mut self, client: &str) -> bool {
        let now = Instant::now();
        let times = self.seen.entry(client.to_string()).or_default();
        times.retain(|time| now - *time < self.window);
        if times.len() >= self.limit {
            return false;
        }
        times.push(now);
        true
    }

    /// Forgets a client.
    pub fn forget(&mut self, client: &str) {
        self.seen.remove(client);
    }

    pub fn clients(&self) -> usize {
        self.seen.len()
    }
}
"#;

const BOTH_ENDS_OPEN: &str = "
    // ... existing code ...
        self.seen.remove(client);
        self.gone += 1;
    // ... existing code ...
    pub fn clients(&self) -> usize {
        self.seen.len() + self.gone
    }
";

/// An edit that the merge is not sure of, by a server with these settings: whether it is asked about, and the text.
async fn asked_about(options: Value) -> (bool, String) {
    let mut editor = Editor::of_process(command());
    editor.initialize(capabilities(), json!({"redraft": options}), &[]).await;
    editor.ignore_progress();
    editor.open(A, "rust", LIMITER).await;
    let id = editor.rpc.start("workspace/executeCommand", apply(BOTH_ENDS_OPEN)).await;
    let request = editor.asked("workspace/applyEdit").await;
    let edit = &request["params"]["edit"];
    let asked = edit["changeAnnotations"]["redraft"]["needsConfirmation"] == true;
    assert!(editor.apply(edit).await);
    editor.rpc.answer(&request, json!({"applied": true})).await;
    editor.rpc.response(id).await.unwrap();
    let text = editor.text(A).to_string();
    editor.close().await;
    (asked, text)
}

#[tokio::test]
async fn an_edit_that_is_asked_about_lands_where_the_model_writes_the_same_by_itself() {
    if !slow() {
        return;
    }
    let model = |adapter: &str| {
        let model = json!({"name": "qwen2.5-coder-0.5b", "fetch": "never", "adapter": adapter});
        json!({"model": model})
    };
    let wanted = LIMITER.replace("remove(client);\n", "remove(client);\n        self.gone += 1;\n");
    let wanted = wanted.replace("seen.len()", "seen.len() + self.gone");
    let merged = asked_about(json!({"apply": {"route": "deterministic"}})).await;
    assert_eq!(merged, (true, wanted.clone()), "by the merge alone");
    let untuned = asked_about(model("none")).await;
    assert_eq!(untuned, (true, wanted.clone()), "the untuned model votes");
    assert_eq!(
        asked_about(model("auto")).await,
        (false, wanted),
        "the adapter is its own unless it is taken away"
    );
}
