//! `redraft bench complete`: completions at many places where it is known what stands there, judged and timed.
//!
//! Each task is asked cold, without anything in the model's cache, and once more with the first character of the answer
//! typed: what the next keystroke costs when nothing was predicted. What other files say comes from the index of the
//! workspace, as in the server.

mod infill;
mod python;
mod score;
mod table;
mod task;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::device::Device;
use redraft_model::worker::{EngineOptions, ModelHandle};
use ropey::Rope;
use serde::Serialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::tasks::read_tasks;
use crate::cli::editor::load_model;
use crate::cli::{Exit, interrupt, print};
use crate::complete::{
    Budget, Completer, Completion, Context, Options, Planned, Query, Rejected, WriteError, Written, write,
};
use crate::index::{Index, IndexOptions};
use infill::{Asking, Infill};
pub(super) use task::{OtherText, Task};

/// The arguments of `redraft bench complete`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// JSON lines, plain or gzipped: {id, language, prefix, suffix, middle?, path?, kind?, files?: [{path, text}]}, or a
    /// file of HumanEval-Infilling as it is
    tasks: PathBuf,
    /// Run only so many tasks, from the beginning
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Run only so many tasks, chosen by chance
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Another number chooses others
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write one JSON line a result
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Run the tests that tasks come with on the completed files. This runs code that the model wrote, without a sandbox:
    /// use a machine or container that has nothing to lose
    #[arg(long)]
    run_tests: bool,
    /// Ask the llama.cpp server at this address (its /infill) the same, alternately
    #[arg(long, value_name = "URL")]
    infill: Option<String>,
    /// Ask cold only
    #[arg(long)]
    cold: bool,
    /// Show the model no other files
    #[arg(long)]
    no_context: bool,
    /// Take the first line of the model's text as it comes, however unsure it is
    #[arg(long)]
    no_guards: bool,
    /// Complete the statement at the cursor and no more
    #[arg(long)]
    one_line: bool,
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
    /// Tokens of other files that are read
    #[arg(long, value_name = "N", default_value_t = Budget::default().others)]
    others: usize,
    /// The model: a name from `redraft model list`, or the path of a GGUF file; fetched if it is not here
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    /// Where the model runs: cpu, cuda, cuda:1 or metal; candle-cpu is the processor with candle's own kernels
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
}

impl Args {
    fn options(&self) -> Options {
        Options {
            multi_line: !self.one_line,
            min_confidence: self.min_confidence,
            max_tokens: self.max_tokens,
            budget: Budget {
                before: self.before,
                after: self.after,
                others: if self.no_context { 0 } else { self.others },
                anchored: !self.no_anchor,
            },
            guards: !self.no_guards,
            // The tasks say where the cursor is.
            comments: true,
            strings: true,
        }
    }
}

/// One result.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    id: String,
    kind: String,
    language: String,
    /// Why nothing is shown.
    nothing: Option<String>,
    confidence: f32,
    #[serde(flatten)]
    judged: Judged,
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
    /// What the other server did.
    infill: Option<Other>,
}

/// A completion and how right it is.
#[derive(Clone, Debug, Default, Serialize)]
struct Judged {
    /// What is shown; nothing if nothing is.
    shown: Option<String>,
    #[serde(flatten)]
    score: Option<score::Score>,
    /// Whether the task's tests pass.
    passed: Option<bool>,
}

