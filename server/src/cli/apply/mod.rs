//! `redraft apply`: one suggestion, one file, on the command line.
//!
//! Without `--write` nothing on disk changes. With it the file is replaced in one step, and only if nobody changed it
//! meanwhile; an edit that was held back is written only with `--yes`.

mod input;
mod replace;
mod show;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::{DecoderKind, EngineOptions};

use super::editor::{EditOptions, Editor, was_cancelled};
use super::{Exit, interrupt, print};
use crate::apply::{Applied, ApplyRequest};
use show::Shown;

/// The arguments of `redraft apply`.
#[derive(ClapArgs)]
#[command(after_help = "\
Exit codes:
  0    the edit was made: shown, or written with --write
  1    it could not be made; standard error says why, the file is unchanged
  2    the command line, the file or the suggestion cannot be used; nothing was tried
  3    an edit was made but held back: look at it, then run again with --yes to accept it
  130  stopped by Ctrl-C, the file is unchanged")]
pub(super) struct Args {
    /// The file to edit
    file: PathBuf,
    /// The suggestion as the assistant gave it, in a file; `-` reads standard input
    #[arg(long, short, value_name = "FILE")]
    suggestion: PathBuf,
    /// What the edit is for, in words; helps the model where the suggestion is unclear
    #[arg(long, short, value_name = "TEXT")]
    instruction: Option<String>,
    /// Write the edited file instead of showing a diff
    #[arg(long, short, conflicts_with_all = ["diff", "json"])]
    write: bool,
    /// Show the edit as a diff (what happens anyway without --write and --json)
    #[arg(long, conflicts_with = "json")]
    diff: bool,
    /// Print the edited text and how it came about as JSON
    #[arg(long)]
    json: bool,
    /// Accept an edit that would be held back for confirmation
    #[arg(long, short)]
    yes: bool,
    /// How the model decodes: autoregressive, or speculative-edit, which gives the same text sooner
    #[arg(long, value_name = "DECODER", default_value_t = DecoderKind::default())]
    decoder: DecoderKind,
    #[command(flatten)]
    options: EditOptions,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let original = input::read_file(&args.file)?;
    let suggestion = input::read_suggestion(&args.suggestion)?;
    // From here on Ctrl-C stops the work; before, it ends the process as it would anyway.
    let cancel = interrupt::token();
    let path = args.file.to_string_lossy().into_owned();
    let request = ApplyRequest {
        language: Language::from_path(&args.file).map(|language| language.name().to_owned()),
        path: Some(path.clone()),
        instruction: args.instruction.clone(),
        original,
        suggestion,
    };
    let mut editor = Editor::new(&args.options, EngineOptions::default(), cancel);
    let shown = Shown::new();
    let applied = editor.apply(&request, &args.options.pipeline(args.decoder), &mut |state| shown.say(state));
    drop(shown);
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) if was_cancelled(&error) => {
            eprintln!("stopped; {path} is unchanged");
            return Ok(Exit::Cancelled);
        }
        Err(error) => return Err(error),
    };
    let held_back = applied.asks && !args.yes;
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&as_json(&path, &applied))?))?;
    } else if !args.write {
        print(&show::diff(&path, &request.original, &applied.output, show::colours()))?;
    } else if !held_back && applied.output != request.original {
        replace::replace(&args.file, &request.original, &applied.output)?;
    }
    report(args, &path, &request.original, &applied, held_back);
    Ok(if held_back { Exit::NeedsConfirmation } else { Exit::Done })
}

/// Says on standard error what was done, and what a person should look at.
fn report(args: &Args, path: &str, original: &str, applied: &Applied, held_back: bool) {
    let (added, removed) = show::counts(original, &applied.output);
    let lines = format!("+{added} -{removed} lines");
    let how = format!("{}, confidence {:.2}", applied.route, applied.confidence);
    if applied.output == original && !held_back {
        eprintln!("{path} is already as the suggestion says; nothing to change");
    } else if args.write && !held_back {
        eprintln!("wrote {path}: {lines} ({how})");
    } else if !args.json && !held_back {
        eprintln!("{lines} ({how}); --write writes it");
    }
    if held_back {
        let unwritten = if args.write { " and was not written" } else { "" };
        eprintln!("held back{unwritten}: {lines} ({how})");
        for reason in &applied.why {
            eprintln!("  - {reason}");
        }
        if applied.output != original {
            eprintln!("look at the diff; --yes accepts it");
        }
    }
}

fn as_json(path: &str, applied: &Applied) -> serde_json::Value {
    serde_json::json!({
        "path": path,
        "output": applied.output,
        "route": applied.route.to_string(),
        "reason": applied.reason,
        "confidence": applied.confidence,
        "asks": applied.asks,
        "why": applied.why,
        "stats": applied.stats.map(|stats| serde_json::json!({
            "prompt_tokens": stats.prompt_tokens,
            "cached_tokens": stats.cached_tokens,
            "tokens": stats.tokens,
            "forwards": stats.forwards,
            "drafted": stats.drafted,
            "accepted": stats.accepted,
            "prefill_seconds": stats.prefill_seconds,
            "decode_seconds": stats.decode_seconds,
        })),
    })
}
