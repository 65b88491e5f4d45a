//! `redraft bench tokens`: tasks as the model is asked and as it ought to answer, in tokens.
//!
//! Who trains a model for Redraft learns from these what the engine does with it: prompt, tokenizer and the end of the
//! answer come from the engine itself.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args as ClapArgs;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::gguf::GgufFile;
use redraft_model::prompt::PromptFamily;
use redraft_model::tokenizer::Tokenizer;
use redraft_model::{ModelError, fetch};
use serde_json::json;

use super::apply::rows::Task;
use super::tasks::read_tasks;
use crate::apply::rewrite_tokens;
use crate::cli::progress::ShownFetch;
use crate::cli::{Exit, interrupt, print};

/// The arguments of `redraft bench tokens`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// JSON lines, plain or gzipped, as `redraft bench apply` takes them; those without an expected outcome are left out
    tasks: PathBuf,
    /// Only so many tasks, from the beginning
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Where to write JSON lines {id, prompt, original, answer}: the prompt's tokens, and those of the answers that are
    /// what it shows of the file before and after the edit
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// The model whose tokenizer and prompt are used: a name from `redraft model list`, or the path of a GGUF file
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let tasks: Vec<Task> = read_tasks(&args.tasks, args.limit)?;
    let cancel = interrupt::token();
    let path = fetch::ensure(&args.model, &mut ShownFetch::new(cancel.clone()))?;
    let file = GgufFile::open(&path)?;
    let tokenizer =
        Tokenizer::from_gguf(file.content()).map_err(|error| ModelError::Tokenizer(error.to_string()))?;
    let family = PromptFamily::of_gguf(file.content())
        .with_context(|| format!("{} has a chat template of no known family", args.model))?;
    let cannot = || format!("cannot write {}", args.out.display());
    let mut out = BufWriter::new(File::create(&args.out).with_context(cannot)?);
    let (mut written, mut unreadable, mut unseen) = (0, 0, 0);
    for task in &tasks {
        if cancel.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
        let Some(expected) = &task.expected else { continue };
        let tokens = match rewrite_tokens(&task.request(), expected, family, &tokenizer) {
            Ok(Some(tokens)) => tokens,
            Ok(None) => {
                unseen += 1;
                continue;
            }
            Err(_) => {
                unreadable += 1;
                continue;
            }
        };
        let row = json!({
            "id": task.id, "prompt": tokens.prompt, "original": tokens.original, "answer": tokens.answer,
        });
        writeln!(out, "{row}").with_context(cannot)?;
        written += 1;
    }
    out.flush().with_context(cannot)?;
    print(&format!(
        "{written} tasks; left out: {unreadable} whose suggestion cannot be read, {unseen} whose outcome changes what the model \
         is not shown\n"
    ))?;
    Ok(Exit::Done)
}
