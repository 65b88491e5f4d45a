//! The records of one workspace folder on disk: one file that is only ever appended to, a later record of a path in
//! place of an earlier one.
//!
//! A torn or damaged end is cut off at the last whole record; a file of another version is begun anew: the index can be
//! made again at any time. One process at a time owns the file. A second server on the same folder takes a copy of it
//! that ends with the process.
//!
//! Appending beats a B-tree here: redb 3 with a cache of 32 MB took 103 s and 539 MB of disk for 100,000 files and
//! refuses a second process.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::{Head, checksum};

const MAGIC: &[u8; 8] = b"rdindex1";
/// Magic, fingerprint, length and checksum of the folder's path.
const OPENING: usize = 8 + 8 + 4 + 8;
/// Length of head and body, checksum of each.
const FRAME: usize = 4 + 4 + 8 + 8;
/// A part of a record is never longer than this; a length above it is damage.
const MAX_PART: usize = 64 << 20;
/// So much is gathered before it is written.
const BUFFER: usize = 256 << 10;

/// Where a record's body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its frame starts.
    pub(super) offset: u64,
    pub(super) head: u32,
    pub(super) body: u32,
}

impl Place {
    pub(super) fn len(self) -> u64 {
        FRAME as u64 + u64::from(self.head) + u64::from(self.body)
    }
}

/// An open store; see the module's description.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    /// Where it lies; `None` for a copy of our own.
    path: Option<PathBuf>,
    opening: Vec<u8>,
    written: u64,
    /// What follows the written part.
    pending: Vec<u8>,
}

impl Store {
    /// Opens the store for `folder` in `dir`, making it where there is none, and hands every whole record to `each` in
    /// the order in which they were written.
    pub(super) fn open(
        dir: &Path,
        folder: &Path,
        fingerprint: u64,
        mut each: impl FnMut(Head, Place),
    ) -> io::Result<Store> {
        fs::create_dir_all(dir)?;
        let folder = folder.to_string_lossy();
        let path = dir.join(format!("{:016x}", checksum(folder.as_bytes())));
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut path = Some(path);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut copy = tempfile::tempfile()?;
                io::copy(&mut file, &mut copy)?;
                (file, path) = (copy, None);
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let opening = opening(&folder, fingerprint);
        let written = read_all(&mut file, &opening, &mut each)?;
        let mut store = Store { file, path, opening, written, pending: Vec::new() };
        if store.written == 0 {
            store.begin()?;
        } else {
            store.file.set_len(store.written)?;
        }
        Ok(store)
    }

    /// Whether others find what is written here.
    pub(super) fn is_shared(&self) -> bool {
        self.path.is_some()
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&self.opening)?;
        self.written = self.opening.len() as u64;
        Ok(())
    }

    /// The length of the store in bytes.
    pub(super) fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Adds a record.
    pub(super) fn append(&mut self, head: &Head, body: &[u8]) -> io::Result<Place> {
        let head = head.encode();
        let place = Place { offset: self.len(), head: head.len() as u32, body: body.len() as u32 };
        self.pending.extend((head.len() as u32).to_le_bytes());
        self.pending.extend((body.len() as u32).to_le_bytes());
        self.pending.extend(checksum(&head).to_le_bytes());
        self.pending.extend(checksum(body).to_le_bytes());
        self.pending.extend(&head);
        self.pending.extend(body);
        if self.pending.len() >= BUFFER {
            self.flush()?;
        }
        Ok(place)
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.written))?;
        self.file.write_all(&self.pending)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// The body of a record; `None` when it is not what was written.
    pub(super) fn body(&mut self, place: Place) -> Option<Vec<u8>> {
        let frame = self.frame(place).ok()?;
        let body = &frame[FRAME + place.head as usize..];
        let kept = u64::from_le_bytes(frame[16..24].try_into().ok()?);
        (kept == checksum(body)).then(|| body.to_vec())
    }

    fn frame(&mut self, place: Place) -> io::Result<Vec<u8>> {
        if place.offset >= self.written {
            let at = (place.offset - self.written) as usize;
            let frame = self.pending.get(at..at + place.len() as usize);
            return frame.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
        }
        let mut frame = vec![0; place.len() as usize];
        self.file.seek(SeekFrom::Start(place.offset))?;
        self.file.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Writes the store again with these records alone, and gives their new places.
    pub(super) fn compact(&mut self, places: &[Place]) -> io::Result<Vec<Place>> {
        let dir = self.path.as_deref().and_then(Path::parent).map(Path::to_owned);
        let mut fresh = match &dir {
            Some(dir) => tempfile::NamedTempFile::new_in(dir)?,
            None => tempfile::NamedTempFile::new()?,
        };
        let mut moved = Vec::with_capacity(places.len());
        let mut out = io::BufWriter::with_capacity(BUFFER, fresh.as_file_mut());
        out.write_all(&self.opening)?;
        let mut length = self.opening.len() as u64;
        for place in places {
            out.write_all(&self.frame(*place)?)?;
            moved.push(Place { offset: length, ..*place });
            length += place.len();
        }
        out.flush()?;
        drop(out);
        // Locked before it has the name, so that no other server gets in between.
        fresh.as_file().try_lock().map_err(io::Error::from)?;
        self.file = match &self.path {
            Some(path) => fresh.persist(path).map_err(|error| error.error)?,
            None => fresh.into_file(),
        };
        self.written = length;
        self.pending.clear();
        Ok(moved)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What is lost here is made again at the next start.
        let _ = self.flush();
    }
}

