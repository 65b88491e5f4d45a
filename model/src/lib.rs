//! The engine: model files, tokenizer, transformer, KV cache, decoders, drafts and the worker thread that owns them.
//!
//! Knows nothing of editors: no LSP types, no ropes. Text goes in, verified text comes out. Only this crate knows candle.

pub(crate) mod adapter;
pub mod adapters;
pub mod cache;
pub mod catalogue;
pub mod config;
pub mod decode;
pub mod device;
pub mod error;
pub mod fetch;
pub mod gguf;
pub mod kernels;
pub mod kv_cache;
pub mod machine;
pub mod prompt;
pub mod repacked;
pub mod score;
pub mod tokenizer;
pub mod transformer;
pub mod tuning;
pub mod worker;

pub use decode::{Completed, CompletionRequest, DecoderKind, Judge, Stats, StopReason};
pub use device::Device;
pub use error::ModelError;
pub use score::{ScoreRequest, Scores};
pub use worker::{
    DraftSources, EngineOptions, Event, Finished, GenerateRequest, ModelHandle, ModelInfo, Priority,
};
