//! Replaces a file's content in one step: a reader sees the old text or the new one, never a part.
//!
//! Must never overwrite what somebody else wrote since the file was read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the file was left as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplaceError {
    /// Its content is not the one that the edit was made for.
    #[error("{} was changed by another program while the edit was made; it was not overwritten, run the command again", .0.display())]
    Changed(PathBuf),
    /// Its permissions forbid writing.
    #[error("{} is read-only; it was not changed", .0.display())]
    ReadOnly(PathBuf),
    /// The system refused.
    #[error("cannot write {}: {source}; the file is unchanged", path.display())]
    Io {
        /// The file, or its folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Gives the file at `path` the content `new`, if its content is still `old`. A symbolic link stays one: the file
/// that it points to is replaced. Permissions are kept.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> Result<(), ReplaceError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReplaceError::Io { path, source }
    };
    let target = fs::canonicalize(path).map_err(failed(path))?;
    let metadata = fs::metadata(&target).map_err(failed(path))?;
    if metadata.permissions().readonly() {
        return Err(ReplaceError::ReadOnly(path.to_owned()));
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut beside =
        tempfile::Builder::new().prefix(".redraft-").tempfile_in(folder).map_err(failed(folder))?;
    beside.write_all(new.as_bytes()).map_err(failed(path))?;
    keep_owner(beside.as_file(), &metadata);
    beside.as_file().set_permissions(metadata.permissions()).map_err(failed(path))?;
    beside.as_file().sync_all().map_err(failed(path))?;
    // As late as possible; between here and the renaming lies no work.
    if fs::read(&target).map_err(failed(path))? != old.as_bytes() {
        return Err(ReplaceError::Changed(path.to_owned()));
    }
    beside.persist(&target).map_err(|error| failed(path)(error.error))?;
    Ok(())
}

/// Gives the new file the owner of the old one, where the system lets us (only root may give files away).
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _old: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::{ReplaceError, replace};
    use std::fs;

    #[test]
    fn what_another_program_wrote_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(replace(&path, "old", "new"), Err(ReplaceError::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        replace(&path, "theirs", "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_went_away_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone.rs");
        assert!(matches!(replace(&path, "old", "new"), Err(ReplaceError::Io { .. })));
        assert!(!path.exists());
    }
}
