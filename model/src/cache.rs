//! The folder where model files are kept, and the proof that each is the right one.
//!
//! Hashing half a gigabyte at every start would be slow, so a file that was hashed once gets a stamp beside it
//! (hash, size, time of modification); while size and time agree with the stamp, the hash is believed. Nothing
//! here uses the network, and nothing here deletes a model file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::{Identity, Row};

/// How the bytes of a model file are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The hash is the one that the catalogue names.
    Catalogue,
    /// The catalogue names no hash; the file is still the one that was first fetched.
    FirstUse,
}

/// The record beside a model file that its bytes were hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// The file's time of modification when it was hashed, in nanoseconds since 1970.
    pub modified_ns: u128,
    /// What the hash was compared with.
    pub trust: Trust,
}

/// Why the cache cannot be used, or its file not be trusted; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no home folder to put a cache in.
    #[error(
        "there is no folder to keep models in: set REDRAFT_CACHE to one (neither HOME nor XDG_CACHE_HOME is set)"
    )]
    NoFolder,
    /// A file of the cache cannot be read or written.
    #[error("cannot use {}: {source}; set REDRAFT_CACHE to a folder that you may write to", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not those of the model.
    #[error("{} is not the model that it is named for: {difference}; fetch it again with `redraft model fetch`", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is different: size or hash.
        difference: String,
    },
}

impl CacheError {
    /// Wraps an error of the system with the path it is about.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> CacheError + use<> {
        let path = path.to_path_buf();
        move |source| CacheError::Io { path, source }
    }
}

/// The cache folder: `REDRAFT_CACHE`, or `redraft` in the user's cache folder (XDG on Unix).
pub fn folder() -> Result<PathBuf, CacheError> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = from("REDRAFT_CACHE") {
        return Ok(path);
    }
    let user = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else {
        // The XDG specification says that a relative path is to be ignored.
        from("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| {
            std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(".cache"))
        })
    };
    user.map(|path| path.join("redraft")).ok_or(CacheError::NoFolder)
}

/// Where the row's file is, or would be, in the cache folder.
pub fn model_path(row: &Row) -> Result<PathBuf, CacheError> {
    Ok(model_path_in(&folder()?, row))
}

/// Where the row's file is, or would be, in this cache folder.
pub fn model_path_in(cache: &Path, row: &Row) -> PathBuf {
    cache.join("models").join(format!("{}.gguf", row.name))
}

/// The hash record of a model file, without hashing anything: `None` when there is none or it is out of date.
pub fn stamp(path: &Path) -> Option<Verified> {
    let stamp: Verified = serde_json::from_slice(&fs::read(stamp_path(path)).ok()?).ok()?;
    let metadata = fs::metadata(path).ok()?;
    (stamp.size == metadata.len() && stamp.modified_ns == modified_ns(&metadata)).then_some(stamp)
}

/// What tells a model file from others, without hashing it: its hash where that is known, otherwise its path, size and
/// time of modification. `None` when there is no file.
pub fn identity(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    if let Some(stamp) = stamp(&path) {
        return Some(stamp.sha256);
    }
    let metadata = fs::metadata(&path).ok()?;
    Some(format!("{} {} {}", path.display(), metadata.len(), modified_ns(&metadata)))
}

/// Checks that the file is the one that `identity` names; `Ok(None)` when there is no file.
///
/// Hashes only when no stamp says that it was done.
pub fn verify(path: &Path, identity: &Identity) -> Result<Option<Verified>, CacheError> {
    match (stamp(path), identity) {
        (Some(stamp), Identity::Known { sha256, .. }) if stamp.sha256 == *sha256 => Ok(Some(stamp)),
        (Some(stamp), Identity::FirstUse { .. }) => Ok(Some(stamp)),
        _ => verify_afresh(path, identity),
    }
}

