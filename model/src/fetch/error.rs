//! What can go wrong in a fetch. Every text is a plain sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::CacheError;
use crate::catalogue::CatalogueError;

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name or path means nothing.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The cache folder cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The network is forbidden.
    #[error(
        "the model {name} is not on this machine and REDRAFT_OFFLINE forbids the network; unset REDRAFT_OFFLINE, or \
         copy the file to {}", path.display()
    )]
    Offline {
        /// The row's name.
        name: &'static str,
        /// Where its file belongs.
        path: PathBuf,
    },
    /// No room for the file.
    #[error(
        "there is no room for the model in {}: {needed} more are needed; make room, or set REDRAFT_CACHE to a folder \
         on another disk", folder.display()
    )]
    DiskFull {
        /// The folder of the model file.
        folder: PathBuf,
        /// How much more it needs, for people.
        needed: String,
    },
    /// The user stopped it.
    #[error("stopped; what was fetched so far is kept, and the next fetch goes on from there")]
    Cancelled,
    /// Every source failed, each for its own reason.
    #[error(
        "the model {name} could not be fetched:{}\nOr get the GGUF file another way and give its path in place of the name.",
        list(attempts)
    )]
    NoSource {
        /// The row's name.
        name: &'static str,
        /// Each source and what happened there.
        attempts: Vec<(String, SourceError)>,
    },
}

fn list(attempts: &[(String, SourceError)]) -> String {
    attempts.iter().map(|(source, error)| format!("\n  - {source}: {error}")).collect()
}

/// Why one source could not give the file; the next one is tried.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No connection, or none in reasonable time.
    #[error("cannot be reached ({0}); check the network, the proxy, or set HF_ENDPOINT to a mirror")]
    Unreachable(String),
    /// The server does not let us have it.
    #[error("refused with status {status}; {}", if *with_token { "HF_TOKEN may have no access to it" } else { "set HF_TOKEN if the repository needs a login" })]
    Refused {
        /// HTTP status, 401 or 403.
        status: u16,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// The server does not have it.
    #[error("does not have the file (status {0})")]
    NotFound(u16),
    /// The server keeps failing.
    #[error("answered with status {0} again and again; try later")]
    Status(u16),
    /// The connection broke, and went on breaking.
    #[error("the connection broke off again and again ({0}); run it once more, it goes on where it stopped")]
    Cut(String),
    /// Not the file that the catalogue means, seen by its size.
    #[error("has another file: {found} bytes instead of {expected}")]
    WrongSize {
        /// Size in the catalogue.
        expected: u64,
        /// Size there.
        found: u64,
    },
    /// Not the file that the catalogue means, seen by its hash.
    #[error("has another file: its sha256 is {found} instead of {expected}; nothing of it was kept")]
    WrongHash {
        /// Hash in the catalogue.
        expected: String,
        /// Hash of what came.
        found: String,
    },
    /// The server does not say how long the file is.
    #[error("does not say how large the file is")]
    NoSize,
    /// No Python interpreter.
    #[error(
        "needs {0}, which is not there; install Python 3 with pip, or set REDRAFT_PYTHON to an interpreter"
    )]
    NoPython(String),
    /// Python without pip.
    #[error(
        "needs pip, which {0} does not have; install it (Debian: python3-pip), or run `{0} -m ensurepip`"
    )]
    NoPip(String),
    /// pip said no.
    #[error("pip could not download {package}: {said}")]
    Pip {
        /// Package and version.
        package: String,
        /// The last line of its error output.
        said: String,
    },
    /// The wheel is not as expected.
    #[error("the wheel of {package} cannot be used: {what}")]
    Wheel {
        /// Package and version.
        package: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Why an attempt at one source ended: that source is at fault, or trying others makes no sense.
#[derive(Debug)]
pub(super) enum Stop {
    Source(SourceError),
    Fatal(FetchError),
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Stop {
        Stop::Source(error)
    }
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Stop {
        Stop::Fatal(error)
    }
}

impl From<CacheError> for Stop {
    fn from(error: CacheError) -> Stop {
        Stop::Fatal(error.into())
    }
}

/// An error in writing the file: a full disk has its own words, `needed` being the bytes still missing.
pub(super) fn writing(path: &Path, needed: u64) -> impl FnOnce(io::Error) -> FetchError + use<> {
    let path = path.to_path_buf();
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            disk_full(&path, needed)
        }
        _ => FetchError::Cache(CacheError::io(&path)(error)),
    }
}

/// The error of a full disk, for a file that still needs so many bytes.
pub(super) fn disk_full(path: &Path, needed: u64) -> FetchError {
    let folder = path.parent().unwrap_or(path).to_path_buf();
    FetchError::DiskFull { folder, needed: format!("{} MB", needed.div_ceil(1_000_000)) }
}
