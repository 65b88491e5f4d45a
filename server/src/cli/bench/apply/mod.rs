//! `redraft bench apply`: many edits with known outcomes, counted and timed.
//!
//! Every task starts without anything that an earlier one left in the model's cache, so that the seconds of one decoder
//! are not paid by another; but for tasks decoded side by side, whose seconds are shares of what they took together.

mod plot;
pub(super) mod rows;
mod table;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use clap::Args as ClapArgs;
use redraft_model::{DecoderKind, EngineOptions};

use super::tasks::read_tasks;
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
    /// Draw the outcomes by style as a picture
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Run each task with each of these decoders
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "speculative-edit")]
    decoder: Vec<DecoderKind>,
    /// Decode so many tasks in one forward: the same outputs in less time altogether; a task's seconds are then its
    /// share of the machine's, and no measure of what a user waits
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    side_by_side: NonZeroUsize,
    #[command(flatten)]
    options: EditOptions,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let tasks: Vec<Task> = read_tasks(&args.tasks, args.limit)?;
    let results = Results::open(args.out.as_deref())?;
    let cancel = interrupt::token();
    let engine = EngineOptions { side_by_side: Some(args.side_by_side.get()), ..EngineOptions::default() };
    let mut editor = Editor::new(&args.options, engine, cancel.clone());
    if args.options.route != Route::Deterministic {
        // Before the first task, so that loading counts for none.
        match editor.load(&mut |_| {}) {
            Err(error) if was_cancelled(&error) => return Ok(Exit::Cancelled),
            loaded => loaded?,
        }
    }
    let rows = all(&tasks, args, &editor, results)?;
    if rows.is_empty() {
        return Ok(Exit::Cancelled);
    }
    if let Some(path) = &args.plot {
        std::fs::write(path, plot::svg(&tasks, &rows))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut text = table::report(&tasks, &rows);
    if args.side_by_side > NonZeroUsize::MIN {
        text +=
            &format!("up to {} tasks were decoded side by side: the seconds are shares\n", args.side_by_side);
    }
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

/// Every task with every decoder, as far as the user lets them run, in the order of the tasks.
fn all(tasks: &[Task], args: &Args, editor: &Editor, results: Results) -> anyhow::Result<Vec<Row>> {
    let jobs: Vec<(usize, DecoderKind)> = (0..tasks.len())
        .flat_map(|number| args.decoder.iter().map(move |decoder| (number, *decoder)))
        .collect();
    let (next, results, done) = (AtomicUsize::new(0), Mutex::new(results), Mutex::new(Vec::new()));
    let lane = || -> anyhow::Result<()> {
        let mut editor = editor.clone();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(number, decoder)) = jobs.get(index) else { return Ok(()) };
            let task = &tasks[number];
            match one(task, decoder, args, &mut editor, &results) {
                Ok(Some(row)) => {
                    eprintln!("{}/{} {}", number + 1, tasks.len(), table::summary(task, &row));
                    locked(&done).push((index, row));
                }
                stopped => {
                    next.store(jobs.len(), Ordering::Relaxed);
                    return stopped.map(|_| ());
                }
            }
        }
    };
    let lanes = args.side_by_side.get().min(jobs.len());
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    let mut done = std::mem::take(&mut *locked(&done));
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, row)| row).collect())
}

/// A lane that panicked takes the whole run down; until then its lock is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One task with one decoder, run or taken from an earlier run; nothing if the user stopped it.
fn one(
    task: &Task,
    decoder: DecoderKind,
    args: &Args,
    editor: &mut Editor,
    results: &Mutex<Results>,
) -> anyhow::Result<Option<Row>> {
    let (name, route) = (decoder.to_string(), args.options.route.to_string());
    let model = args.options.model_name();
    if let Some(row) = locked(results).earlier(&task.id, &name, &model, &route) {
        return Ok(Some(row));
    }
    if args.side_by_side == NonZeroUsize::MIN {
        editor.forget();
    }
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
                model,
                asked_route: route,
                ..Row::default()
            };
            let mut row = row.with(result);
            if args.side_by_side > NonZeroUsize::MIN {
                row.seconds = row.prefill_seconds + row.decode_seconds;
            }
            locked(results).add(&row)?;
            Ok(Some(row))
        }
    }
}
