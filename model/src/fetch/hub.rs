//! Fetching a file of a hub repository over HTTPS: several ranges at once, each resumed where it broke off.
//!
//! Runs on a thread and runtime of its own, so that it may be called from anywhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, RANGE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::task::JoinSet;

use super::Job;
use super::error::{FetchError, SourceError, Stop};
use super::partial::Partial;
use super::progress::{Meter, Progress};
use crate::catalogue::Identity;

/// Which hub, and how patiently.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Where the hub is, without a slash at the end.
    pub endpoint: String,
    /// Sent as a bearer token when there is one.
    pub token: Option<String>,
    /// How long a connection may take before the next source is tried.
    pub connect_timeout: Duration,
    /// How long a connection may say nothing.
    pub read_timeout: Duration,
    /// How often a piece is tried.
    pub attempts: u32,
    /// Wait before the second try of a piece; doubled for each one after it.
    pub backoff: Duration,
    /// How many ranges are fetched at once.
    pub connections: usize,
    /// Bytes of one range; what is lost at most when the process is killed, times the connections.
    pub piece: u64,
}

impl Hub {
    /// The hub of this user's settings: `HF_ENDPOINT`, `HF_TOKEN`.
    pub fn from_env() -> Hub {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Hub {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            token: set("HF_TOKEN").map(|token| token.trim().to_owned()),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            attempts: 5,
            backoff: Duration::from_millis(500),
            connections: 4,
            piece: 16 << 20,
        }
    }