/// The result of another server.
#[derive(Clone, Debug, Default, Serialize)]
struct Other {
    #[serde(flatten)]
    judged: Judged,
    cold_first_line: f64,
    warm_first_line: Option<f64>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut tasks: Vec<Task> = read_tasks(&args.tasks, args.limit)?;
    if let Some(count) = args.sample {
        tasks = task::sample(tasks, count, args.seed);
    }
    let cancel = interrupt::token();
    let engine = EngineOptions { device: args.device, ..EngineOptions::default() };
    let model = load_model(&args.model, &engine, &cancel)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let infill = args.infill.as_deref().map(Infill::new);
    let bench = Bench { model, args, options: args.options(), infill, runtime, cancel };
    let mut rows = Vec::new();
    let total = tasks.len();
    for (number, task) in tasks.into_iter().enumerate() {
        match bench.one(&task.in_editor()) {
            Err(error) if matches!(error.downcast_ref(), Some(WriteError::Cancelled)) => break,
            Err(error) => return Err(error),
            Ok(row) => {
                eprintln!("{}/{total} {}", number + 1, table::summary(&row));
                rows.push(row);
            }
        }
    }
    if let Some(path) = &args.out {
        let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
        std::fs::write(path, lines?.join("\n") + "\n")?;
    }
    print(&table::report(&rows))?;
    Ok(if bench.cancel.is_cancelled() { Exit::Cancelled } else { Exit::Done })
}

struct Bench<'a> {
    model: ModelHandle,
    args: &'a Args,
    options: Options,
    infill: Option<Infill>,
    runtime: tokio::runtime::Runtime,
    cancel: CancellationToken,
}

impl Bench<'_> {
    /// One task, cold and with one more key.
    fn one(&self, task: &Task) -> anyhow::Result<Row> {
        let query = task.query();
        let mut session = Session::new(task, &query, self.options)?;
        self.model.forget();
        let started = Instant::now();
        let (result, written) = session.complete(&self.model, &query, &self.cancel)?;
        let cold_seconds = started.elapsed().as_secs_f64();
        let mut row = Row {
            id: task.id.clone(),
            kind: task.kind.clone().unwrap_or_else(|| "-".to_owned()),
            language: task.language.clone(),
            judged: self.judge(task, result.as_ref().ok())?,
            cold_seconds,
            cold_first_line: written.first_line_seconds.unwrap_or(cold_seconds),
            prompt_tokens: written.stats.prompt_tokens,
            tokens: written.stats.tokens,
            forwards: written.stats.forwards,
            drafted: written.stats.drafted,
            accepted: written.stats.accepted,
            ..Row::default()
        };
        match result {
            Ok(completion) => row.confidence = completion.confidence,
            Err(rejected) => {
                if let Rejected::Unsure { confidence } = rejected {
                    row.confidence = confidence;
                }
                row.nothing = Some(rejected.to_string());
            }
        }
        if let Some(infill) = &self.infill {
            let answer = self.runtime.block_on(infill.ask(&task.prefix, &task.suffix, self.asking(false)))?;
            let completion = Completion { text: answer.text, replaces: 0, confidence: 1.0 };
            row.infill = Some(Other {
                judged: self.judge(task, Some(&completion))?,
                cold_first_line: answer.first_line_seconds,
                warm_first_line: None,
            });
        }
        if let Some(key) = task.middle.as_ref().and_then(|middle| middle.chars().next())
            && !self.args.cold
        {
            let mut typed = query.clone();
            typed.text.insert(query.cursor, key);
            typed.cursor += key.len_utf8();
            typed.tree = None;
            session.completer.forget();
            let started = Instant::now();
            let (_, written) = session.complete(&self.model, &typed, &self.cancel)?;
            let seconds = started.elapsed().as_secs_f64();
            row.warm_seconds = Some(seconds);
            row.warm_first_line = Some(written.first_line_seconds.unwrap_or(seconds));
            row.warm_reused = (written.stats.prompt_tokens > 0)
                .then(|| written.stats.cached_tokens as f64 / written.stats.prompt_tokens as f64);
            if let (Some(infill), Some(other)) = (&self.infill, &mut row.infill) {
                let prefix = format!("{}{key}", task.prefix);
                let answer = self.runtime.block_on(infill.ask(&prefix, &task.suffix, self.asking(true)))?;
                other.warm_first_line = Some(answer.first_line_seconds);
            }
        }
        Ok(row)
    }

    fn asking(&self, warm: bool) -> Asking {
        Asking { warm, max_tokens: self.options.max_tokens, one_line: self.args.one_line }
    }

    fn judge(&self, task: &Task, completion: Option<&Completion>) -> anyhow::Result<Judged> {
        let score = task.middle.as_ref().map(|middle| score::score(completion, middle, &task.suffix));
        let passed = match completion {
            Some(completion) if self.args.run_tests => {
                self.runtime.block_on(python::passes(task, &task.completed(completion)))?
            }
            None if self.args.run_tests && task.test.is_some() => Some(false),
            _ => None,
        };
        Ok(Judged { shown: completion.map(|completion| completion.text.clone()), score, passed })
    }
}

