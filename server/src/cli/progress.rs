//! How a fetch is shown: a bar with rate and time left on a terminal, a plain line now and then elsewhere.
//!
//! All on standard error; standard output belongs to the command's result.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use redraft_model::fetch::{Progress, Snapshot};
use tokio_util::sync::CancellationToken;

/// Without a terminal, a line at most this often.
const PLAIN_EVERY: Duration = Duration::from_secs(3);

/// Shows a fetch on standard error.
pub(crate) struct ShownFetch {
    cancel: CancellationToken,
    terminal: bool,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl ShownFetch {
    /// `cancel` is what Ctrl-C cancels.
    pub(crate) fn new(cancel: CancellationToken) -> ShownFetch {
        ShownFetch { cancel, terminal: io::stderr().is_terminal(), bar: None, last_line: None }
    }
}

impl Progress for ShownFetch {
    fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            // Standard error may be closed; that is no reason to stop.
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    fn update(&mut self, at: &Snapshot) {
        let left = at.left.map(|left| format!(", {} left", duration(left))).unwrap_or_default();
        if self.terminal {
            let bar = self.bar.get_or_insert_with(|| bar(at.total));
            bar.set_position(at.done);
            bar.set_message(format!("{:.1} MB/s{left}", at.bytes_per_second / 1e6));
        } else if at.done > 0 && self.last_line.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
            self.last_line = Some(Instant::now());
            let (done, total) = (at.done / 1_000_000, at.total / 1_000_000);
            let _ =
                writeln!(io::stderr(), "{done} of {total} MB, {:.1} MB/s{left}", at.bytes_per_second / 1e6);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Drop for ShownFetch {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {decimal_bytes} of {decimal_total_bytes}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// A time for people: `48 s`, `12 min`, `3 h`.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
