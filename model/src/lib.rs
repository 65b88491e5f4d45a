//! The engine: model files, tokenizer, transformer, decoders and the worker that runs them.
//!
//! Knows nothing of editors: no LSP types, no ropes. Only this crate knows candle.

pub mod cache;
pub mod catalogue;
pub mod fetch;
pub mod prompt;
pub mod tokenizer;
