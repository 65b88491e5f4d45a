//! `redraft index` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn index(cache: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.arg("index").args(args).env("REDRAFT_CACHE", cache).env_remove("REDRAFT_LOG");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn builds_refreshes_and_shows_what_is_related() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("a.py"), "def greet(name: str) -> str:\n    return name\n").unwrap();
    fs::write(folder.path().join("b.py"), "from a import greet\n\nprint(greet())\n").unwrap();
    let dir = folder.path().to_str().unwrap();
    let run = |args: &[&str]| -> Value {
        let (code, out, err) = index(cache.path(), &[&[dir, "--json"], args].concat());
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    };
    let first = run(&[]);
    assert_eq!((&first["files"], &first["read"]), (&2.into(), &2.into()));
    let again = run(&["--related", "b.py:3:13"]);
    assert_eq!((&again["files"], &again["read"]), (&2.into(), &0.into()));
    assert_eq!(again["related"][0]["text"], "def greet(name: str) -> str:");
    assert_eq!(run(&["--max-files", "1"])["leftOut"], 1);

    let (code, out, _) = index(cache.path(), &[dir, "--related", "b.py:3:13"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("files, ") && out.contains("on disk"), "{out}");
    assert!(out.contains("    def greet(name: str) -> str:"), "{out}");
}

#[test]
fn what_makes_no_sense_is_said() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = folder.path().to_str().unwrap();
    for (args, reason) in [
        (vec!["/no/such/folder"], "is not a folder"),
        (vec![dir, "--related", "b.py"], "is not FILE:LINE:COLUMN"),
        (vec![dir, "--related", "b.py:1:1"], "is not a text file in"),
    ] {
        let (code, _, err) = index(cache.path(), &args);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(reason), "{err}");
    }
}
