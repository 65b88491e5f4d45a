//! The language server's log file, for "Open log": what it loaded, fetched and applied, and what failed.
//!
//! Like all that is logged it holds names of files and models, and never anything of what stands in a file.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use redraft_model::cache;

/// A file of this size is put aside, once; the one put aside before goes.
const FULL: u64 = 1 << 20;

/// Where it is, or would be.
pub(crate) fn path() -> Option<PathBuf> {
    Some(cache::folder().ok()?.join("log").join("lsp.log"))
}

/// Opens it to write at its end, as several servers may at once.
pub(crate) fn open() -> io::Result<File> {
    let path = path().ok_or(io::ErrorKind::NotFound)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if fs::metadata(&path).is_ok_and(|file| file.len() > FULL) {
        fs::rename(&path, path.with_extension("old.log"))?;
    }
    File::options().create(true).append(true).open(path)
}
