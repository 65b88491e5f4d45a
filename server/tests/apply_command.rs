//! `redraft apply` as a user runs it: the real binary, its output, exit codes, and above all the file afterwards.

#[allow(dead_code, reason = "shared with the tests of the model crate, which use the other half")]
#[path = "../../model/tests/fetch/loopback.rs"]
mod loopback;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use redraft_model::Device;
use redraft_model::catalogue::{DEFAULT_MODEL, Identity, find};

const ORIGINAL: &str = "fn one() -> u32 {\n    1\n}\n\nfn two() -> u32 {\n    1\n}\n";
const SUGGESTION: &str = "Here you go:\n\n```rust\n<<<<<<< SEARCH\nfn two() -> u32 {\n    1\n=======\nfn two() -> u32 {\n    2\n>>>>>>> REPLACE\n```\n";
const EDITED: &str = "fn one() -> u32 {\n    1\n}\n\nfn two() -> u32 {\n    2\n}\n";

/// A folder with a file to edit and a suggestion.
struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

fn place(original: impl AsRef<[u8]>, suggestion: impl AsRef<[u8]>) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lib.rs");
    fs::write(&file, original).unwrap();
    fs::write(folder.path().join("s.md"), suggestion).unwrap();
    Place { folder, file }
}

impl Place {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
        command.arg("apply").args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        // No model is here, and none can be had.
        command.env("REDRAFT_CACHE", self.folder.path().join("cache")).env("REDRAFT_OFFLINE", "1");
        command.env_remove("REDRAFT_LOG");
        command
    }

    /// `redraft apply lib.rs --suggestion s.md`, without the model.
    fn apply(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut all = vec!["lib.rs", "--suggestion", "s.md", "--route", "deterministic"];
        all.extend(args);
        text(&self.command(&all).output().unwrap())
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    /// Nothing but the two files may be in the folder.
    fn is_clean(&self) {
        let mut names: Vec<_> =
            fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lib.rs", "s.md"]);
    }
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn shows_a_diff_and_writes_nothing() {
    let place = place(ORIGINAL, SUGGESTION);
    for args in [&[] as &[&str], &["--diff"]] {
        let (code, out, err) = place.apply(args);
        assert_eq!(code, Some(0), "{err}");
        let wanted =
            "--- a/lib.rs\n+++ b/lib.rs\n@@ -3,5 +3,5 @@\n }\n \n fn two() -> u32 {\n-    1\n+    2\n }\n";
        assert_eq!(out, wanted, "no colours without a terminal");
        assert!(err.contains("+1 -1 lines"), "{err}");
    }
    assert_eq!(place.content(), ORIGINAL);
    place.is_clean();
}

#[test]
fn writes_when_told_to() {
    let place = place(ORIGINAL, SUGGESTION);
    let (code, out, err) = place.apply(&["--write"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("wrote lib.rs: +1 -1 lines"), "{err}");
    assert_eq!(place.content(), EDITED);
    place.is_clean();
}

#[test]
fn says_when_there_is_nothing_to_change() {
    let place = place(EDITED, SUGGESTION.replace("    1\n", "    2\n"));
    let (code, out, err) = place.apply(&["--write"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("nothing to change"), "{err}");
    assert_eq!(place.content(), EDITED);
}

#[test]
fn reads_the_suggestion_from_standard_input() {
    let place = place(ORIGINAL, "");
    let mut child = place
        .command(&["lib.rs", "--suggestion", "-", "--route", "deterministic", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(SUGGESTION.as_bytes()).unwrap();
    let (code, out, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["output"], EDITED);
    assert_eq!(json["asks"], false);
    assert_eq!(json["route"], "exact");
    assert_eq!(place.content(), ORIGINAL);
}

#[test]
fn keeps_byte_order_mark_line_endings_and_missing_final_newline() {
    let original = format!("\u{feff}{}", ORIGINAL.trim_end().replace('\n', "\r\n"));
    let place = place(&original, SUGGESTION);
    let (code, _, err) = place.apply(&["--write"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(place.content(), format!("\u{feff}{}", EDITED.trim_end().replace('\n', "\r\n")));
}

#[cfg(unix)]
#[test]
fn keeps_permissions_and_follows_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = place(ORIGINAL, SUGGESTION);
    fs::set_permissions(&place.file, fs::Permissions::from_mode(0o750)).unwrap();
    let real = place.folder.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::rename(&place.file, real.join("target.rs")).unwrap();
    symlink(real.join("target.rs"), &place.file).unwrap();
    let (code, _, err) = place.apply(&["--write"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(place.file.is_symlink());
    assert_eq!(fs::read_to_string(real.join("target.rs")).unwrap(), EDITED);
    assert_eq!(fs::metadata(real.join("target.rs")).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_dir(&real).unwrap().count(), 1);
}

#[test]
fn an_edit_that_is_held_back_waits_for_yes() {
    // The edit takes a brace away, and the file could no longer be compiled.
    let place = place(ORIGINAL, "<<<<<<< SEARCH\n    1\n}\n\n=======\n    1\n    // more\n>>>>>>> REPLACE\n");
    let (code, out, err) = place.apply(&[]);
    assert_eq!(code, Some(3), "{err}");
    assert!(out.contains("+    // more") && err.contains("held back") && err.contains("--yes"), "{out}{err}");
    let (code, _, err) = place.apply(&["--write"]);
    assert_eq!(code, Some(3));
    assert!(err.contains("was not written") && err.contains("\n  - "), "{err}");
    assert_eq!(place.content(), ORIGINAL);
    let (code, _, err) = place.apply(&["--write", "--yes"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(place.content().contains("    // more\n"));
}

/// The named pipe is opened once the file was read: what is written to the file after that is somebody else's.
#[cfg(unix)]
#[test]
fn does_not_overwrite_what_changed_meanwhile() {
    let place = place(ORIGINAL, "");
    let pipe = place.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = place
        .command(&["lib.rs", "--suggestion", "pipe", "--route", "deterministic", "--write"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let file = place.file.clone();
    std::thread::spawn(move || {
        let mut suggestion = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        fs::write(&file, "theirs\n").unwrap();
        suggestion.write_all(SUGGESTION.as_bytes()).unwrap();
    });
    let (code, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(1));
    assert!(err.contains("changed by another program"), "{err}");
    assert_eq!(place.content(), "theirs\n");
}

/// Runs with this file and suggestion; the file must be as it was, and the error say `wanted`.
fn refused(original: &[u8], suggestion: &[u8], code: i32, wanted: &str) {
    let place = place(original, suggestion);
    for args in [&["--write"] as &[&str], &["--write", "--yes"], &[]] {
        let (found, out, err) = place.apply(args);
        assert_eq!((found, out.as_str()), (Some(code), ""), "{err}");
        assert!(err.starts_with("error: ") && err.contains(wanted), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert_eq!(fs::read(&place.file).unwrap(), original);
        place.is_clean();
    }
}

#[test]
fn refuses_files_that_are_no_utf8_text() {
    refused(b"caf\xe9\n", SUGGESTION.as_bytes(), 2, "not UTF-8 (line 1, offset 3)");
    refused(b"\x7fELF\0\0", SUGGESTION.as_bytes(), 2, "binary file");
    refused(b"\xff\xfea\0\n\0", SUGGESTION.as_bytes(), 2, "UTF-16");
}

#[test]
fn refuses_suggestions_that_say_nothing() {
    refused(ORIGINAL.as_bytes(), b"", 2, "suggestion is empty");
    refused(ORIGINAL.as_bytes(), b" \n\t\n", 2, "suggestion is empty");
    refused(ORIGINAL.as_bytes(), b"caf\xe9", 2, "s.md is not UTF-8");
}

#[test]
fn refuses_paths_that_are_no_file() {
    let place = place(ORIGINAL, SUGGESTION);
    fs::create_dir(place.folder.path().join("src")).unwrap();
    let run = |file: &str, suggestion: &str| {
        text(&place.command(&[file, "--suggestion", suggestion, "--write"]).output().unwrap())
    };
    for (file, suggestion, wanted) in [
        ("gone.rs", "s.md", "gone.rs does not exist"),
        ("src", "s.md", "src is a folder"),
        ("/dev/null", "s.md", "/dev/null is not a regular file"),
        ("lib.rs", "gone.md", "no suggestion at gone.md"),
        ("lib.rs", "src", "src is a folder"),
    ] {
        let (code, out, err) = run(file, suggestion);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
    assert!(!place.folder.path().join("gone.rs").exists());
    assert_eq!(place.content(), ORIGINAL);
}

#[cfg(unix)]
#[test]
fn refuses_to_replace_a_read_only_file() {
    use std::os::unix::fs::PermissionsExt;
    let place = place(ORIGINAL, SUGGESTION);
    fs::set_permissions(&place.file, fs::Permissions::from_mode(0o444)).unwrap();
    let (code, _, err) = place.apply(&["--write"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("lib.rs is read-only"), "{err}");
    assert_eq!(place.content(), ORIGINAL);
    place.is_clean();
}

#[test]
fn says_what_is_wrong_with_the_command_line() {
    let place = place(ORIGINAL, SUGGESTION);
    let run = |args: &[&str]| text(&place.command(args).output().unwrap());
    for (args, wanted) in [
        (&["lib.rs"] as &[&str], "--suggestion"),
        (&["lib.rs", "-s", "s.md", "--write", "--json"], "cannot be used with"),
        (&["lib.rs", "-s", "s.md", "--route", "magic"], "use auto, model or deterministic"),
    ] {
        let (code, _, err) = run(args);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Exit codes:") && out.contains("  3    "), "{out}");
}

/// The real model, where tests that need it are switched on: its cache is the user's.
fn with_model(command: &mut Command) -> Option<&mut Command> {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need the model");
        return None;
    }
    match std::env::var_os("REDRAFT_CACHE") {
        Some(cache) => command.env("REDRAFT_CACHE", cache),
        None => command.env_remove("REDRAFT_CACHE"),
    };
    Some(command.env_remove("REDRAFT_OFFLINE"))
}

#[test]
fn the_model_alone_rewrites_the_file() {
    let place = place(ORIGINAL, SUGGESTION);
    for decoder in ["speculative-edit", "autoregressive"] {
        fs::write(&place.file, ORIGINAL).unwrap();
        let args = ["lib.rs", "-s", "s.md", "--route", "model", "--adapter", "none", "--decoder", decoder];
        let mut command = place.command(&args);
        command.args(["--write", "--yes"]);
        let Some(command) = with_model(&mut command) else { return };
        let (code, _, err) = text(&command.output().unwrap());
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("wrote lib.rs: +1 -1 lines (model"), "{err}");
        assert_eq!(place.content(), EDITED);
    }
}

#[test]
fn what_fits_nowhere_in_a_large_file_is_said_and_not_guessed_at() {
    let original: String =
        (0..600).map(|at| format!("fn number_{at}() -> u32 {{\n    {at}\n}}\n\n")).collect();
    let place = place(&original, SUGGESTION);
    for (route, says) in [("model", "fits nowhere in this file"), ("auto", "is not in the file")] {
        let mut command = place.command(&["lib.rs", "-s", "s.md", "--route", route, "--write", "--yes"]);
        let Some(command) = with_model(&mut command) else { return };
        let (code, _, err) = text(&command.output().unwrap());
        assert_ne!(code, Some(0), "{err}");
        assert!(err.contains(says), "{route}: {err}");
        assert_eq!(place.content(), original);
    }
}

/// The README's first command, which a newcomer sees: the model's edit must land, not be held back.
#[test]
fn the_example_of_the_readme_lands() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/");
    let (file, suggestion) =
        (format!("{examples}inventory.rs"), format!("{examples}inventory.suggestion.md"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(["apply", &file, "--suggestion", &suggestion, "--route", "model"]).stdin(Stdio::null());
    let Some(command) = with_model(&mut command) else { return };
    let (code, out, err) = text(&command.output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("+4 -3 lines (model"), "{err}");
    assert!(out.contains("ok_or(\"too few\")?"), "{out}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_model_and_leaves_the_file() {
    let place = place(ORIGINAL.repeat(60), SUGGESTION);
    let mut command = place.command(&[
        "lib.rs",
        "-s",
        "s.md",
        "--route",
        "model",
        "--decoder",
        "autoregressive",
        "--write",
    ]);
    let Some(command) = with_model(&mut command) else { return };
    let mut child = command.env("REDRAFT_LOG", "redraft_server=info").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let loaded = lines.by_ref().map(Result::unwrap).any(|line| line.contains("loaded"));
    assert!(loaded, "the model was never loaded");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("stopped; lib.rs is unchanged")), "{rest:?}");
    assert_eq!(place.content(), ORIGINAL.repeat(60));
    place.is_clean();
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_fetch_and_leaves_the_file() {
    let place = place(ORIGINAL, SUGGESTION);
    let (began, begun) = std::sync::mpsc::channel();
    let Identity::Known { size, .. } = find(DEFAULT_MODEL).unwrap().identity else { unreachable!() };
    let server = loopback::Server::start(move |request, answer| {
        if request.is_probe() {
            answer.head(206, &format!("Content-Range: bytes 0-0/{size}\r\nContent-Length: 1\r\n"), b"G");
        } else {
            let _ = began.send(());
            answer.stall();
        }
    });
    let mut command = place.command(&["lib.rs", "-s", "s.md", "--route", "model", "--write", "--yes"]);
    command
        .env_remove("REDRAFT_OFFLINE")
        .env("HF_ENDPOINT", &server.url)
        .env("REDRAFT_PYTHON", "no-such-python");
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    begun.recv().unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let (code, _, err) = text(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("stopped; lib.rs is unchanged"), "{err}");
    assert_eq!(place.content(), ORIGINAL);
}

/// A sure edit needs no model; an unsure one that cannot have it is held back, and says that it could not be asked.
#[test]
fn without_a_model_it_does_what_it_can() {
    let place = place(ORIGINAL, SUGGESTION);
    let (code, _, err) = text(&place.command(&["lib.rs", "-s", "s.md", "--write"]).output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    assert!(!err.contains("model"), "{err}");
    assert_eq!(place.content(), EDITED);

    fs::write(&place.file, ORIGINAL).unwrap();
    let (code, _, err) =
        text(&place.command(&["lib.rs", "-s", "s.md", "--route", "model"]).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(err.contains("REDRAFT_OFFLINE"), "{err}");
}

/// Before a model is looked for: there is none here.
#[test]
fn a_device_that_this_build_lacks_is_said_with_what_to_do() {
    let place = place(ORIGINAL, SUGGESTION);
    let lacking = [Device::Cuda(3), Device::Metal].into_iter().filter(|device| device.check_build().is_err());
    for device in lacking.map(|device| device.to_string()) {
        let args = ["lib.rs", "--suggestion", "s.md", "--route", "model", "--device", &device];
        let (code, out, err) = text(&place.command(&args).output().unwrap());
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains(&format!("`{device}`")) && err.contains("--features "), "{err}");
        assert!(err.contains("--device cpu"), "{err}");
        assert_eq!(place.content(), ORIGINAL);
    }
    let (code, _, err) = place.apply(&["--device", "gpu"]);
    assert!(code == Some(2) && err.contains("cuda:1") && err.contains("candle-cpu"), "{err}");
}
