//! `redraft complete`: what the model would write at a place of a file.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::worker::{EngineOptions, ModelHandle};
use ropey::Rope;
use serde_json::json;

use super::editor::load_model;
use super::{Exit, UsageError, interrupt, print};
use crate::complete::{Completer, Completion, Options, Planned, Query, Rejected, WriteError, Written, write};
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
    /// Print {text, replaces, confidence, stats} as JSON
    #[arg(long)]
    json: bool,
    /// Show it however unsure the model is
    #[arg(long)]
    unsure: bool,
    /// The model: a name from `redraft model list`, or the path of a GGUF file; fetched if it is not here
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let query = query(args)?;
    let cancel = interrupt::token();
    let model = load_model(&args.model, &EngineOptions::default(), &cancel)?;
    let min_confidence = if args.unsure { 0.0 } else { Options::default().min_confidence };
    let options = Options { min_confidence, ..Options::default() };
    let (result, written) = match complete(&model, &query, &options, &cancel) {
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
    query: &Query,
    options: &Options,
    cancel: &tokio_util::sync::CancellationToken,
) -> Result<(Result<Completion, Rejected>, Written), WriteError> {
    let mut completer = Completer::default();
    match completer.plan(query, options, |_| Vec::new()) {
        Planned::Known(known) => Ok((known, Written::default())),
        Planned::Write(plan) => {
            let written = write(model, &plan, false, cancel, &mut |_| {})?;
            Ok((completer.finish(&plan, &written), written))
        }
    }
}

fn query(args: &Args) -> anyhow::Result<Query> {
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
    Ok(Query {
        file: shown.to_string(),
        path: shown.to_string(),
        repository: String::new(),
        language,
        cursor: PositionEncoding::Utf32.to_byte(&rope, place),
        tree: language.and_then(|language| language.parse(&text, None)),
        text,
    })
}
