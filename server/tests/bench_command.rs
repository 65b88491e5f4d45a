//! `redraft bench apply` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn tasks() -> String {
    let task = |id: &str, suggestion: &str, expected: &str| {
        serde_json::json!({
            "id": id,
            "language": "rust",
            "style": "search",
            "path": "src/lib.rs",
            "instruction": "",
            "original": "fn one() -> u32 {\n    1\n}\n",
            "suggestion": suggestion,
            "expected": expected,
        })
        .to_string()
    };
    let suggestion = "<<<<<<< SEARCH\n    1\n=======\n    2\n>>>>>>> REPLACE\n";
    let misplaced = "<<<<<<< SEARCH\n    nowhere();\n=======\n    2\n>>>>>>> REPLACE\n";
    let expected = "fn one() -> u32 {\n    2\n}\n";
    [task("right", suggestion, expected), task("failed", misplaced, expected)].join("\n")
}

fn bench(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["bench", "apply", "tasks.jsonl"]).args(args).current_dir(folder).stdin(Stdio::null());
    command.env_remove("REDRAFT_LOG");
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn counts_writes_rows_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.jsonl"), tasks()).unwrap();
    let args = ["--route", "deterministic", "--out", "rows.jsonl"];
    let (code, out, err) = run(&mut bench(folder.path(), &[&args[..], &["--limit", "1"]].concat()));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.lines().any(|line| line.starts_with("all ") && line.contains("100.0")), "{out}");
    assert_eq!(fs::read_to_string(folder.path().join("rows.jsonl")).unwrap().lines().count(), 1);

    let (code, out, err) = run(&mut bench(folder.path(), &args));
    assert_eq!(code, Some(0), "{err}");
    let all = out.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(all.split_whitespace().collect::<Vec<_>>()[..4], ["all", "2", "1", "50.0"]);
    let rows = fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "the first task was not run again");
    assert_eq!(rows[0]["output"], "fn one() -> u32 {\n    2\n}\n");
    assert_eq!((&rows[0]["asks"], &rows[0]["route"]), (&false.into(), &"exact".into()));
    assert!(rows[1]["output"].is_null() && rows[1]["error"].is_string(), "{}", rows[1]);
}

#[test]
fn refuses_what_are_no_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&mut bench(folder.path(), &[]));
    assert_eq!(code, Some(2));
    assert!(err.contains("tasks.jsonl"), "{err}");
    fs::write(folder.path().join("tasks.jsonl"), "{\"id\": 1}\n").unwrap();
    let (code, _, err) = run(&mut bench(folder.path(), &[]));
    assert_eq!(code, Some(2));
    assert!(err.contains("line 1 of tasks.jsonl"), "{err}");
    let (code, _, err) = run(&mut bench(folder.path(), &["--decoder", "magic"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("autoregressive and speculative-edit"), "{err}");
    let (code, _, err) = run(&mut bench(folder.path(), &["--side-by-side", "0"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("--side-by-side"), "{err}");
}

#[test]
fn writes_the_tokens_that_the_engine_would_see() {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.jsonl"), tasks()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["bench", "tokens", "tasks.jsonl", "--out", "tokens.jsonl"]).current_dir(folder.path());
    let (code, out, err) = run(&mut command);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("2 tasks"), "{out}");
    let rows = fs::read_to_string(folder.path().join("tokens.jsonl")).unwrap();
    let row: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    let tokens = |of: &str| serde_json::from_value::<Vec<u32>>(row[of].clone()).unwrap();

    let path = redraft_model::catalogue::locate("qwen2.5-coder-0.5b").unwrap().path;
    let model = redraft_model::gguf::GgufFile::open(&path).unwrap();
    let tokenizer = redraft_model::tokenizer::Tokenizer::from_gguf(model.content()).unwrap();
    let prompt = tokenizer.decode(&tokens("prompt"));
    assert!(prompt.starts_with("<|im_start|>system\nYou apply edits"), "{prompt}");
    assert!(prompt.ends_with("<|im_start|>assistant\n```rust\n"), "{prompt}");
    assert_eq!(tokenizer.decode(&tokens("original")), "fn one() -> u32 {\n    1\n}\n```<|im_end|>");
    assert_eq!(tokenizer.decode(&tokens("answer")), "fn one() -> u32 {\n    2\n}\n```<|im_end|>");

    // What the engine read for the same task.
    let args = ["--route", "model", "--limit", "1", "--out", "rows.jsonl"];
    let (code, _, err) = run(&mut bench(folder.path(), &args));
    assert_eq!(code, Some(0), "{err}");
    let rows = fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let row: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(row["prompt_tokens"].as_u64(), Some(tokens("prompt").len() as u64), "{row}");
}

#[test]
fn both_decoders_give_the_same_text() {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.jsonl"), tasks()).unwrap();
    let args = [
        "--route",
        "model",
        "--limit",
        "1",
        "--decoder",
        "autoregressive,speculative-edit",
        "--out",
        "rows.jsonl",
    ];
    let (code, out, err) = run(&mut bench(folder.path(), &args));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("the decoders' outputs are identical on all 1 tasks"), "{out}");
    let rows = fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["cached_tokens"], 0);
    assert_eq!(rows[1]["cached_tokens"], 0, "the second decoder starts as cold as the first");
    assert_eq!(rows[0]["tokens"], rows[1]["tokens"]);
    assert!(rows[1]["forwards"].as_u64() < rows[0]["forwards"].as_u64(), "{rows:?}");

    let args = ["--route", "model", "--decoder", "autoregressive,speculative-edit", "--side-by-side", "3"];
    let (code, out, err) = run(&mut bench(folder.path(), &args));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("identical on all"), "{out}");
    assert!(out.contains("up to 3 tasks were decoded side by side"), "{out}");
}

