//! What `redraft apply` shows: a diff on standard output, progress on standard error.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use similar::{ChangeTag, TextDiff};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Whether standard output takes colours: a terminal, and `NO_COLOR` (<https://no-color.org>) not set.
pub(super) fn colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !unwanted
}

/// A unified diff that `patch -p1` takes; empty if nothing changed.
pub(super) fn diff(path: &str, old: &str, new: &str, coloured: bool) -> String {
    let paint =
        |colour, text: &str| if coloured { format!("{colour}{text}{PLAIN}") } else { text.to_owned() };
    let compared = TextDiff::from_lines(old, new);
    let mut out = String::new();
    // Writing to a string cannot fail.
    for hunk in compared.unified_diff().context_radius(3).iter_hunks() {
        if out.is_empty() {
            let name = path.trim_start_matches('/');
            let _ = writeln!(out, "{}", paint(BOLD, &format!("--- a/{name}")));
            let _ = writeln!(out, "{}", paint(BOLD, &format!("+++ b/{name}")));
        }
        let _ = writeln!(out, "{}", paint(CYAN, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (sign, colour) = match change.tag() {
                ChangeTag::Delete => ("-", RED),
                ChangeTag::Insert => ("+", GREEN),
                ChangeTag::Equal => (" ", ""),
            };
            let value = change.value();
            let line = value.strip_suffix('\n').unwrap_or(value);
            let shown = if colour.is_empty() {
                format!("{sign}{line}")
            } else {
                paint(colour, &format!("{sign}{line}"))
            };
            let _ = writeln!(out, "{shown}");
            if change.missing_newline() {
                let _ = writeln!(out, "\\ No newline at end of file");
            }
        }
    }
    out
}

/// Lines added and removed.
pub(super) fn counts(old: &str, new: &str) -> (usize, usize) {
    let compared = TextDiff::from_lines(old, new);
    let count = |tag| compared.iter_all_changes().filter(|change| change.tag() == tag).count();
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}

/// A line that says how far an apply is; nothing without a terminal.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    pub(super) fn new() -> Shown {
        Shown { bar: io::stderr().is_terminal().then(Self::spinner) }
    }

    fn spinner() -> ProgressBar {
        let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
        let bar =
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// What is going on now.
    pub(super) fn say(&self, text: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.into());
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{counts, diff};

    #[test]
    fn a_diff_reads_as_patch_wants_it() {
        let (old, new) = ("a\nb\nc", "a\nB\nc\n");
        assert_eq!(
            diff("/src/x.rs", old, new, false),
            "--- a/src/x.rs\n+++ b/src/x.rs\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n\\ No newline at end of file\n+B\n+c\n"
        );
        assert_eq!(diff("x", old, old, true), "");
        assert_eq!(counts(old, new), (2, 2));
        let coloured = diff("x", "a\n", "b\n", true);
        assert!(coloured.contains("\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n"), "{coloured:?}");
    }
}
