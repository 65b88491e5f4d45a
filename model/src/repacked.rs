//! Repacked weights kept on disk: the second start maps them instead of repacking, and processes share one copy.
//!
//! One file for each model file, in the folder `repacked` of the cache. It is keyed by the model's hash where that is
//! known and by its path, size and time of modification otherwise, and never needed: whatever is wrong with it, the
//! weights are repacked from the model. It must never be believed for another model or another layout.

use crate::cache::{self, hex};
use crate::kernels::packed::LAYOUT;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDER: &str = "repacked";
const MAGIC: &[u8; 8] = b"RDFTPACK";
/// Where the weights begin; the directory has room before it.
const START: u64 = 1 << 16;
/// Matrices begin on this border.
const ALIGN: u64 = 64;

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Directory {
    /// Which model in which layout.
    key: String,
    /// Size of the whole file.
    size: u64,
    /// Offset and length of each matrix.
    matrices: HashMap<String, (u64, u64)>,
}

/// An open file of repacked weights.
pub struct Repacked {
    map: Arc<Mmap>,
    directory: Directory,
}

/// The bytes of one matrix, mapped.
#[derive(Clone)]
pub struct Mapped {
    map: Arc<Mmap>,
    start: usize,
    len: usize,
}

impl Mapped {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.start + self.len]
    }
}

impl Repacked {
    /// The repacked weights of the model at `model` in this cache folder, if they are there and whole.
    pub fn open(cache: &Path, model: &Path) -> Option<Repacked> {
        let (path, key) = place(cache, model)?;
        let file = File::open(path).ok()?;
        // SAFETY: the map is read-only, and the file is replaced by renaming, never written in place.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let len = u64::from_le_bytes(map.get(8..16)?.try_into().ok()?);
        let json = map.get(16..16usize.checked_add(usize::try_from(len).ok()?)?)?;
        let directory: Directory = serde_json::from_slice(json).ok()?;
        let whole = map.starts_with(MAGIC) && directory.key == key && directory.size == map.len() as u64;
        whole.then(|| Repacked { map: Arc::new(map), directory })
    }

    /// A matrix of `len` bytes.
    pub fn matrix(&self, name: &str, len: usize) -> Option<Mapped> {
        let (start, have) = self.directory.matrices.get(name)?;
        let start = usize::try_from(*start).ok()?;
        let fits = *have == len as u64 && start.is_multiple_of(ALIGN as usize);
        let fits = fits && start.checked_add(len)? <= self.map.len();
        fits.then(|| Mapped { map: Arc::clone(&self.map), start, len })
    }
}

/// Keeps `matrices` for the next start, in place of what was kept for an older state of the model.
pub fn write(cache: &Path, model: &Path, matrices: &[(String, &[u8])]) -> io::Result<()> {
    let (path, key) = place(cache, model).ok_or_else(|| io::Error::other("the model file is gone"))?;
    let folder = &cache.join(FOLDER);
    fs::create_dir_all(folder)?;
    let mut at = START;
    let mut directory = Directory { key, size: 0, matrices: HashMap::new() };
    for (name, bytes) in matrices {
        directory.matrices.insert(name.clone(), (at, bytes.len() as u64));
        at = (at + bytes.len() as u64).next_multiple_of(ALIGN);
    }
    directory.size = at;
    let json = serde_json::to_vec(&directory)?;
    if 16 + json.len() as u64 > START {
        return Err(io::Error::other("the directory is too long"));
    }
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    out.write_all(MAGIC)?;
    out.write_all(&(json.len() as u64).to_le_bytes())?;
    out.write_all(&json)?;
    for (name, bytes) in matrices {
        out.seek(SeekFrom::Start(directory.matrices[name].0))?;
        out.write_all(bytes)?;
    }
    out.flush()?;
    drop(out);
    temporary.as_file().set_len(at)?;
    temporary.persist(&path)?;
    remove_older(folder, &path);
    Ok(())
}

/// Files of the same model file under another key are of no use to anyone.
fn remove_older(folder: &Path, kept: &Path) {
    let stem = |path: &Path| {
        let name = path.file_stem()?.to_str()?;
        Some(name.rsplit_once('-')?.0.to_owned())
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path != kept && stem(&path).is_some() && stem(&path) == stem(kept) {
            // It may be gone already, or another process may still map it: both do no harm.
            let _ = fs::remove_file(path);
        }
    }
}

/// The file for a model, and the key that it must carry. Its name is the model's, a hash of the model's path, so that
/// models of one name in different folders leave each other's files alone, and the key.
fn place(folder: &Path, model: &Path) -> Option<(PathBuf, String)> {
    let identity = cache::identity(model)?;
    let model = model.canonicalize().ok()?;
    let key = hex(&Sha256::digest(format!("{LAYOUT} {identity}")));
    let path = hex(&Sha256::digest(model.as_os_str().as_encoded_bytes()));
    let name = format!("{}-{}-{}.bin", model.file_stem()?.to_string_lossy(), &path[..8], &key[..16]);
    Some((folder.join(FOLDER).join(name), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_again_and_only_for_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let model = folder.path().join("m.gguf");
        fs::write(&model, "weights").unwrap();
        assert!(Repacked::open(&cache, &model).is_none());
        let (a, b) = ([1u8; 100], [2u8; 64]);
        write(&cache, &model, &[("a".to_owned(), &a[..]), ("b".to_owned(), &b[..])]).unwrap();

        let kept = Repacked::open(&cache, &model).unwrap();
        assert_eq!(kept.matrix("a", 100).unwrap().bytes(), a);
        assert_eq!(kept.matrix("b", 64).unwrap().bytes(), b);
        assert_eq!(kept.matrix("b", 64).unwrap().bytes().as_ptr() as usize % 64, 0);
        assert!(kept.matrix("b", 65).is_none() && kept.matrix("c", 64).is_none());

        let (path, _) = place(&cache, &model).unwrap();
        let whole = fs::read(&path).unwrap();
        for len in [0, 12, 40, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(Repacked::open(&cache, &model).is_none(), "cut to {len} bytes");
        }
        fs::write(&path, &whole).unwrap();
        fs::write(&model, "weightier").unwrap();
        assert!(Repacked::open(&cache, &model).is_none(), "kept for another state of the model");
        write(&cache, &model, &[]).unwrap();
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "the older file is gone");
    }

    #[test]
    fn models_of_one_name_in_two_folders_keep_a_file_each() {
        let folder = tempfile::tempdir().unwrap();
        let models = ["a", "b"].map(|name| folder.path().join(name).join("m.gguf"));
        for model in &models {
            fs::create_dir(model.parent().unwrap()).unwrap();
            fs::write(model, "weights").unwrap();
            write(folder.path(), model, &[]).unwrap();
        }
        for model in &models {
            assert!(Repacked::open(folder.path(), model).is_some(), "{}", model.display());
        }
    }
}
