//! What the server needs of the engine, as a seam: the server is tested for how it behaves while an apply is slow,
//! stuck or failing without a model that is slow, stuck or failing.
//!
//! Every function here may block for long and is called on a thread for blocking work only.

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applied, ApplyError, ApplyOptions, ApplyRequest, Route};
use crate::complete::{Counted, Plan, WriteError, Written};
use crate::session::ModelConfig;

/// Whether the model can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is loaded.
    Ready,
    /// Its file is on this machine.
    OnDisk,
    /// Its file must be fetched first.
    Missing {
        /// The model's name.
        name: String,
        /// The size of its file.
        bytes: u64,
    },
    /// It cannot be used, and why.
    Unusable(String),
}

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// The size of its file.
    pub bytes: u64,
    /// Whether its file is on this machine.
    pub here: bool,
}

/// How far an apply is.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// So many of the prompt's tokens were read.
    Reading {
        /// Tokens read.
        done: usize,
        /// Tokens to read.
        total: usize,
    },
    /// More of the edited file, verified.
    Writing {
        /// The text that follows what came before.
        text: String,
        /// Tokens of the edited file per second so far, from the second forward on.
        tokens_per_second: Option<f64>,
    },
}

/// The engine as the server sees it. One is shared by all connections of a process.
pub trait Engine: Send + Sync + 'static {
    /// Settings of the model. When they differ from those in force, a loaded model is let go.
    fn configure(&self, config: &ModelConfig);

    /// The models that can be chosen.
    fn models(&self) -> Vec<Model>;

    /// Whether the model can be used now.
    fn availability(&self) -> Availability;

    /// Loads the model; nothing to do when it is loaded.
    fn load(&self) -> Result<(), String>;

    /// Fetches the model's file; `on_progress` gets the bytes here and in all.
    fn fetch(
        &self,
        cancel: &CancellationToken,
        on_progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), String>;

    /// Makes the edited file, with the model only where `use_model` is set.
    fn apply(
        &self,
        request: &ApplyRequest,
        options: &ApplyOptions,
        use_model: bool,
        cancel: &CancellationToken,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<Applied, ApplyError>;

    /// Writes a completion; nothing when the model is not loaded. `ahead` says that nobody waits for it yet; `on_text`
    /// hears of what is written so far.
    fn complete(
        &self,
        plan: &Plan,
        ahead: bool,
        cancel: &CancellationToken,
        on_text: &mut dyn FnMut(&Written),
    ) -> Option<Result<Written, WriteError>>;

    /// What became of completions in earlier sessions.
    fn counted(&self) -> Counted;

    /// Keeps what became of completions.
    fn keep_counted(&self, counted: &Counted);

    /// Lets the model read ahead of time, without urgency, what it will have to read for `request`, whose suggestion may not
    /// be known yet. Does nothing when the model is not loaded.
    fn prepare(&self, request: &ApplyRequest, route: Route, cancel: &CancellationToken);

    /// One permit: only one apply at a time runs on the model.
    fn turn(&self) -> &Semaphore;
}