    /// Fetches the file into its partial file, which is complete when this returns.
    pub(super) fn download(
        &self,
        path: &str,
        job: &Job,
        progress: &mut dyn Progress,
    ) -> Result<Partial, Stop> {
        let url = format!("{}/{path}", self.endpoint);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| SourceError::Unreachable(error.to_string()))?;
                runtime.block_on(self.run(&url, job, progress))
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Whether the hub answers at all, within its time limits; the error is one plain phrase.
    pub fn reachable(&self) -> Result<(), String> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let answer = runtime
                    .map_err(|error| error.to_string())?
                    .block_on(async { self.client(Policy::none())?.head(&self.endpoint).send().await });
                answer.map(drop).map_err(|error| plain(&error))
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn client(&self, redirects: Policy) -> reqwest::Result<Client> {
        Client::builder()
            .user_agent(concat!("redraft/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .redirect(redirects)
            .build()
    }

    async fn run(&self, url: &str, job: &Job<'_>, progress: &mut dyn Progress) -> Result<Partial, Stop> {
        let client =
            |redirects| self.client(redirects).map_err(|error| SourceError::Unreachable(plain(&error)));
        let fetch = Fetch { hub: self.clone(), url: url.to_owned(), client: client(Policy::default())? };
        let remote = fetch.probe(job.identity, client(Policy::none())?, progress).await?;
        if let Identity::Known { size, .. } = *job.identity
            && remote.size != size
        {
            return Err(SourceError::WrongSize { expected: size, found: remote.size }.into());
        }
        job.check_room(remote.size)?;
        let partial = Partial::open(job.target, &remote.key, remote.size)?;
        if partial.resumed() {
            progress.note(&format!("going on after {} MB from an earlier fetch", partial.done() / 1_000_000));
        }
        let step = if remote.ranges { self.piece } else { u64::MAX };
        let mut pieces = partial.missing(step);
        let mut arrived = partial.done();
        if !remote.ranges && !pieces.is_empty() {
            pieces = std::iter::once(0..remote.size).collect();
            arrived = 0;
        }
        pieces.reverse();
        let shared = Arc::new(Shared {
            arrived: AtomicU64::new(arrived),
            partial: Mutex::new(partial),
            pieces: Mutex::new(pieces),
            ranges: remote.ranges,
        });
        fetch.pieces(&shared, progress).await?;
        // Every worker has ended, so this is the last reference.
        let shared = Arc::into_inner(shared).expect("the workers have ended");
        Ok(shared.partial.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the probe found out.
struct Remote {
    size: u64,
    ranges: bool,
    key: String,
}

/// One file of one hub.
#[derive(Clone)]
struct Fetch {
    hub: Hub,
    url: String,
    client: Client,
}

/// What the connections share.
struct Shared {
    partial: Mutex<Partial>,
    /// What is still to be fetched, next one last.
    pieces: Mutex<Vec<std::ops::Range<u64>>>,
    arrived: AtomicU64,
    ranges: bool,
}

impl Shared {
    fn partial(&self) -> MutexGuard<'_, Partial> {
        self.partial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request did not bring what was asked for.
enum Trouble {
    /// Another try may help, after this long if the server said so.
    Passing(SourceError, Option<Duration>),
    /// No use to try again.
    Lasting(Stop),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Trouble {
        Trouble::Lasting(stop)
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Trouble {
        Trouble::Lasting(Stop::Source(error))
    }
}

impl Fetch {
    /// Asks for one byte: shows at once whether the hub is there, has the file, how large it is, and knows ranges.
    async fn probe(
        &self,
        identity: &Identity,
        no_redirects: Client,
        progress: &mut dyn Progress,
    ) -> Result<Remote, Stop> {
        let mut tries = 0;
        let response = loop {
            tries += 1;
            // A hub that cannot be reached, or says nothing, is not waited for again: the next source is.
            let answer = match self.request(0..1).await {
                Ok(response) => check_status(response, self.hub.token.is_some()),
                Err(error) => Err(SourceError::Unreachable(plain(&error)).into()),
            };
            match answer {
                Ok(response) => break response,
                Err(Trouble::Lasting(stop)) => return Err(stop),
                Err(Trouble::Passing(error, _)) if tries >= self.hub.attempts => return Err(error.into()),
                Err(Trouble::Passing(error, wait)) => {
                    tracing::info!("trying {} again: {error}", self.url);
                    self.wait(tries, wait, progress).await?;
                }
            }
        };
        let ranges = response.status() == StatusCode::PARTIAL_CONTENT;
        let size = if ranges {
            content_range(&response).map(|(_, size)| size)
        } else {
            header(&response, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok())
        };
        let size = size.ok_or(SourceError::NoSize)?;
        let etag = header(&response, ETAG.as_str()).unwrap_or_default();
        let key = match identity {
            Identity::Known { sha256, .. } => (*sha256).to_owned(),
            Identity::FirstUse { .. } => {
                self.stated_hash(&no_redirects).await.unwrap_or_else(|| format!("{} {etag}", self.url))
            }
        };
        Ok(Remote { size, ranges, key })
    }

    /// The hash that the hub itself states for a file, on the answer that redirects to its storage.
    async fn stated_hash(&self, no_redirects: &Client) -> Option<String> {
        let mut request = no_redirects.head(&self.url);
        if let Some(token) = &self.hub.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?;
        header(&answer, "x-linked-etag").map(|etag| etag.trim_matches('"').to_owned())
    }

    async fn request(&self, range: std::ops::Range<u64>) -> reqwest::Result<Response> {
        let mut request = self.client.get(&self.url).header(ACCEPT_ENCODING, "identity");
        request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        if let Some(token) = &self.hub.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }

    /// Fetches all pieces, some at once, until there are none left or one cannot be had.
    async fn pieces(&self, shared: &Arc<Shared>, progress: &mut dyn Progress) -> Result<(), Stop> {
        let mut workers = JoinSet::new();
        for _ in 0..self.hub.connections.max(1) {
            let (fetch, shared) = (self.clone(), Arc::clone(shared));
            workers.spawn(async move {
                loop {
                    let next = shared.pieces.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    match next {
                        Some(piece) => fetch.piece(piece, &shared).await?,
                        None => return Ok::<(), Stop>(()),
                    }
                }
            });
        }
        let mut meter = Meter::new(shared.partial().size());
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                ended = workers.join_next() => match ended {
                    None => break,
                    Some(Ok(Ok(()))) => {}
                    // Dropping the set ends the other workers.
                    Some(Ok(Err(stop))) => return Err(stop),
                    Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                },
                _ = tick.tick() => {
                    if progress.cancelled() {
                        return Err(FetchError::Cancelled.into());
                    }
                    progress.update(&meter.at(Instant::now(), shared.arrived.load(Ordering::Relaxed)));
                }
            }
        }
        progress.update(&meter.at(Instant::now(), shared.partial().done()));
        Ok(())
    }

    /// Fetches one piece; after a break goes on where it stopped, after ever longer waits.
    async fn piece(&self, piece: std::ops::Range<u64>, shared: &Shared) -> Result<(), Stop> {
        let mut at = piece.start;
        let mut tries = 0;
        while at < piece.end {
            tries += 1;
            let (error, wait) = match self.stream(&mut at, piece.end, shared).await {
                Ok(()) => break,
                Err(Trouble::Lasting(stop)) => return Err(stop),
                Err(Trouble::Passing(error, wait)) => (error, wait),
            };
            if tries >= self.hub.attempts {
                return Err(error.into());
            }
            tracing::info!("trying {} again from byte {at}: {error}", self.url);
            tokio::time::sleep(wait.unwrap_or(self.hub.backoff * 2u32.pow(tries - 1))).await;
            if !shared.ranges {
                shared.arrived.fetch_sub(at - piece.start, Ordering::Relaxed);
                at = piece.start;
            }
        }
        shared.partial().complete(piece)
    }

    /// One request for what is left of a piece; `at` follows what was written.
    async fn stream(&self, at: &mut u64, end: u64, shared: &Shared) -> Result<(), Trouble> {
        let cut = |error: &reqwest::Error| Trouble::Passing(SourceError::Cut(plain(error)), None);
        let response = self.request(*at..end).await.map_err(|error| cut(&error))?;
        let mut response = check_status(response, self.hub.token.is_some())?;
        let total = shared.partial().size();
        let fits = match response.status() {
            StatusCode::PARTIAL_CONTENT => content_range(&response) == Some((*at, total)),
            _ => *at == 0 && end == total,
        };
        if !fits {
            return Err(SourceError::Cut("the server sent another part than was asked for".into()).into());
        }
        while *at < end {
            let Some(bytes) = response.chunk().await.map_err(|error| cut(&error))? else {
                return Err(Trouble::Passing(SourceError::Cut("it ended early".into()), None));
            };
            if bytes.len() as u64 > end - *at {
                return Err(SourceError::Cut("the server sent more than was asked for".into()).into());
            }
            shared.partial().write_at(*at, &bytes)?;
            *at += bytes.len() as u64;
            shared.arrived.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits before the next try, still listening to the user.
    async fn wait(&self, tries: u32, asked: Option<Duration>, progress: &dyn Progress) -> Result<(), Stop> {
        let until = Instant::now() + asked.unwrap_or(self.hub.backoff * 2u32.pow(tries - 1));
        while Instant::now() < until {
            if progress.cancelled() {
                return Err(FetchError::Cancelled.into());
            }
            tokio::time::sleep((until - Instant::now()).min(Duration::from_millis(100))).await;
        }
        Ok(())
    }
}

/// Lets through what brings bytes; tells passing troubles from lasting ones.
fn check_status(response: Response, with_token: bool) -> Result<Response, Trouble> {
    let status = response.status();
    match status.as_u16() {
        200 | 206 => Ok(response),
        code @ (401 | 403) => Err(SourceError::Refused { status: code, with_token }.into()),
        code @ (429 | 500..=599) => {
            let wait = header(&response, RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
            // A server that wants a long pause is left for the next source.
            let wait = wait.map(|seconds: u64| Duration::from_secs(seconds.min(10)));
            Err(Trouble::Passing(SourceError::Status(code), wait))
        }
        code => Err(SourceError::NotFound(code).into()),
    }
}

/// First byte and size of the whole, from `Content-Range: bytes 0-9/100`.
fn content_range(response: &Response) -> Option<(u64, u64)> {
    let value = header(response, CONTENT_RANGE.as_str())?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

fn header(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The innermost cause, which says what happened; the outer ones only repeat the address.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
