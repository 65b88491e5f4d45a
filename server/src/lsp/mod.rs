//! The language server: Redraft in any editor that speaks the Language Server Protocol.
//!
//! Only this module knows the protocol's types. A handler changes the session at once, in the order in which messages
//! arrive, and hands anything longer to a task; no lock is held while waiting, and nothing waits for a client without
//! a limit.

mod actions;
mod applying;
mod backend;
mod capabilities;
mod choice;
mod commands;
mod completion;
mod convert;
mod engine;
mod indexing;
mod job;
mod land;
mod local_engine;
mod peer;
mod progress;
mod remedy;
mod reply;
mod review;
mod run;
mod shared;
mod status;
mod transport;

pub use capabilities::APPLY_COMMAND;
pub use engine::{Availability, Engine, Model, Step};
pub use local_engine::LocalEngine;
pub use run::{run_listen, run_stdio};
pub use transport::{Ended, serve};