/// Like [`verify`], but hashes the file whatever the stamp says.
pub fn verify_afresh(path: &Path, identity: &Identity) -> Result<Option<Verified>, CacheError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CacheError::io(path)(error)),
    };
    let wrong = |difference: String| CacheError::Wrong { path: path.to_path_buf(), difference };
    if let Identity::Known { size, .. } = identity
        && metadata.len() != *size
    {
        return Err(wrong(format!("it has {} bytes instead of {size}", metadata.len())));
    }
    let found = sha256_of(path)?;
    // What a first use recorded holds even when the file was touched since.
    let recorded =
        fs::read(stamp_path(path)).ok().and_then(|text| serde_json::from_slice::<Verified>(&text).ok());
    let (expected, trust) = match identity {
        Identity::Known { sha256, .. } => (Some((*sha256).to_owned()), Trust::Catalogue),
        Identity::FirstUse { .. } => (recorded.map(|stamp| stamp.sha256), Trust::FirstUse),
    };
    if let Some(expected) = expected
        && expected != found
    {
        // Keeps the hash to hold the file to, but is out of date, so that nobody believes the file by it.
        write_stamp(
            path,
            &Verified { sha256: expected.clone(), size: metadata.len(), modified_ns: 0, trust },
        );
        return Err(wrong(format!("its sha256 is {found} instead of {expected}")));
    }
    Ok(Some(record(path, found, trust)?))
}

/// Writes the stamp of a file that was just hashed.
pub(crate) fn record(path: &Path, sha256: String, trust: Trust) -> Result<Verified, CacheError> {
    let metadata = fs::metadata(path).map_err(CacheError::io(path))?;
    let verified = Verified { sha256, size: metadata.len(), modified_ns: modified_ns(&metadata), trust };
    write_stamp(path, &verified);
    Ok(verified)
}

/// A cache that others filled may be read-only: the file is right all the same, it is only hashed again next time.
fn write_stamp(path: &Path, stamp: &Verified) {
    let text = serde_json::to_vec_pretty(stamp).expect("a stamp is plain data");
    if let Err(error) = fs::write(stamp_path(path), text) {
        tracing::debug!("no stamp beside {}: {error}", path.display());
    }
}

/// SHA-256 of a file in lower-case hex.
pub(crate) fn sha256_of(path: &Path) -> Result<String, CacheError> {
    let mut file = File::open(path).map_err(CacheError::io(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CacheError::io(path)(error)),
        }
    }
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".verified.json");
    PathBuf::from(name)
}

fn modified_ns(metadata: &Metadata) -> u128 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_stamp_saves_the_second_hash_and_a_change_voids_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let known = Identity::Known { sha256: ABC, size: 3 };
        assert_eq!(verify(&path, &known).unwrap(), None, "no file, no verdict");

        fs::write(&path, "abc").unwrap();
        assert_eq!(stamp(&path), None);
        let first = verify(&path, &known).unwrap().unwrap();
        assert_eq!((first.sha256.as_str(), first.trust), (ABC, Trust::Catalogue));
        assert_eq!(stamp(&path), Some(first.clone()));

        // Other bytes of the same size under an old time: what the stamp believes, hashing afresh finds out.
        fs::write(&path, "abd").unwrap();
        let back = UNIX_EPOCH + std::time::Duration::from_nanos(u64::try_from(first.modified_ns).unwrap());
        File::options().write(true).open(&path).unwrap().set_modified(back).unwrap();
        assert_eq!(verify(&path, &known).unwrap(), Some(first));
        assert!(verify_afresh(&path, &known).unwrap_err().to_string().contains("instead of ba7816bf"));
        assert!(verify(&path, &known).is_err(), "found out once, the stamp is void");

        fs::write(&path, "abcd").unwrap();
        assert!(verify(&path, &known).unwrap_err().to_string().contains("it has 4 bytes instead of 3"));
    }

    #[test]
    fn first_use_is_kept_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let unknown = Identity::FirstUse { about: 3 };
        fs::write(&path, "abc").unwrap();
        assert_eq!(verify(&path, &unknown).unwrap().unwrap().trust, Trust::FirstUse);
        fs::write(&path, "other").unwrap();
        let error = verify(&path, &unknown).unwrap_err().to_string();
        assert!(error.contains(ABC), "{error}");
    }
}
