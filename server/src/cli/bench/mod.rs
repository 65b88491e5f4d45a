//! `redraft bench`: what this machine does with a model, measured.

mod apply;
mod complete;
mod cut;
mod engine;
mod mine;
mod random;
mod svg;
mod tasks;
mod tokens;
mod typing;

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
    /// Complete code in many places where it is known what stands there: how much comes out right, and how fast
    Complete(complete::Args),
    /// Cut tasks for `bench complete` out of the sources in a folder
    Cut(cut::Args),
    /// Type a part of a file into the server, key by key: what is shown, what of it is right, and when
    Type(typing::Args),
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
        Command::Complete(args) => complete::run(args),
        Command::Cut(args) => cut::run(args),
        Command::Type(args) => typing::run(args),
        Command::Engine(args) => engine::run(args),
        Command::Mine(args) => mine::run(args),
        Command::Tokens(args) => tokens::run(args),
    }
}
