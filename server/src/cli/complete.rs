//! `redraft complete`: what the model would write at a place of a file, knowing what the server would show it of others.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::cache;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::device::Device;
use redraft_model::prompt::OtherFile;
use redraft_model::worker::{EngineOptions, ModelHandle};
use ropey::Rope;
use serde_json::json;

use super::editor::load_model;
use super::{Exit, UsageError, interrupt, print};
use crate::complete::{
    self, Completer, Completion, Options, Planned, Query, Rejected, WriteError, Written, shown_path, write,
};
use crate::index::{Index, IndexOptions};
use crate::session::IndexConfig;
use crate::text::{LineColumn, PositionEncoding};

/// The arguments of `redraft complete`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// The file
    file: PathBuf,
    /// The line of the cursor, counted from 1 as editors show it
    #[arg(long, value_name = "L")]
    line: u32,
    /// The column of the cursor in characters, counted from 1: the cursor stands before that character
    #[arg(long, value_name = "C")]
    column: u32,
    /// The folder whose other files the model may be told of; otherwise the repository that the file is in
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Print {text, replaces, confidence, stats} as JSON
    #[arg(long)]
    json: bool,
    /// Show it however unsure the model is
    #[arg(long)]
    unsure: bool,
    /// The model: a name from `redraft model list`, or the path of a GGUF file; fetched if it is not here
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    /// Where the model runs: cpu, cuda, cuda:1 or metal; candle-cpu is the processor with candle's own kernels
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (folder, path) = places(args)?;
    let query = query(args, &path, folder.as_slice())?;
    let cancel = interrupt::token();
    let engine = EngineOptions { device: args.device, ..EngineOptions::default() };
    let model = load_model(&args.model, &engine, &cancel)?;
    let min_confidence = if args.unsure { 0.0 } else { Options::default().min_confidence };
    let options = Options { min_confidence, ..Options::default() };
    let cache = cache::folder()?.join("index");
    let workspace = folder.map(|folder| Workspace::new(folder, path, cache, &query));
    let (result, written) = match complete(&model, workspace.as_ref(), &query, &options, &cancel) {
        Err(WriteError::Cancelled) => return Ok(Exit::Cancelled),
        done => done?,
    };
    if args.json {
        let completion = result.as_ref().ok();
        let value = json!({
            "text": completion.map(|completion| &completion.text),
            "replaces": completion.map(|completion| completion.replaces),
            "confidence": completion.map(|completion| completion.confidence),
            "nothing": result.as_ref().err().map(ToString::to_string),
            "stats": {
                "promptTokens": written.stats.prompt_tokens,
                "tokens": written.stats.tokens,
                "forwards": written.stats.forwards,
                "prefillSeconds": written.stats.prefill_seconds,
                "decodeSeconds": written.stats.decode_seconds,
            },
        });
        print(&format!("{value}\n"))?;
        return Ok(Exit::Done);
    }
    match result {
        Ok(Completion { text, .. }) => print(&format!("{text}\n"))?,
        Err(rejected) => eprintln!("nothing: {rejected}"),
    }
    Ok(Exit::Done)
}

fn complete(
    model: &ModelHandle,
    workspace: Option<&Workspace>,
    query: &Query,
    options: &Options,
    cancel: &tokio_util::sync::CancellationToken,
) -> Result<(Result<Completion, Rejected>, Written), WriteError> {
    let mut completer = Completer::default();
    let others =
        |query: &Query| workspace.map_or_else(Vec::new, |workspace| workspace.others(query, options));
    match completer.plan(query, options, others) {
        Planned::Known(known) => Ok((known, Written::default())),
        Planned::Write(plan) => {
            let written = write(model, &plan, false, cancel, &mut |_| {})?;
            Ok((completer.finish(&plan, &written), written))
        }
    }
}

/// The other files.
struct Workspace {
    folder: PathBuf,
    /// The file that is completed.
    path: PathBuf,
    index: Index,
}

impl Workspace {
    /// The folder's index, brought up to date.
    fn new(folder: PathBuf, path: PathBuf, cache: PathBuf, query: &Query) -> Workspace {
        let index = Index::new(IndexOptions { cache, max_files: IndexConfig::default().max_files });
        index.set_folders(vec![folder.clone()]);
        index.buffer_changed(&path, query.language, &Rope::from_str(&query.text), query.tree.as_ref());
        index.wait();
        Workspace { folder, path, index }
    }

