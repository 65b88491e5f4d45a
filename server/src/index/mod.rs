//! The workspace's index: what the code around a cursor can see, from every file of the project.
//!
//! Files are read in the background and their definitions kept on disk, so that the next start only reads what has
//! changed. [`Index::related`] answers in a few milliseconds whatever the workspace's size. Nothing here knows the
//! protocol, waits for a disk on the way of a keystroke, or lets source code out of the cache folder.
//!
//! In memory are a row for each file and 8 bytes for each name in it (`table`); everything else is on disk (`store`).

mod chosen;
mod folder;
mod guess;
mod members;
mod recent;
mod record;
mod related;
mod scope;
mod source;
mod store;
mod symbol;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use redraft_grammars::{Language, Tree};
use redraft_model::kernels::pool::give_way;
use ropey::Rope;

pub use chosen::Chosen;
pub use folder::Refreshed;
pub use recent::Visit;
pub use related::{Query, Reason, Snippet};
pub(crate) use symbol::container;
pub use symbol::{Symbol, symbols};
pub(crate) use walk::is_indexed;

use folder::Folder;
use recent::Recent;
use source::{Buffer, Sources};

/// So many changed files are looked at one by one; of more, the whole folder is compared.
const MAX_SINGLE_UPDATES: usize = 200;

/// What an index is made with.
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Where the stores lie.
    pub cache: PathBuf,
    /// Files beyond this number in a folder are left out, which bounds memory and disk.
    pub max_files: usize,
}

/// How large an index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexSize {
    /// Files.
    pub files: usize,
    /// Names by which definitions are found, each counted once a file.
    pub names: usize,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// The index of a session. Cheap to clone; the background work ends with the last clone.
