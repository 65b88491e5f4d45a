//! Tasks in, results out: JSON lines, one row at a time, so that a run that was stopped can be gone on with.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;
use redraft_model::decode::Stats;
use serde::{Deserialize, Serialize};

use crate::apply::{Applied, ApplyError, ApplyRequest};

/// One edit to make, and how it should come out.
#[derive(Debug, Deserialize)]
pub(in crate::cli::bench) struct Task {
    /// The task's name.
    pub(in crate::cli::bench) id: String,
    language: Option<String>,
    path: Option<String>,
    instruction: Option<String>,
    /// The file before the edit.
    pub(in crate::cli::bench) original: String,
    suggestion: String,
    /// The file after it, if that is known.
    pub(in crate::cli::bench) expected: Option<String>,
    style: Option<String>,
}

impl Task {
    /// The task as the pipeline takes it.
    pub(in crate::cli::bench) fn request(&self) -> ApplyRequest {
        ApplyRequest {
            path: self.path.clone(),
            language: self.language.clone(),
            instruction: self.instruction.clone().filter(|text| !text.trim().is_empty()),
            original: self.original.clone(),
            suggestion: self.suggestion.clone(),
        }
    }

    /// The language, for the table.
    pub(in crate::cli::bench) fn language(&self) -> &str {
        self.language.as_deref().unwrap_or("-")
    }

    /// How the suggestion is written, for the table.
    pub(in crate::cli::bench) fn style(&self) -> &str {
        self.style.as_deref().unwrap_or("-")
    }
}

/// One result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) decoder: String,
    /// The edited file; nothing if the suggestion could not be applied at all.
    pub(super) output: Option<String>,
    /// From the texts to the edited text, prefill included.
    pub(super) seconds: f64,
    pub(super) prefill_seconds: f64,
    pub(super) decode_seconds: f64,
    pub(super) prompt_tokens: usize,
    pub(super) cached_tokens: usize,
    pub(super) tokens: usize,
    pub(super) forwards: usize,
    pub(super) drafted: usize,
    pub(super) accepted: usize,
    /// The way taken.
    pub(super) route: Option<String>,
    pub(super) confidence: f64,
    /// Held back for confirmation.
    pub(super) asks: bool,
    pub(super) why: Vec<String>,
    /// Why there is no output.
    pub(super) error: Option<String>,
    /// What the model had written when it was stopped for not coming to an end.
    #[serde(default)]
    pub(super) unfinished: Option<String>,
    /// The model, and the route that was asked for: a run is gone on with only if they are the same.
    pub(super) model: String,
    pub(super) asked_route: String,
}

impl Row {
    /// Takes over what the pipeline says.
    pub(super) fn with(self, result: anyhow::Result<Applied>) -> Row {
        match result {
            Ok(applied) => {
                let stats = applied.stats.unwrap_or_default();
                Row {
                    output: Some(applied.output),
                    route: Some(applied.route.to_string()),
                    confidence: applied.confidence,
                    asks: applied.asks,
                    why: applied.why,
                    ..self.with_stats(&stats)
                }
            }
            Err(error) => {
                let row = Row { error: Some(format!("{error:#}")), asks: true, ..self };
                match error.downcast() {
                    Ok(ApplyError::Endless { written, stats }) => {
                        Row { unfinished: Some(written), ..row.with_stats(&stats) }
                    }
                    _ => row,
                }
            }
        }
    }

    fn with_stats(self, stats: &Stats) -> Row {
        Row {
            prefill_seconds: stats.prefill_seconds,
            decode_seconds: stats.decode_seconds,
            prompt_tokens: stats.prompt_tokens,
            cached_tokens: stats.cached_tokens,
            tokens: stats.tokens,
            forwards: stats.forwards,
            drafted: stats.drafted,
            accepted: stats.accepted,
            ..self
        }
    }

    /// Whether this row answers the same question.
    pub(super) fn is_of(&self, id: &str, decoder: &str, model: &str, asked_route: &str) -> bool {
        (self.id.as_str(), self.decoder.as_str()) == (id, decoder)
            && (self.model.as_str(), self.asked_route.as_str()) == (model, asked_route)
    }
}

/// The file that results are added to, and what an earlier run left in it.
pub(super) struct Results {
    file: Option<File>,
    earlier: Vec<Row>,
}

impl Results {
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Results> {
        let Some(path) = path else { return Ok(Results { file: None, earlier: Vec::new() }) };
        let shown = path.display();
        let cannot = || format!("cannot write {shown}");
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).with_context(cannot)?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
        // A run that was killed may have left half a line; it is cut off and run again.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).with_context(cannot)?;
        let rows = text[..whole].lines().map(serde_json::from_str).collect::<Result<Vec<Row>, _>>();
        let earlier = rows.with_context(|| {
            format!("{shown} is there already and does not hold results; give another file for --out")
        })?;
        Ok(Results { file: Some(file), earlier })
    }

    /// The result of an earlier run.
    pub(super) fn earlier(&self, id: &str, decoder: &str, model: &str, asked_route: &str) -> Option<Row> {
        self.earlier.iter().find(|row| row.is_of(id, decoder, model, asked_route)).cloned()
    }

    pub(super) fn add(&mut self, row: &Row) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(row)? + "\n";
            file.write_all(line.as_bytes()).context("cannot write the results")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Results, Row};
    use std::io::Write;

    #[test]
    fn a_stopped_run_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let row = Row { id: "a".into(), decoder: "d".into(), output: Some("x".into()), ..Row::default() };
        Results::open(Some(&path)).unwrap().add(&row).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"b").unwrap();

        let mut results = Results::open(Some(&path)).unwrap();
        assert_eq!(results.earlier("a", "d", "", ""), Some(row.clone()));
        assert_eq!(results.earlier("a", "d", "other model", ""), None);
        results.add(&Row { id: "b".into(), ..row }).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);

        std::fs::write(&path, "something else\n").unwrap();
        assert!(Results::open(Some(&path)).is_err());
    }
}
