//! The adapter that comes with Redraft, in the real engine: ten edits of ours come out as they were recorded, to the token,
//! by both decoders, and an edit that the merge alone asks about lands where the model writes the same. Run with `REDRAFT_SLOW_TESTS=1`; the model is fetched if it is not there.

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

fn slow_tests() -> bool {
    let wanted = std::env::var("REDRAFT_SLOW_TESTS").as_deref() == Ok("1");
    if !wanted {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
    }
    wanted
}

#[test]
fn ten_edits_come_out_as_they_were_recorded() {
    if !slow_tests() {
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

const COUNTER: &str = r#"use std::collections::HashMap;
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

#[test]
fn an_edit_that_the_merge_asks_about_lands_where_the_model_writes_the_same() {
    if !slow_tests() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, suggestion) = (folder.path().join("clients.rs"), folder.path().join("suggestion.md"));
    fs::write(&file, COUNTER).unwrap();
    fs::write(&suggestion, BOTH_ENDS_OPEN).unwrap();
    let applied = |more: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
        command.arg("apply").arg(&file).arg("--suggestion").arg(&suggestion).arg("--json").args(more);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let merged = applied(&["--route", "deterministic"]);
    let agreed = applied(&["--adapter", "qwen2.5-coder-0.5b-rewrite"]);
    assert_eq!((&merged["asks"], &agreed["asks"]), (&Value::Bool(true), &Value::Bool(false)), "{agreed}");
    assert_eq!(merged["output"], agreed["output"]);
    let wanted = COUNTER.replace("remove(client);\n", "remove(client);\n        self.gone += 1;\n");
    assert_eq!(agreed["output"], wanted.replace("seen.len()", "seen.len() + self.gone"));
}
