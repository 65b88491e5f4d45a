//! What the process says to its caller when it ends: the exit codes, all of them, in one place.
//!
//! A code never changes its meaning; the README repeats this table.

use std::process::ExitCode;

/// How a command ended, as the number that the shell sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command did what was asked.
    Done = 0,
    /// The command could not do it; standard error says why and what to do.
    Failed = 1,
    /// The command line or an input file does not make sense; nothing was tried.
    Usage = 2,
    /// A result exists, but it was held back and waits for a person's confirmation.
    NeedsConfirmation = 3,
    /// A check ran and found something wrong (`model verify`, `doctor`, decoders that disagree in `bench`).
    CheckFailed = 4,
    /// The user stopped it (Ctrl-C); the number is the one that shells use for it.
    Cancelled = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error in what the user asked for, found after the arguments were parsed: ends with [`Exit::Usage`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
