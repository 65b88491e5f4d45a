//! `redraft bench`: what this machine does with a model, measured.

mod apply;
mod engine;
mod mine;
mod svg;
mod tokens;

use clap::{Args as ClapArgs, Subcommand};

use super::Exit;

/// The arguments of `redraft bench`.
#[derive(ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply many suggestions with known outcomes: how many come out right, and how fast
    Apply(apply::Args),
    /// Measure loading, memory, forwards of 1 to 512 tokens at several context lengths, and plain decoding
    Engine(engine::Args),
    /// Make tasks of the edits in git histories
    Mine(mine::Args),
    /// Write tasks as the tokens of prompt and right answer, to train a model on
    Tokens(tokens::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Apply(args) => apply::run(args),
        Command::Engine(args) => engine::run(args),
        Command::Mine(args) => mine::run(args),
        Command::Tokens(args) => tokens::run(args),
    }
}
