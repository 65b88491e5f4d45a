//! `redraft bench apply`: many edits with known outcomes, counted and timed.
//!
//! Every run starts without anything that an earlier one left in the model's cache, so that the seconds of one decoder
//! are not paid by another.

mod rows;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;
use redraft_model::DecoderKind;

use crate::apply::{ApplyError, Route};
use crate::cli::editor::{EditOptions, Editor, was_cancelled};
use crate::cli::{Exit, interrupt, print};
use rows::{Results, Row, Task};

/// The arguments of `redraft bench apply`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// JSON lines, plain or gzipped: {id, language, path, instruction, original, suggestion, expected?, style?}
    tasks: PathBuf,
    /// Run only so many tasks, from the beginning
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Write one JSON line a result; a run that was stopped goes on where it was when it is given the same file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Run each task with each of these decoders
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "speculative-edit")]
    decoder: Vec<DecoderKind>,
    #[command(flatten)]
    options: EditOptions,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let tasks = rows::read_tasks(&args.tasks, args.limit)?;
    let mut results = Results::open(args.out.as_deref())?;
    let cancel = interrupt::token();
    let mut editor = Editor::new(&args.options, cancel.clone());
    if args.options.route != Route::Deterministic {
        // Before the first task, so that loading counts for none.
        match editor.load(&mut |_| {}) {
            Err(error) if was_cancelled(&error) => return Ok(Exit::Cancelled),
            loaded => loaded?,
        }
    }
    let mut rows = Vec::new();
    'tasks: for (number, task) in tasks.iter().enumerate() {
        for &decoder in &args.decoder {
            let Some(row) = one(task, decoder, args, &mut editor, &mut results)? else { break 'tasks };
            eprintln!(
                "{}/{} {} {} {}: {} in {:.2} s, {:.1} tokens a forward, {:.0} tokens/s",
                number + 1,
                tasks.len(),
                task.id,
                decoder,
                row.route.as_deref().unwrap_or("-"),
                table::word(task, &row),
                row.seconds,
                row.tokens as f64 / row.forwards.max(1) as f64,
                row.tokens as f64 / row.decode_seconds.max(1e-9),
            );
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Ok(Exit::Cancelled);
    }
    let mut text = table::report(&tasks, &rows);
    let disagreements = table::disagreements(&rows);
    if let Some((compared, different)) = &disagreements {
        text += &match different.as_slice() {
            [] => format!("the decoders' outputs are identical on all {compared} tasks\n"),
            ids => {
                format!(
                    "the decoders' outputs DIFFER on {} of {compared} tasks: {}\n",
                    ids.len(),
                    ids.join(", ")
                )
            }
        };
    }
    print(&text)?;
    let agree = disagreements.is_none_or(|(_, different)| different.is_empty());
    Ok(match (cancel.is_cancelled(), agree) {
        (true, _) => Exit::Cancelled,
        (false, true) => Exit::Done,
        (false, false) => Exit::CheckFailed,
    })
}

/// One task with one decoder, run or taken from an earlier run; nothing if the user stopped it.
fn one(
    task: &Task,
    decoder: DecoderKind,
    args: &Args,
    editor: &mut Editor,
    results: &mut Results,
) -> anyhow::Result<Option<Row>> {
    let (name, route) = (decoder.to_string(), args.options.route.to_string());
    let model = args.options.model_name();
    if let Some(row) = results.earlier(&task.id, &name, model, &route) {
        return Ok(Some(row));
    }
    editor.forget();
    let request = task.request();
    let started = Instant::now();
    let result = editor.apply(&request, &args.options.pipeline(decoder), &mut |_| {});
    let seconds = started.elapsed().as_secs_f64();
    match result {
        Err(error) if was_cancelled(&error) => Ok(None),
        // What no task can be run without is no result of this one.
        Err(error) if !error.is::<ApplyError>() => Err(error),
        result => {
            let row = Row {
                id: task.id.clone(),
                decoder: name,
                seconds,
                model: model.to_owned(),
                asked_route: route,
                ..Row::default()
            };
            let row = row.with(result);
            results.add(&row)?;
            Ok(Some(row))
        }
    }
}
