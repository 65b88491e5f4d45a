//! Runs a task's tests on a completed file. That is running code that a model wrote: only where it was asked for.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;
use tokio::time::timeout;

use super::task::Task;

/// A program that runs longer has failed.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether the tests pass; nothing where a task has none.
pub(super) async fn passes(task: &Task, completed: &str) -> anyhow::Result<Option<bool>> {
    let (Some(test), Some(entry_point)) = (&task.test, &task.entry_point) else { return Ok(None) };
    let program = format!("{completed}\n{test}\ncheck({entry_point})\n");
    let folder = tempfile::tempdir().context("there is no room for a program")?;
    let file = folder.path().join("program.py");
    std::fs::write(&file, program).context("there is no room for a program")?;
    let python = std::env::var_os("REDRAFT_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    // Isolated from the user's own settings and packages, without an input, silent.
    let running = Command::new(&python)
        .args(["-I", "-B"])
        .arg(&file)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    match timeout(LIMIT, running).await {
        Ok(status) => {
            let status = status.with_context(|| format!("cannot start {}", python.display()))?;
            Ok(Some(status.success()))
        }
        Err(_) => Ok(Some(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_passes_when_its_checks_hold() {
        let task: Task = serde_json::from_value(serde_json::json!({
            "task_id": "a", "prompt": "", "suffix": "", "entry_point": "f",
            "test": "def check(candidate):\n    assert candidate(2) == 4\n",
        }))
        .unwrap();
        for (program, passed) in
            [("def f(x):\n    return 2 * x\n", true), ("def f(x):\n    return x\n", false), ("def f(", false)]
        {
            assert_eq!(passes(&task, program).await.unwrap(), Some(passed), "{program}");
        }
        let untested = Task { test: None, ..task };
        assert_eq!(passes(&untested, "").await.unwrap(), None);
    }
}
