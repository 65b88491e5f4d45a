//! The Redraft language server and command line, as a library; `main.rs` only hands over to [`cli`].

pub mod apply;
pub mod cli;
pub mod complete;
pub mod guard;
pub mod index;
mod log_file;
pub mod lsp;
pub mod merge;
pub mod session;
pub mod suggestion;
pub mod text;