#[test]
fn mines_a_history_the_same_way_each_time() {
    let scratch = tempfile::tempdir().unwrap();
    // What is made of an edit depends on the names of the repository and of the commit.
    let folder = scratch.path().join("repository");
    fs::create_dir(&folder).unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        let date = "2026-01-01T00:00:00Z";
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .args(args)
            .current_dir(&folder);
        let (code, _, err) = run(&mut git);
        assert_eq!(code, Some(0), "{err}");
    };
    let rest: String = (0..60).map(|n| format!("fn f{n}() -> u32 {{\n    {n}\n}}\n\n")).collect();
    let long =
        "    let a = 1;\n    let b = a + 1;\n    let c = b * a;\n    let d = c + b;\n    a + b + c + d\n";
    git(&["init", "--quiet", "."]);
    fs::write(folder.join("a.rs"), &rest).unwrap();
    fs::write(folder.join("a.txt"), "one\n".repeat(30)).unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    let after = rest.replacen("    7\n", long, 1);
    fs::write(folder.join("a.rs"), &after).unwrap();
    fs::write(folder.join("a.txt"), "two\n".repeat(30)).unwrap();
    git(&["commit", "--quiet", "-a", "-m", "feat(x): Count further (#12)"]);

    let mine = |out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
        command.args(["bench", "mine", "--repo", ".", "--out", out]).current_dir(&folder);
        let (code, shown, err) = run(&mut command);
        assert_eq!(code, Some(0), "{err}");
        assert!(shown.contains(" tasks in the style"), "{shown}");
        fs::read_to_string(folder.join(out)).unwrap()
    };
    let rows = mine("one.jsonl");
    assert_eq!(rows, mine("two.jsonl"));
    let row: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((&row["original"], &row["expected"]), (&rest.into(), &after.into()));
    assert_eq!((&row["path"], &row["instruction"]), (&"a.rs".into(), &"Count further".into()));
    assert!(long.lines().all(|line| row["suggestion"].as_str().unwrap().contains(line.trim())), "{row}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["bench", "mine", "--repo", "nowhere", "--out", "x.jsonl"]).current_dir(&folder);
    let (code, _, err) = run(&mut command);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("no git repository"), "{err}");
}