fn opening(folder: &str, fingerprint: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(fingerprint.to_le_bytes());
    bytes.extend((folder.len() as u32).to_le_bytes());
    bytes.extend(checksum(folder.as_bytes()).to_le_bytes());
    bytes.extend(folder.as_bytes());
    bytes
}

/// The folder that a store was made for, if it is one.
fn folder_of(path: &Path) -> Option<PathBuf> {
    let mut file = File::open(path).ok()?;
    let mut bytes = [0; OPENING];
    file.read_exact(&mut bytes).ok()?;
    let length = u32::from_le_bytes(bytes[16..20].try_into().ok()?);
    let mut folder = vec![0; (length as usize).min(1 << 16)];
    file.read_exact(&mut folder).ok()?;
    let folder = String::from_utf8(folder).ok()?;
    bytes.starts_with(MAGIC).then(|| folder.into())
}

/// Takes away the stores of folders that are gone.
pub(super) fn forget_lost_folders(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let lost = folder_of(&path).is_none_or(|folder| !folder.is_dir());
        // A file that somebody has locked is in use, whatever is in it.
        if lost && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Reads all whole records and gives the length of the good part; 0 when it is no store of this version.
fn read_all(file: &mut File, opening: &[u8], each: &mut impl FnMut(Head, Place)) -> io::Result<u64> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut found = vec![0; opening.len()];
    if length < opening.len() as u64 || reader.read_exact(&mut found).is_err() || found != opening {
        return Ok(0);
    }
    let mut at = opening.len() as u64;
    let mut frame = [0; FRAME];
    let mut head = Vec::new();
    while at + FRAME as u64 <= length && reader.read_exact(&mut frame).is_ok() {
        let number = |from: usize| {
            u32::from_le_bytes([frame[from], frame[from + 1], frame[from + 2], frame[from + 3]])
        };
        let place = Place { offset: at, head: number(0), body: number(4) };
        if place.head as usize > MAX_PART || at + place.len() > length {
            break;
        }
        head.resize(place.head as usize, 0);
        reader.read_exact(&mut head)?;
        if frame[8..16] != checksum(&head).to_le_bytes() {
            break;
        }
        let Some(head) = Head::decode(&head) else { break };
        reader.seek_relative(i64::from(place.body))?;
        at += place.len();
        each(head, place);
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::super::record::Stamp;
    use super::*;

    fn head(path: &str) -> Head {
        Head { path: path.to_owned(), stamp: Some(Stamp { modified: 1, size: 2 }), keys: vec![3, 4] }
    }

    fn open(dir: &Path) -> (Store, Vec<(String, Place)>) {
        let mut seen = Vec::new();
        let store =
            Store::open(dir, Path::new("/w"), 7, |head, place| seen.push((head.path, place))).unwrap();
        (store, seen)
    }

    fn only_file(dir: &Path) -> PathBuf {
        fs::read_dir(dir).unwrap().next().unwrap().unwrap().path()
    }

    #[test]
    fn records_are_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, seen) = open(dir.path());
        assert!(seen.is_empty() && store.is_shared());
        let a = store.append(&head("a"), b"body of a").unwrap();
        assert_eq!(store.body(a).unwrap(), b"body of a", "before it is written");
        store.flush().unwrap();
        let b = store.append(&head("b"), b"").unwrap();
        drop(store);
        let (mut store, seen) = open(dir.path());
        assert_eq!(seen, [("a".to_owned(), a), ("b".to_owned(), b)]);
        assert_eq!(store.body(a).unwrap(), b"body of a");
        assert_eq!(store.body(b).unwrap(), b"");
    }

    #[test]
    fn a_second_server_has_a_copy_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (mut first, _) = open(dir.path());
        let a = first.append(&head("a"), b"1").unwrap();
        first.flush().unwrap();
        let (mut second, seen) = open(dir.path());
        assert_eq!(seen, [("a".to_owned(), a)]);
        assert!(!second.is_shared());
        second.append(&head("b"), b"2").unwrap();
        second.flush().unwrap();
        first.append(&head("c"), b"3").unwrap();
        drop((second, first));
        let (_, seen) = open(dir.path());
        assert_eq!(seen.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn damage_costs_what_follows_it_and_another_version_everything() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = open(dir.path());
        let places: Vec<Place> =
            ["a", "b", "c"].map(|path| store.append(&head(path), b"body").unwrap()).into();
        drop(store);
        let path = only_file(dir.path());
        let whole = fs::read(&path).unwrap();

        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let whole_records = places.iter().filter(|p| p.offset + p.len() <= cut as u64).count();
            let (mut store, seen) = open(dir.path());
            assert_eq!(seen.len(), whole_records, "cut at {cut}");
            let d = store.append(&head("d"), b"more").unwrap();
            drop(store);
            let (mut store, seen) = open(dir.path());
            assert_eq!(seen.len(), whole_records + 1);
            assert_eq!(store.body(d).unwrap(), b"more");
        }

        let mut damaged = whole.clone();
        damaged[places[1].offset as usize + FRAME] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(open(dir.path()).1.len(), 1);

        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, &damaged).unwrap();
        let (mut store, seen) = open(dir.path());
        assert_eq!(seen.len(), 3);
        assert_eq!(store.body(places[2]), None);
        drop(store);

        fs::write(&path, &whole).unwrap();
        let mut seen = 0;
        drop(Store::open(dir.path(), Path::new("/w"), 8, |_, _| seen += 1).unwrap());
        assert_eq!((seen, open(dir.path()).1.len()), (0, 0));
    }

    #[test]
    fn compacting_keeps_what_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = open(dir.path());
        let places: Vec<Place> =
            ["a", "b", "c"].map(|path| store.append(&head(path), path.as_bytes()).unwrap()).into();
        let before = store.len();
        let moved = store.compact(&[places[2], places[0]]).unwrap();
        assert!(store.len() < before);
        assert_eq!(store.body(moved[0]).unwrap(), b"c");
        let d = store.append(&head("d"), b"d").unwrap();
        assert_eq!(store.body(d).unwrap(), b"d");
        let (other, _) = open(dir.path());
        assert!(!other.is_shared(), "still ours");
        drop((other, store));
        let (mut store, seen) = open(dir.path());
        assert_eq!(seen.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["c", "a", "d"]);
        assert_eq!(store.body(seen[1].1).unwrap(), b"a");
    }

    #[test]
    fn stores_of_folders_that_are_gone_go() {
        let dir = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), folder.path(), 1, |_, _| {}).unwrap());
        drop(Store::open(dir.path(), Path::new("/no/such/folder"), 1, |_, _| {}).unwrap());
        let used = Store::open(dir.path(), Path::new("/gone/as/well"), 1, |_, _| {}).unwrap();
        forget_lost_folders(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        drop(used);
        forget_lost_folders(dir.path());
        assert_eq!(folder_of(&only_file(dir.path())).unwrap(), folder.path());
    }
}