/// An editing session of one task: its file is open in a workspace with the others.
struct Session {
    completer: Completer,
    context: Context,
    workspace: Option<Workspace>,
    options: Options,
}

struct Workspace {
    /// Taken away in the end.
    folder: TempDir,
    _cache: TempDir,
    index: Index,
    path: PathBuf,
}

impl Session {
    fn new(task: &Task, query: &Query, options: Options) -> anyhow::Result<Session> {
        let workspace = if task.files.is_empty() || options.budget.others == 0 {
            None
        } else {
            Some(Workspace::new(task, query).context("there is no room for a task's files")?)
        };
        Ok(Session { completer: Completer::default(), context: Context::default(), workspace, options })
    }

    fn complete(
        &mut self,
        model: &ModelHandle,
        query: &Query,
        cancel: &CancellationToken,
    ) -> Result<(Result<Completion, Rejected>, Written), WriteError> {
        let Session { completer, context, workspace, options } = self;
        let others = |query: &Query| match workspace {
            Some(Workspace { folder, index, path, .. }) => {
                let shown = |path: &Path| {
                    path.strip_prefix(folder.path()).unwrap_or(path).to_string_lossy().into_owned()
                };
                context.others(index, Some(path), query, options.budget, shown)
            }
            None => Vec::new(),
        };
        match completer.plan(query, options, others) {
            Planned::Known(known) => Ok((known, Written::default())),
            Planned::Write(plan) => {
                let written = write(model, &plan, false, cancel, &mut |_| {})?;
                Ok((completer.finish(&plan, &written), written))
            }
        }
    }
}

impl Workspace {
    fn new(task: &Task, query: &Query) -> std::io::Result<Workspace> {
        let (folder, cache) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for file in &task.files {
            let path = inside(folder.path(), &file.path)?;
            std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            std::fs::write(path, &file.text)?;
        }
        let path = inside(folder.path(), task.path())?;
        let index = Index::new(IndexOptions { cache: cache.path().to_owned(), max_files: usize::MAX });
        index.set_folders(vec![folder.path().to_owned()]);
        index.buffer_changed(&path, query.language, &Rope::from_str(&query.text), query.tree.as_ref());
        index.wait();
        Ok(Workspace { folder, _cache: cache, index, path })
    }
}

/// A task's path in its folder, and nowhere else.
fn inside(folder: &Path, path: &str) -> std::io::Result<PathBuf> {
    let parts = Path::new(path).components();
    if parts.clone().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Ok(folder.join(parts.as_path()));
    }
    Err(std::io::Error::other(format!("{path} is no path inside of a project")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_files_define_is_found_as_in_the_server() {
        let task: Task = serde_json::from_value(serde_json::json!({
            "id": "a", "language": "rust", "path": "src/a.rs",
            "prefix": "fn f() {\n    make_thing(", "suffix": ");\n}\n",
            "files": [{"path": "src/b.rs", "text": "/// A thing.\npub fn make_thing(size: u32) {\n}\n"}],
        }))
        .unwrap();
        let query = task.query();
        let mut session = Session::new(&task, &query, Options::default()).unwrap();
        let Some(Workspace { folder, index, path, .. }) = &session.workspace else { panic!("a workspace") };
        let shown = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned();
        let found = session.context.others(index, Some(path), &query, Budget::default(), shown);
        let found: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(found, [("src/b.rs", "/// A thing.\npub fn make_thing(size: u32)")]);
        assert!(inside(folder.path(), "../a").is_err() && inside(folder.path(), "/a").is_err());
    }
}
