//! The one error type of the engine. Messages say what is wrong and what to do; they never quote the user's text.

use crate::device::Device;
use std::path::PathBuf;

/// What can go wrong while loading or running a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be opened, mapped or read.
    #[error("cannot read the model file {path}: {source}")]
    Io {
        /// The model file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is not a GGUF, is cut short, or contradicts itself.
    #[error(
        "{path} is not a usable GGUF model: {reason}; fetch it again with `redraft model fetch`, or name another file"
    )]
    Corrupt {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is sound but of a kind that this engine does not run.
    #[error("this model cannot be run: {0}")]
    Unsupported(String),
    /// The device that the model is to run on is not there, or failed.
    #[error(
        "the model cannot run on `{device}`: {reason}; or set `model.device` to `cpu` (on the command line: `--device cpu`)"
    )]
    Device {
        /// The device.
        device: Device,
        /// What is wrong with it.
        reason: String,
    },
    /// The request needs more positions than the context has.
    #[error(
        "the request needs {needed} tokens of context but the model has {capacity}; apply to a smaller file or raise `context`"
    )]
    ContextOverflow {
        /// Positions needed.
        needed: usize,
        /// Positions there are.
        capacity: usize,
    },
    /// A token id outside the vocabulary was given.
    #[error("token id {0} is outside the model's vocabulary")]
    UnknownToken(u32),
    /// The tokenizer could not be built from the file's metadata.
    #[error("the model's tokenizer cannot be built: {0}")]
    Tokenizer(String),
    /// The request ended in a panic; the worker lives on.
    #[error("the engine failed on this request ({0}); other requests are not affected, please report it")]
    Panicked(String),
    /// A forward was given up for a more urgent request; it is made again, so no request ends with this.
    #[error("interrupted by a more urgent request")]
    Interrupted,
    /// The worker thread is gone.
    #[error("the model worker has stopped; start the server again")]
    WorkerGone,
}