#[derive(Clone, Debug)]
pub struct Index {
    shared: Arc<Shared>,
    /// The last clone ends the worker by dropping it.
    tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Shared {
    options: IndexOptions,
    state: Mutex<State>,
    /// Tasks that were given to the worker and are not done.
    open_tasks: Mutex<usize>,
    done: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    folders: Vec<Arc<Folder>>,
    buffers: HashMap<PathBuf, Arc<Buffer>>,
    recent: Recent,
    refreshed: Refreshed,
}

/// The way to the worker.
#[derive(Debug)]
struct Tasks {
    sender: mpsc::Sender<Task>,
    shared: Arc<Shared>,
}

enum Task {
    Folders(Vec<PathBuf>),
    Refresh,
    Changed(Vec<PathBuf>),
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// A panic elsewhere leaves nothing half done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// An index without folders, and a thread that waits for them.
    pub fn new(options: IndexOptions) -> Self {
        let shared = Arc::new(Shared {
            options,
            state: Mutex::default(),
            open_tasks: Mutex::default(),
            done: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let (sender, receiver) = mpsc::channel();
        let worker = Arc::clone(&shared);
        let started =
            thread::Builder::new().name("redraft-index".to_owned()).spawn(move || worker.work(&receiver));
        if let Err(error) = started {
            tracing::warn!("the workspace is not indexed: {error}");
        }
        Self { tasks: Arc::new(Tasks { sender, shared: Arc::clone(&shared) }), shared }
    }

    fn give(&self, task: Task) {
        *lock(&self.shared.open_tasks) += 1;
        if self.tasks.sender.send(task).is_err() {
            self.shared.finish_task();
        }
    }

    /// Sets the workspace folders. What is known of new ones from earlier is there soon, what has changed since
    /// follows.
    pub fn set_folders(&self, folders: Vec<PathBuf>) {
        self.give(Task::Folders(folders));
    }

    /// Compares all files with the index.
    pub fn refresh(&self) {
        self.give(Task::Refresh);
    }

    /// Files were written, made or taken away.
    pub fn files_changed(&self, paths: Vec<PathBuf>) {
        if !paths.is_empty() {
            self.give(Task::Changed(paths));
        }
    }

    /// A document was opened or changed in the editor; from now on it counts, not the file.
    pub fn buffer_changed(&self, path: &Path, language: Option<Language>, text: &Rope, tree: Option<&Tree>) {
        let mut state = lock(&self.shared.state);
        match (language, tree) {
            (Some(language), Some(tree)) => {
                let buffer = Buffer::new(language, text.clone(), tree.clone());
                state.buffers.insert(path.to_owned(), Arc::new(buffer));
            }
            _ => drop(state.buffers.remove(path)),
        }
    }

    /// A document was closed; the file counts again.
    pub fn buffer_closed(&self, path: &Path) {
        lock(&self.shared.state).buffers.remove(path);
    }

    /// The user was at some lines of a document, which count from 0.
    pub fn visited(&self, path: &Path, text: &Rope, lines: &Range<usize>, visit: Visit) {
        lock(&self.shared.state).recent.note(path, text, lines, visit);
    }

    /// What the scope of a cursor can see, the most valuable first; see [`Snippet::value`]. [`Chosen`] fills a budget
    /// with it.
    pub fn related(&self, query: &Query<'_>) -> Vec<Snippet> {
        let sources = {
            let state = lock(&self.shared.state);
            Sources {
                folders: state.folders.clone(),
                buffers: state
                    .buffers
                    .iter()
                    .map(|(path, buffer)| (path.clone(), Arc::clone(buffer)))
                    .collect(),
                recent: state.recent.regions().cloned().collect(),
            }
        };
        related::related(query, &sources)
    }

    /// Waits until everything that was asked for so far is done.
    pub fn wait(&self) {
        let mut open = lock(&self.shared.open_tasks);
        while *open > 0 {
            open = self.shared.done.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What the last look at the disk did.
    pub fn refreshed(&self) -> Refreshed {
        lock(&self.shared.state).refreshed
    }

    /// How large the index is.
    pub fn size(&self) -> IndexSize {
        let folders = lock(&self.shared.state).folders.clone();
        folders.iter().fold(IndexSize::default(), |sum, folder| {
            let (files, names) = {
                let table = folder.table();
                (table.files(), table.postings())
            };
            IndexSize {
                files: sum.files + files,
                names: sum.names + names,
                disk_bytes: sum.disk_bytes + folder.store_bytes(),
            }
        })
    }

    /// Whether everything found is kept for the next start: another server may have the folder's store.
    pub fn is_kept(&self) -> bool {
        lock(&self.shared.state).folders.iter().all(|folder| folder.is_shared())
    }
}

impl Shared {
    fn work(&self, tasks: &mpsc::Receiver<Task>) {
        give_way();
        while let Ok(task) = tasks.recv() {
            if !self.stop.load(Ordering::Relaxed) {
                self.run(task);
            }
            self.finish_task();
        }
    }

    fn finish_task(&self) {
        *lock(&self.open_tasks) -= 1;
        self.done.notify_all();
    }

    fn folders(&self) -> Vec<Arc<Folder>> {
        lock(&self.state).folders.clone()
    }

    fn run(&self, task: Task) {
        match task {
            Task::Folders(wanted) => {
                let fresh = self.open(&wanted);
                self.refresh(&fresh);
                store::forget_lost_folders(&self.options.cache);
            }
            Task::Refresh => self.refresh(&self.folders()),
            Task::Changed(paths) => self.update(&paths),
        }
    }

    /// Opens the folders that are new and lets go of those that are not wanted; gives the new ones.
    fn open(&self, wanted: &[PathBuf]) -> Vec<Arc<Folder>> {
        let mut folders = self.folders();
        folders.retain(|folder| wanted.contains(&folder.root));
        let mut fresh = Vec::new();
        for root in wanted {
            if folders.iter().any(|folder| folder.root == *root) {
                continue;
            }
            match Folder::open(root, &self.options.cache, self.options.max_files) {
                Ok(folder) => fresh.push(Arc::new(folder)),
                Err(error) => tracing::warn!("{} is not indexed: {error}", root.display()),
            }
        }
        folders.extend(fresh.iter().cloned());
        lock(&self.state).folders = folders;
        fresh
    }

    fn refresh(&self, folders: &[Arc<Folder>]) {
        let mut sum = Refreshed::default();
        for folder in folders {
            match folder.refresh(&self.stop) {
                Ok(refreshed) => {
                    sum.files += refreshed.files;
                    sum.read += refreshed.read;
                    sum.gone += refreshed.gone;
                    sum.left_out += refreshed.left_out;
                }
                Err(error) => {
                    tracing::warn!("the index of {} is not complete: {error}", folder.root.display());
                }
            }
        }
        lock(&self.state).refreshed = sum;
    }

    fn update(&self, paths: &[PathBuf]) {
        let paths: BTreeSet<&PathBuf> = paths.iter().collect();
        for folder in self.folders() {
            let inside: Vec<&PathBuf> =
                paths.iter().copied().filter(|path| path.starts_with(&folder.root)).collect();
            let wide = inside.len() > MAX_SINGLE_UPDATES || inside.iter().any(|path| folder.is_wide(path));
            let done = if wide {
                folder.refresh(&self.stop).map(drop)
            } else {
                inside.iter().try_for_each(|path| folder.update(path))
            };
            if let Err(error) = done {
                tracing::warn!("the index of {} is not complete: {error}", folder.root.display());
            }
        }
    }
}
