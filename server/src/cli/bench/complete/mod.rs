//! `redraft bench complete`: completions at many places where it is known what stands there, judged and timed.
//!
//! Each task is asked cold, without anything in the model's cache, and once more with the first character of the answer
//! typed: what the next keystroke costs when nothing was predicted.

mod score;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::prompt::OtherFile;
use redraft_model::worker::{EngineOptions, ModelHandle};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::tasks::read_tasks;
use crate::cli::editor::load_model;
use crate::cli::{Exit, interrupt, print};
use crate::complete::{
    Budget, Completer, Completion, Options, Planned, Query, Rejected, Source, WriteError, Written, related,
    write,
};

/// The arguments of `redraft bench complete`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// JSON lines, plain or gzipped: {id, language, prefix, suffix, middle?, path?, kind?, files?: [{path, text}]}
    tasks: PathBuf,
    /// Run only so many tasks, from the beginning
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Write one JSON line a result
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the model no other files
    #[arg(long)]
    no_context: bool,
    /// Take the first line of the model's text as it comes, however unsure it is
    #[arg(long)]
    no_guards: bool,
    /// Let the hole begin at the cursor instead of the line's beginning: every key has the rest of the file read again
    #[arg(long)]
    no_anchor: bool,
    /// How sure the model must be, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().min_confidence)]
    min_confidence: f32,
    /// Most tokens of one completion
    #[arg(long, value_name = "N", default_value_t = Options::default().max_tokens)]
    max_tokens: usize,
    /// Tokens of the file that are read before the cursor
    #[arg(long, value_name = "N", default_value_t = Budget::default().before)]
    before: usize,
    /// Tokens of the file that are read after the cursor
    #[arg(long, value_name = "N", default_value_t = Budget::default().after)]
    after: usize,
    /// The model: a name from `redraft model list`, or the path of a GGUF file; fetched if it is not here
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
}

/// A hole in a file, and what stands in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) language: String,
    #[serde(default)]
    pub(super) path: Option<String>,
    /// What kind of hole it is, for the table.
    #[serde(default)]
    pub(super) kind: Option<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
    #[serde(default)]
    pub(super) middle: Option<String>,
    /// Other files of the same project.
    #[serde(default)]
    pub(super) files: Vec<OtherText>,
}

/// Another file of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OtherText {
    pub(super) path: String,
    pub(super) text: String,
}

/// One result.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    id: String,
    kind: String,
    language: String,
    /// What is shown; nothing if nothing is.
    shown: Option<String>,
    /// Why nothing is.
    nothing: Option<String>,
    confidence: f32,
    #[serde(flatten)]
    score: Option<score::Score>,
    cold_seconds: f64,
    cold_first_line: f64,
    warm_seconds: Option<f64>,
    warm_first_line: Option<f64>,
    warm_reused: Option<f64>,
    prompt_tokens: usize,
    tokens: usize,
    forwards: usize,
    drafted: usize,
    accepted: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let tasks: Vec<Task> = read_tasks(&args.tasks, args.limit)?;
    let cancel = interrupt::token();
    let model = load_model(&args.model, &EngineOptions::default(), &cancel)?;
    let mut rows = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        match one(&model, task, args, &cancel) {
            Err(WriteError::Cancelled) => break,
            Err(error) => return Err(error.into()),
            Ok(row) => {
                eprintln!("{}/{} {}", number + 1, tasks.len(), table::summary(&row));
                rows.push(row);
            }
        }
    }
    if let Some(path) = &args.out {
        let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
        std::fs::write(path, lines?.join("\n") + "\n")?;
    }
    print(&table::report(&rows))?;
    Ok(if cancel.is_cancelled() { Exit::Cancelled } else { Exit::Done })
}

/// One task, cold and with one more key.
fn one(model: &ModelHandle, task: &Task, args: &Args, cancel: &CancellationToken) -> Result<Row, WriteError> {
    let language = Language::by_name(&task.language);
    let text = [task.prefix.as_str(), &task.suffix].concat();
    let query = Query {
        file: task.id.clone(),
        path: task.path.clone().unwrap_or_else(|| "file".to_owned()),
        repository: String::new(),
        language,
        tree: language.and_then(|language| language.parse(&text, None)),
        text,
        cursor: task.prefix.len(),
    };
    let options = Options {
        min_confidence: args.min_confidence,
        max_tokens: args.max_tokens,
        budget: Budget {
            before: args.before,
            after: args.after,
            anchored: !args.no_anchor,
            ..Budget::default()
        },
        guards: !args.no_guards,
        // The tasks say where the cursor is.
        comments: true,
        strings: true,
        ..Options::default()
    };
    let sources = if args.no_context { Vec::new() } else { sources(task) };
    let others = |query: &Query| related(query, &sources, options.budget.other_bytes());
    model.forget();
    let mut completer = Completer::default();
    let started = Instant::now();
    let (result, written) = complete(&mut completer, model, &query, &options, others, cancel)?;
    let cold_seconds = started.elapsed().as_secs_f64();
    let mut row = Row {
        id: task.id.clone(),
        kind: task.kind.clone().unwrap_or_else(|| "-".to_owned()),
        language: task.language.clone(),
        cold_seconds,
        cold_first_line: written.first_line_seconds.unwrap_or(cold_seconds),
        prompt_tokens: written.stats.prompt_tokens,
        tokens: written.stats.tokens,
        forwards: written.stats.forwards,
        drafted: written.stats.drafted,
        accepted: written.stats.accepted,
        ..Row::default()
    };
    if let Some(middle) = &task.middle {
        row.score = Some(score::score(result.as_ref().ok(), middle, &task.suffix));
        if let Some(key) = middle.chars().next() {
            let mut typed = query.clone();
            typed.text.insert(query.cursor, key);
            typed.cursor += key.len_utf8();
            typed.tree = None;
            completer.forget();
            let started = Instant::now();
            let (_, written) = complete(&mut completer, model, &typed, &options, others, cancel)?;
            let seconds = started.elapsed().as_secs_f64();
            row.warm_seconds = Some(seconds);
            row.warm_first_line = Some(written.first_line_seconds.unwrap_or(seconds));
            row.warm_reused = (written.stats.prompt_tokens > 0)
                .then(|| written.stats.cached_tokens as f64 / written.stats.prompt_tokens as f64);
        }
    }
    match result {
        Ok(completion) => {
            row.confidence = completion.confidence;
            row.shown = Some(completion.text);
        }
        Err(rejected) => {
            if let Rejected::Unsure { confidence } = rejected {
                row.confidence = confidence;
            }
            row.nothing = Some(rejected.to_string());
        }
    }
    Ok(row)
}

fn complete(
    completer: &mut Completer,
    model: &ModelHandle,
    query: &Query,
    options: &Options,
    others: impl FnOnce(&Query) -> Vec<OtherFile>,
    cancel: &CancellationToken,
) -> Result<(Result<Completion, Rejected>, Written), WriteError> {
    match completer.plan(query, options, others) {
        Planned::Known(known) => Ok((known, Written::default())),
        Planned::Write(plan) => {
            let written = write(model, &plan, false, cancel, &mut |_| {})?;
            Ok((completer.finish(&plan, &written), written))
        }
    }
}

/// A task's other files.
fn sources(task: &Task) -> Vec<Source> {
    let source = |file: &OtherText| {
        let language = Language::from_path(&file.path)?;
        let tree = language.parse(&file.text, None)?;
        Some(Source { path: file.path.clone(), text: file.text.clone(), language, tree })
    };
    task.files.iter().filter_map(source).collect()
}
