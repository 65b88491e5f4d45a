//! The adapter that comes with Redraft, in the real engine: ten edits of ours come out as they were recorded, to the token,
//! by both decoders. Run with `REDRAFT_SLOW_TESTS=1`; the model is fetched if it is not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is recorded of a run: the edited file, and the tokens that were read and written.
fn figures(row: &Value) -> [&Value; 3] {
    ["output", "prompt_tokens", "tokens"].map(|key| &row[key])
}

#[test]
fn ten_edits_come_out_as_they_were_recorded() {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
        return;
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["bench", "apply", "--route", "model", "--adapter", "qwen2.5-coder-0.5b-rewrite"]);
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
