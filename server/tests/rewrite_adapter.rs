//! The adapter that comes with Redraft, in the real engine: ten edits of ours come out as they were recorded, to the token,
//! by both decoders, and what it will have to read is read ahead. Run with `REDRAFT_SLOW_TESTS=1`; the model is fetched if
//! it is not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use redraft_model::fetch::{self, Silent};
use redraft_model::{EngineOptions, ModelHandle, adapters};
use redraft_server::apply::{ApplyOptions, ApplyRequest, Route, apply, prepare};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is recorded of a run: the edited file, and the tokens that were read and written.
fn figures(row: &Value) -> [&Value; 3] {
    ["output", "prompt_tokens", "tokens"].map(|key| &row[key])
}

fn slow() -> bool {
    let slow = std::env::var("REDRAFT_SLOW_TESTS").as_deref() == Ok("1");
    if !slow {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
    }
    slow
}

#[test]
fn ten_edits_come_out_as_they_were_recorded() {
    if !slow() {
        return;
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["bench", "apply", "--route", "model"]);
    command.args(["--decoder", "autoregressive,speculative-edit", "--out"]).arg(&out);
    let done = command.arg(fixtures.join("rewrites.jsonl")).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("the decoders' outputs are identical on all 10 tasks"), "{said}");

    let recorded = rows(&fixtures.join("rewrites.recorded.jsonl"));
    let recorded: BTreeMap<&str, &Value> =
        recorded.iter().map(|row| (row["id"].as_str().unwrap(), row)).collect();
    assert_eq!(recorded.len(), 10);
    let written = rows(&out);
    assert_eq!(written.len(), 20);
    for row in &written {
        let id = row["id"].as_str().unwrap();
        assert_eq!(figures(row), figures(recorded[id]), "{id} by {}", row["decoder"]);
    }
}

#[test]
fn what_an_unsure_edit_has_to_read_is_read_once_the_suggestion_is_there() {
    if !slow() {
        return;
    }
    let path = fetch::ensure("qwen2.5-coder-0.5b", &mut Silent).unwrap();
    let adapter = adapters::Choice::Auto.beside("qwen2.5-coder-0.5b");
    let model = ModelHandle::load(&path, &EngineOptions { adapter, ..EngineOptions::default() }).unwrap();
    let step = |n: usize| format!("fn step_{n}() {{\n    log();\n    run({n});\n    log();\n}}\n\n");
    let request = ApplyRequest {
        path: Some("steps.rs".into()),
        original: (0..12).map(step).collect(),
        suggestion: "    log();\n    check();\n".into(),
        ..ApplyRequest::default()
    };
    let cancel = CancellationToken::new();
    // Of what is read when the edit is made, how much was there.
    let cached = |prepared: &ApplyRequest, route: Route, seconds: u64| {
        model.forget();
        prepare(prepared, route, &model, &cancel);
        std::thread::sleep(Duration::from_secs(seconds));
        let applied = apply(&request, &ApplyOptions::default(), Some(&model), &cancel, &mut |_| {}).unwrap();
        let stats = applied.stats.expect("the merge is not sure");
        (stats.cached_tokens, stats.prompt_tokens)
    };
    let mut seconds = 1;
    loop {
        let (there, all) = cached(&request, Route::Auto, seconds);
        if there + 1 >= all {
            break;
        }
        seconds *= 2;
        assert!(seconds < 60, "{there} of {all} tokens");
    }
    let unknown = ApplyRequest { suggestion: String::new(), ..request.clone() };
    assert_eq!(cached(&unknown, Route::Auto, seconds).0, 0, "what is to be read is not known yet");
    assert_eq!(cached(&request, Route::Deterministic, seconds).0, 0, "the model has nothing to read");
}