    /// What the model is told of them.
    fn others(&self, query: &Query, options: &Options) -> Vec<OtherFile> {
        let shown = |path: &Path| shown_path(std::slice::from_ref(&self.folder), path).0;
        complete::Context::default().others(&self.index, Some(&self.path), query, options.budget, shown)
    }
}

/// The folder whose files count, and where the file lies.
fn places(args: &Args) -> anyhow::Result<(Option<PathBuf>, PathBuf)> {
    let shown = args.file.display();
    let path = args.file.canonicalize().with_context(|| format!("cannot read {shown}"))?;
    let Some(folder) = &args.workspace else {
        let repository = path.ancestors().skip(1).find(|folder| folder.join(".git").exists());
        return Ok((repository.map(Path::to_owned), path));
    };
    let folder = folder.canonicalize().ok().filter(|folder| path.starts_with(folder) && folder.is_dir());
    let Some(folder) = folder else {
        let problem = format!("--workspace is not a folder that {shown} is in");
        return Err(UsageError(problem).into());
    };
    Ok((Some(folder), path))
}

fn query(args: &Args, path: &Path, workspace: &[PathBuf]) -> anyhow::Result<Query> {
    let shown = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{shown} is not UTF-8 text"))?;
    let rope = Rope::from_str(&text);
    let lines = rope.len_lines();
    if args.line == 0 || args.line as usize > lines {
        return Err(
            UsageError(format!("--line {} is not in {shown}: it has lines 1 to {lines}", args.line)).into()
        );
    }
    let length = rope.line(args.line as usize - 1).to_string().trim_end_matches(['\n', '\r']).chars().count();
    if args.column == 0 || args.column as usize > length + 1 {
        let problem = format!(
            "--column {} is not in line {}: it has columns 1 to {}",
            args.column,
            args.line,
            length + 1
        );
        return Err(UsageError(problem).into());
    }
    let place = LineColumn { line: args.line - 1, column: args.column - 1 };
    let language = Language::from_path(&args.file);
    let (path, repository) = shown_path(workspace, path);
    Ok(Query {
        file: shown.to_string(),
        path,
        repository,
        language,
        cursor: PositionEncoding::Utf32.to_byte(&rope, place),
        tree: language.and_then(|language| language.parse(&text, None)),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_model_is_told_of_the_repository_or_the_folder_that_is_named() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("app/src")).unwrap();
        fs::write(root.join("paint.rs"), "pub fn mix(of: u8) {}\n").unwrap();
        fs::write(root.join("app/src/paint.rs"), "pub fn mix(near: u8) {}\n").unwrap();
        fs::write(root.join("app/src/main.rs"), "fn main() {\n    mix();\n}\n").unwrap();
        let args = |workspace: Option<&str>| Args {
            file: root.join("app/src/main.rs"),
            line: 2,
            column: 9,
            workspace: workspace.map(|folder| root.join(folder)),
            json: false,
            unsure: false,
            model: String::new(),
            device: Device::Cpu,
        };
        let told = |args: &Args| {
            let (folder, path) = places(args).unwrap();
            let query = query(args, &path, folder.as_slice()).unwrap();
            let workspace = Workspace::new(folder?, path, cache.path().to_owned(), &query);
            let others = workspace.others(&query, &Options::default());
            Some((query.path, others.into_iter().map(|other| other.path).collect::<Vec<_>>()))
        };
        let some = |path: &str, others: &[&str]| {
            Some((path.to_owned(), others.iter().map(|other| (*other).to_owned()).collect::<Vec<_>>()))
        };
        assert_eq!(told(&args(Some("app"))), some("src/main.rs", &["src/paint.rs"]));
        assert_eq!(told(&args(Some("."))), some("app/src/main.rs", &["paint.rs", "app/src/paint.rs"]));
        fs::create_dir(root.join("app/.git")).unwrap();
        assert_eq!(told(&args(None)), some("src/main.rs", &["src/paint.rs"]));
        fs::create_dir(root.join("other")).unwrap();
        assert!(places(&args(Some("other"))).unwrap_err().to_string().contains("is not a folder that"));
    }
}
