//! `redraft lsp`: the language server, started by an editor.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args as ClapArgs;

use super::exit::{Exit, UsageError};
use crate::lsp::{Engine, LocalEngine, run_listen, run_stdio};

/// The arguments of `redraft lsp`.
#[derive(ClapArgs, Default)]
pub(super) struct Args {
    /// Serve clients that connect to this address of this machine (port 0: any free one) instead of standard input
    #[arg(long, value_name = "ADDRESS", conflicts_with = "stdio")]
    listen: Option<SocketAddr>,
    /// Serve over standard input and output; this is the default, and many editors say so
    #[arg(long)]
    stdio: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    // The message of a panic can hold a part of a file.
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!("a defect: panicked at {place}"),
        None => tracing::error!("a defect: panicked"),
    }));
    tracing::info!("redraft {} serves as process {}", env!("CARGO_PKG_VERSION"), std::process::id());
    let engine: Arc<dyn Engine> = Arc::new(LocalEngine::default());
    let code = match args.listen {
        // Whoever reaches the port can read and change the user's files through the editor.
        Some(address) if !address.ip().is_loopback() => {
            let error = format!("--listen {address} would be open to other machines; use 127.0.0.1:PORT");
            return Err(UsageError(error).into());
        }
        Some(address) => run_listen(address, &engine)?,
        None => run_stdio(engine)?,
    };
    Ok(if code == 0 { Exit::Done } else { Exit::Failed })
}
