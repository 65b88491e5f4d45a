//! A small file, a suggestion for it, and the file after it, the same for every editor. The 0.5B model writes it right.

/// The file.
pub const ORIGINAL: &str = include_str!("../../editors/sample/counter.rs");

/// What an assistant says.
pub const SNIPPET: &str = include_str!("../../editors/sample/snippet.rs");

/// The file after it.
pub const EXPECTED: &str = include_str!("../../editors/sample/edited.rs");
