//! What the tests that need model weights share.

use candle_core::quantized::gguf_file::Content;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The file of a catalogue model, or `None` where tests that need weights are switched off (without
/// `REDRAFT_SLOW_TESTS=1`). A model that is not there is a failure: a test must not pass because it did not run.
pub(crate) fn model(name: &str) -> Option<PathBuf> {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1 to run the tests that need {name}");
        return None;
    }
    Some(redraft_model::catalogue::locate(name).unwrap_or_else(|error| panic!("{error}")).path)
}

/// A GGUF file's metadata and table of tensors.
pub(crate) fn content(path: &Path) -> Content {
    Content::read(&mut BufReader::new(File::open(path).unwrap())).unwrap()
}
