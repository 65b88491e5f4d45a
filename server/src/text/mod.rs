//! Text as data: positions in every encoding, minimal edits between two texts, and the diff of a text that is still
//! arriving.
//!
//! Everything here is pure. Offsets inside Redraft are bytes; an editor's line and column are converted here and
//! nowhere else. No edit made here replaces a whole document, splits a character, or splits a CRLF.

mod diff;
mod edits;
mod format;
mod position;
mod streaming;

pub use diff::{LineHunk, diff, line_hunks};
pub use edits::{Conflict, Edits, Hunk};
pub use format::{BOM, split_bom};
pub use position::{LineColumn, PositionEncoding};
pub use streaming::StreamingDiff;
