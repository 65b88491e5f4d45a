//! What the end-to-end tests share: an editor that speaks the protocol, and a stand-in for the engine.
//!
//! The editor keeps its own text of every document and applies the server's edits to it the slow and plain way, so
//! that a wrong edit shows as a wrong text. Every message from the server must be claimed by the test; one that is left
//! over fails the test when the editor is closed. Nothing sleeps: tests wait for messages, with a limit.

pub mod editor;
pub mod engine;
pub mod rpc;
pub mod sample;
pub mod text;
