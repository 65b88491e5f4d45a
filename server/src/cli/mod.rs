//! The command line: parses the arguments, sets up logging, runs one subcommand, prints its error.
//!
//! One file a subcommand: each has an `Args` (clap) and `run(&Args) -> anyhow::Result<Exit>`; to add one, add a
//! variant to `Command` and an arm to `run`. A command prints its result with `print`, so that a closed pipe
//! (`redraft model list | head -1`) ends it quietly. Source code of the user is never logged.

mod apply;
mod bench;
mod complete;
mod doctor;
mod editor;
mod exit;
mod index;
mod interrupt;
mod lsp;
mod model;
mod progress;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};
use redraft_model::catalogue::CatalogueError;
use redraft_model::fetch::FetchError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub use exit::{Exit, UsageError};

use crate::log_file;

/// Lands an assistant's suggested edit in a file, rewritten by a small code model that runs on this machine.
#[derive(Parser)]
#[command(name = "redraft", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Apply an assistant's suggestion to a file
    Apply(apply::Args),
    /// Measure the engine, or the landing of edits
    Bench(bench::Args),
    /// Complete the code at a place of a file
    Complete(complete::Args),
    /// Say what this machine is, which models are on it, and whether Redraft can run here
    Doctor(doctor::Args),
    /// Index a folder for completion, or show what a cursor in it would be given as context
    Index(index::Args),
    /// Serve an editor over the Language Server Protocol (also what `redraft` alone does when an editor starts it)
    Lsp(lsp::Args),
    /// List, fetch and check the models that Redraft can run
    Model(model::Args),
}

/// Runs the command line of this process to its end.
pub fn main() -> ExitCode {
    let mut command = Cli::parse().command;
    // An editor starts us with a pipe; a person who types the bare command is better served by the help.
    if command.is_none() && !io::stdin().is_terminal() {
        command = Some(Command::Lsp(lsp::Args::default()));
    }
    start_logging(matches!(command, Some(Command::Lsp(_))));
    run(command).unwrap_or_else(|error| report(&error)).into()
}

fn run(command: Option<Command>) -> anyhow::Result<Exit> {
    match command {
        Some(Command::Apply(args)) => apply::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Complete(args)) => complete::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Index(args)) => index::run(&args),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::Lsp(args)) => lsp::run(&args),
        None => {
            print(&Cli::command().render_help().to_string())?;
            Ok(Exit::Usage)
        }
    }
}

/// Logs go to standard error, filtered by `REDRAFT_LOG` (`debug`, or `redraft_model::fetch=debug,info`); those of the
/// language server also to its file, which says more without being asked.
fn start_logging(serves: bool) {
    let asked = std::env::var("REDRAFT_LOG").unwrap_or_default();
    let known = !asked.is_empty() && EnvFilter::try_new(&asked).is_ok();
    let filter = |otherwise| EnvFilter::new(if known { asked.as_str() } else { otherwise });
    let screen = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let (file, unwritable) = match serves.then(log_file::open) {
        Some(Ok(file)) => (Some(fmt::layer().with_writer(Arc::new(file)).with_ansi(false)), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    tracing_subscriber::registry()
        .with(screen.with_filter(filter("warn")))
        .with(file.map(|file| file.with_filter(filter("warn,redraft_server=info,redraft_model=info"))))
        .init();
    if let Some(error) = unwritable {
        tracing::warn!("there is no log file: {error}");
    }
    if !known && !asked.is_empty() {
        tracing::warn!("REDRAFT_LOG={asked:?} is not a log filter and was ignored; try REDRAFT_LOG=debug");
    }
}

/// Prints the error as plain sentences and says which exit code it stands for.
fn report(error: &anyhow::Error) -> Exit {
    if closed_pipe(error) {
        return Exit::Done;
    }
    // Standard error may be closed as well; there is nobody left to tell then.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    if is_usage(error) { Exit::Usage } else { Exit::Failed }
}

/// Whether what the user typed cannot mean anything, so that nothing was tried.
fn is_usage(error: &anyhow::Error) -> bool {
    let model = error.downcast_ref::<CatalogueError>().or(match error.downcast_ref::<FetchError>() {
        Some(FetchError::Catalogue(inner)) => Some(inner),
        _ => None,
    });
    let no_model =
        matches!(model, Some(CatalogueError::UnknownModel { .. } | CatalogueError::NotAModel { .. }));
    no_model || error.downcast_ref::<UsageError>().is_some()
}

/// Whether the reader of our standard output went away, as `head` does when it has enough.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes a command's result to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A size for people, in the decimal units that disks and downloads are measured in.
pub(crate) fn size_text(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The most memory that this process ever held, where the system tells.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
