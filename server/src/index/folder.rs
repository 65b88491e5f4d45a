//! One workspace folder: its store, its table, and how both are kept true to the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};

use redraft_grammars::{Language, QueryKind};
use redraft_model::kernels::pool::give_way;

use super::record::{Head, checksum, decode_symbols, encode_symbols, keys};
use super::store::{Place, Store};
use super::symbol::{Symbol, symbols};
use super::table::Table;
use super::walk::{self, Found};

/// Threads that read and parse. They give way to everything else on the machine.
const THREADS: usize = 2;
/// Raised whenever symbols of the same text come out differently.
const VERSION: u64 = 3;
/// The store is written anew when so much of it is no longer needed, and that is more than half.
const MAX_DEAD_BYTES: u64 = 4 << 20;

/// What a look at the disk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Files that are in the index now.
    pub files: usize,
    /// Of these, how many were read since they were new or had changed.
    pub read: usize,
    /// Files that are gone.
    pub gone: usize,
    /// Files beyond the limit, left out.
    pub left_out: usize,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
    table: RwLock<Table>,
    store: Mutex<Store>,
    max_files: usize,
}

impl Folder {
    /// Opens the index of a folder as it was left; nothing is looked at on disk but the store in `dir`.
    pub(super) fn open(root: &Path, dir: &Path, max_files: usize) -> io::Result<Folder> {
        let mut table = Table::default();
        let store = Store::open(dir, root, fingerprint(), |head, place| table.take(&head, place))?;
        table.settle();
        Ok(Folder { root: root.to_owned(), table: RwLock::new(table), store: Mutex::new(store), max_files })
    }

    /// Whether what is found is kept for the next start.
    pub(super) fn is_shared(&self) -> bool {
        self.store().is_shared()
    }

    /// A panic elsewhere leaves a table that is whole: rows are complete before they are counted.
    pub(super) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of the store on disk.
    pub(super) fn store_bytes(&self) -> u64 {
        self.store().len()
    }

    /// The symbols of a file. Not to be called while the table is held: writers take the store first.
    pub(super) fn symbols(&self, place: Place) -> Option<Vec<Symbol>> {
        let body = self.store().body(place)?;
        decode_symbols(&body)
    }

    /// Compares all files with the index and reads what is new or has changed. `stop` ends it early; what was read by
    /// then stays.
    pub(super) fn refresh(&self, stop: &AtomicBool) -> io::Result<Refreshed> {
        let read = AtomicUsize::new(0);
        let failed: Mutex<Option<io::Error>> = Mutex::new(None);
        let broken = AtomicBool::new(false);
        let stopped = || stop.load(Ordering::Relaxed) || broken.load(Ordering::Relaxed);
        // Bounded, so that walking does not run far ahead of reading.
        let (sender, receiver) = mpsc::sync_channel::<Found>(256);
        let receiver = Mutex::new(receiver);
        let work = || {
            give_way();
            loop {
                let Ok(found) = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv() else { break };
                // The rest is taken and dropped, so that the walker is never left waiting.
                if stopped() {
                    continue;
                }
                match self.read(&found) {
                    Ok(()) => drop(read.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        broken.store(true, Ordering::Relaxed);
                    }
                }
            }
        };
        let mut seen = vec![false; self.table().rows()];
        let (mut known, mut left_out) = (0, 0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(work);
            }
            let sender = sender;
            for found in walk::files(&self.root) {
                if stopped() {
                    break;
                }
                if known == self.max_files {
                    left_out += 1;
                    continue;
                }
                known += 1;
                let (row, changed) = self.compare(&found);
                if let Some(seen) = row.and_then(|row| seen.get_mut(row as usize)) {
                    *seen = true;
                }
                if changed && sender.send(found).is_err() {
                    break;
                }
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut gone = Vec::new();
        // A walk that was ended has not seen everything.
        if !stopped() {
            let table = self.table();
            let lost = table.live_rows().filter(|row| seen.get(*row as usize) == Some(&false));
            gone.extend(lost.map(|row| table.path_of(row)));
        }
        for path in &gone {
            self.forget(path)?;
        }
        self.settle()?;
        let files = self.table().files();
        Ok(Refreshed { files, read: read.into_inner(), gone: gone.len(), left_out })
    }

    /// The row of a file, and whether it is new or has changed.
    fn compare(&self, found: &Found) -> (Option<u32>, bool) {
        let table = self.table();
        let row = table.row(&found.path);
        (row, row.is_none_or(|row| table.stamp(row) != found.stamp))
    }

    /// Whether a change of this path may touch more than one file: a folder that came or went, or what is ignored.
    pub(super) fn is_wide(&self, path: &Path) -> bool {
        path.ends_with(".gitignore")
            || path.is_dir()
            || (!path.exists()
                && walk::relative(&self.root, path).is_some_and(|below| self.table().has_dir(&below)))
    }

    /// Looks at one file again, after somebody said that it was written, made or taken away.
    pub(super) fn update(&self, path: &Path) -> io::Result<()> {
        match walk::file(&self.root, path) {
            Some(found) => {
                let (row, changed) = self.compare(&found);
                if changed && (row.is_some() || self.table().files() < self.max_files) {
                    self.read(&found)?;
                }
            }
            None => {
                if let Some(path) = walk::relative(&self.root, path) {
                    self.forget(&path)?;
                }
            }
        }
        self.store().flush()
    }

    fn read(&self, found: &Found) -> io::Result<()> {
        // A file that says nothing to us is kept too, so that it is not read again at every start.
        let symbols = walk::read(&self.root.join(&found.path)).map_or_else(Vec::new, |text| {
            found
                .language
                .parse(&text, None)
                .map_or_else(Vec::new, |tree| symbols(found.language, &tree, &text))
        });
        let head = Head { path: found.path.clone(), stamp: Some(found.stamp), keys: keys(&symbols) };
        self.keep(&head, &encode_symbols(&symbols))
    }

    fn forget(&self, path: &str) -> io::Result<()> {
        if self.table().row(path).is_none() {
            return Ok(());
        }
        self.keep(&Head { path: path.to_owned(), stamp: None, keys: Vec::new() }, &[])
    }

    fn keep(&self, head: &Head, body: &[u8]) -> io::Result<()> {
        // In one go, so that the order in the store is the order in the table.
        let mut store = self.store();
        let place = store.append(head, body)?;
        self.table_mut().take(head, place);
        Ok(())
    }

    /// Writes what was gathered, and the store anew when most of it is no longer needed.
    fn settle(&self) -> io::Result<()> {
        let mut store = self.store();
        store.flush()?;
        let mut table = self.table_mut();
        table.settle();
        let dead = store.len().saturating_sub(table.live_bytes());
        if dead > MAX_DEAD_BYTES && dead > table.live_bytes() {
            let places: Vec<_> = table.live_rows().map(|row| table.place(row)).collect();
            let moved = store.compact(&places)?;
            table.moved(&moved);
        }
        Ok(())
    }
}

/// Changes with everything that decides which symbols a text has.
fn fingerprint() -> u64 {
    let queries =
        Language::all().filter_map(Language::grammar).map(|grammar| grammar.query_source(QueryKind::Items));
    queries.fold(VERSION, |sum, source| sum.rotate_left(1) ^ checksum(source.as_bytes()))
}
