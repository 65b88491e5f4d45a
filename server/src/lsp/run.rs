//! The server as a process: over standard input and output, or for any number of clients on a local port.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::engine::Engine;
use super::transport::serve;

/// Serves the editor that started this process. Gives the exit code.
pub fn run_stdio(engine: Arc<dyn Engine>) -> io::Result<u8> {
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(tokio::io::stdin(), tokio::io::stdout(), engine));
    // A thread may still be waiting for standard input, or an apply be on its way to notice that it was cancelled.
    runtime.shutdown_background();
    Ok(ended.exit_code())
}

/// Serves clients that connect to a port of this machine, each with a session of its own and all with one model.
/// The address is printed to standard error, which tells the port when 0 was asked for.
pub fn run_listen(address: SocketAddr, engine: &Arc<dyn Engine>) -> io::Result<u8> {
    runtime()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        writeln!(io::stderr(), "redraft listens on {}", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let engine = Arc::clone(engine);
            tokio::spawn(async move {
                let (input, output) = stream.into_split();
                let ended = serve(input, output, engine).await;
                tracing::info!("a client left: {ended:?}");
            });
        }
    })
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("redraft-lsp")
        .enable_all()
        .build()
}
