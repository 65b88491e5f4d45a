//! Ctrl-C: the first one asks the running command to stop and clean up, the second one ends the process.

use tokio_util::sync::CancellationToken;

use super::Exit;

/// A token that Ctrl-C cancels.
pub(crate) fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let on_signal = token.clone();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                on_signal.cancel();
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(Exit::Cancelled as i32);
            }
        });
    });
    token
}
