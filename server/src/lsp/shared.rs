//! What the handlers of one connection share, and the way of one apply through it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redraft_model::cache;
use ropey::Rope;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{MessageType, NumberOrString, ProgressToken, Url};

use super::actions::{self, Source};
use super::capabilities::Client;
use super::completion::Completing;
use super::engine::{Availability, Engine};
use super::indexing::Indexing;
use super::job::{Job, JobError, Subject, compute};
use super::land::{Landed, Stream as LandingStream, Way, land};
use super::peer::Peer;
use super::progress::Progress;
use super::remedy::{self, Remedy};
use super::status;
use crate::apply::{Applied, ApplyOptions, Route};
use crate::session::{Config, DocumentSnapshot, LoadTime, Prepare, Session, Stream};
use crate::text::PositionEncoding;

/// Typing has paused when nothing changed for so long.
const IDLE: Duration = Duration::from_millis(800);

/// What the handlers of one connection share.
pub(super) struct Shared {
    pub(super) peer: Peer,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) indexing: Indexing,
    session: Mutex<Session>,
    client: OnceLock<Client>,
    /// Cancelled when the connection ends.
    root: CancellationToken,
    /// Counts changes of documents, for those who wait for one.
    changes: watch::Sender<u64>,
    running: Mutex<HashMap<ProgressToken, CancellationToken>>,
    next_token: AtomicU64,
    declined_fetch: AtomicBool,
    /// The file that is being read ahead of time; the next one cancels it.
    preparing: Mutex<CancellationToken>,
    pub(super) completing: Completing,
    shut_down: AtomicBool,
    /// Documents whose hunks the client shows.
    reviewed: Mutex<HashSet<Url>>,
    /// Tokens a second that the model wrote last.
    last_speed: Mutex<Option<f64>>,
}

/// A lock that a panic elsewhere does not make unusable. Never held across an `.await`.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(peer: Peer, engine: Arc<dyn Engine>) -> Self {
        Self {
            peer,
            engine,
            indexing: Indexing::new(cache::folder().ok().map(|folder| folder.join("index"))),
            session: Mutex::default(),
            client: OnceLock::new(),
            root: CancellationToken::new(),
            changes: watch::Sender::default(),
            running: Mutex::default(),
            next_token: AtomicU64::new(1),
            declined_fetch: AtomicBool::new(false),
            preparing: Mutex::default(),
            completing: Completing::default(),
            shut_down: AtomicBool::new(false),
            reviewed: Mutex::default(),
            last_speed: Mutex::default(),
        }
    }

    /// Keeps what the client can do. A second `initialize` never comes here.
    pub(super) fn met(&self, client: Client) {
        let _ = self.client.set(client);
    }

    pub(super) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    /// The connection has ended: nothing goes on.
    pub(super) fn end(&self) {
        self.root.cancel();
        self.indexing.end();
    }

    /// A token for new work, cancelled with the connection at the latest.
    pub(super) fn new_cancel(&self) -> CancellationToken {
        self.root.child_token()
    }

    /// A document was opened, changed or closed.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn cancel_progress(&self, token: &ProgressToken) {
        if let Some(cancel) = lock(&self.running).get(token) {
            cancel.cancel();
        }
    }

    pub(super) fn client(&self) -> Client {
        self.client.get().copied().unwrap_or_default()
    }

    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        lock(&self.session)
    }

    pub(super) fn config(&self) -> Config {
        self.session().config.clone()
    }

    pub(super) fn encoding(&self) -> PositionEncoding {
        self.session().encoding
    }

    pub(super) fn apply_options(&self) -> ApplyOptions {
        ApplyOptions { route: self.session().config.apply.route, ..ApplyOptions::default() }
    }

    /// The document as it is now, if it is open; an error when its text is not to be trusted.
    pub(super) fn snapshot(&self, uri: &Url) -> Result<Option<DocumentSnapshot>, JobError> {
        let session = self.session();
        match session.out_of_step(uri) {
            Some(error) => Err(JobError::refused(error.to_string())),
            None => Ok(session.snapshot(uri)),
        }
    }

    /// The document as it was at a version.
    pub(super) fn snapshot_at(&self, uri: &Url, version: i32) -> Result<DocumentSnapshot, JobError> {
        let Some(now) = self.snapshot(uri)? else {
            return Err(JobError::refused(format!("{uri} is not open in the editor")));
        };
        self.session().snapshot_at(uri, version).ok_or_else(|| {
            JobError::refused(format!(
                "the suggestion is for version {version} of {}, which is now at version {}; nothing was applied",
                now.name(),
                now.version
            ))
        })
    }

    /// Waits until the document has this text, or the limit is over.
    pub(super) async fn wait_for_text(&self, uri: &Url, text: &Rope, limit: Duration) {
        let mut changes = self.changes.subscribe();
        let arrived = async {
            while self.session().snapshot(uri).is_some_and(|now| now.rope != *text) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(limit, arrived).await;
    }

    pub(super) fn new_progress_token(&self) -> ProgressToken {
        NumberOrString::String(format!("redraft/{}", self.next_token.fetch_add(1, Ordering::Relaxed)))
    }

    /// Lets the client cancel `cancel` under this token for as long as the result lives.
    pub(super) fn register_cancel(
        self: &Arc<Self>,
        token: ProgressToken,
        cancel: CancellationToken,
    ) -> impl Drop + use<> {
        struct Registered(Arc<Shared>, ProgressToken);
        impl Drop for Registered {
            fn drop(&mut self) {
                lock(&self.0.running).remove(&self.1);
            }
        }
        lock(&self.running).insert(token.clone(), cancel);
        Registered(Arc::clone(self), token)
    }

    /// Whether the client should hear about the hunks of a document: there are some, or it still shows some.
    pub(super) fn review_is_news(&self, uri: &Url, has_hunks: bool) -> bool {
        let mut reviewed = lock(&self.reviewed);
        if has_hunks {
            reviewed.insert(uri.clone());
        }
        has_hunks || reviewed.remove(uri)
    }

    /// Tokens a second that the model wrote last.
    pub(super) fn last_speed(&self) -> Option<f64> {
        *lock(&self.last_speed)
    }

    pub(super) fn declined_fetch(&self) -> bool {
        self.declined_fetch.load(Ordering::Relaxed)
    }

    pub(super) fn decline_fetch(&self) {
        self.declined_fetch.store(true, Ordering::Relaxed);
    }

    /// Lets the model read ahead what an action would be applied to.
    pub(super) fn prepare_for(self: &Arc<Self>, source: Source) {
        if !self.prepares(Prepare::Offer) {
            return;
        }
        let shared = Arc::clone(self);
        self.start_preparing(Duration::ZERO, async move { actions::job(&shared, source).await.ok() });
    }

    /// Lets the model read a document ahead once typing pauses.
    pub(super) fn prepare_when_idle(self: &Arc<Self>, uri: Url) {
        if !self.prepares(Prepare::Idle) {
            return;
        }
        let shared = Arc::clone(self);
        self.start_preparing(IDLE, async move {
            let subject = Subject::open(&shared.snapshot(&uri).ok()??);
            Some(Job { subject, cut: None, suggestion: String::new(), instruction: None, offer: None })
        });
    }

    /// Whether the model reads ahead on this occasion.
    fn prepares(&self, occasion: Prepare) -> bool {
        let config = self.config().apply;
        let wanted = config.prepare == occasion || config.prepare == Prepare::Idle;
        wanted && config.route != Route::Deterministic
    }

    fn start_preparing(
        self: &Arc<Self>,
        pause: Duration,
        job: impl Future<Output = Option<Job>> + Send + 'static,
    ) {
        let cancel = self.root.child_token();
        std::mem::replace(&mut *lock(&self.preparing), cancel.clone()).cancel();
        let (engine, route) = (Arc::clone(&self.engine), self.config().apply.route);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => return,
            }
            if let Some(job) = job.await
                && !cancel.is_cancelled()
            {
                let _ =
                    tokio::task::spawn_blocking(move || engine.prepare(&job.request(), route, &cancel)).await;
            }
        });
    }

    /// Uses another model from now on, until settings name one.
    pub(super) fn use_model(&self, name: String) {
        let model = {
            let mut session = self.session();
            session.config.model.name = name;
            session.config.model.clone()
        };
        self.engine.configure(&model);
    }

    /// Takes in settings; what is not understood is shown.
    pub(super) fn configure(&self, settings: &Value) {
        let (config, problems) = {
            let mut session = self.session();
            let problems = session.config.update(settings);
            (session.config.clone(), problems)
        };
        self.engine.configure(&config.model);
        for problem in problems {
            self.peer.show(MessageType::WARNING, format!("Redraft settings: {problem}"));
        }
        if self.indexing.index().is_some() {
            self.follow_workspace();
        }
    }

    /// Begins the index of the workspace, or tells it of other folders and settings.
    pub(super) fn follow_workspace(&self) {
        self.indexing.follow(&self.session());
    }

    /// Loads a model that is on this machine, in the background, where that is configured.
    pub(super) async fn start_loading(self: &Arc<Self>) {
        if self.config().model.load != LoadTime::Start {
            return;
        }
        let engine = Arc::clone(&self.engine);
        let loaded = tokio::task::spawn_blocking(move || match engine.availability() {
            Availability::OnDisk => engine.load(),
            Availability::Unusable(reason) => Err(reason),
            Availability::Ready | Availability::Missing { .. } => Ok(()),
        });
        if let Ok(Err(reason)) = loaded.await {
            tracing::warn!("no model: {reason}");
            let message = format!("Redraft works without a model for now: {reason}");
            remedy::show(self, MessageType::WARNING, message, Remedy::UNUSABLE);
        }
    }

    /// Runs a job to its end, with progress and messages.
    pub(super) async fn run(
        self: &Arc<Self>,
        job: impl Future<Output = Result<Job, JobError>>,
        way: Way,
        token: Option<ProgressToken>,
        cancel: CancellationToken,
    ) -> Result<Done, JobError> {
        let result = self.run_quietly(job, way, token, &cancel).await;
        match &result {
            Err(JobError::Refused { reason, remedies }) => {
                remedy::show(self, MessageType::ERROR, format!("Redraft: {reason}"), remedies);
            }
            Ok(Done { landed: Landed::Unchanged, .. }) => {
                self.peer.show(MessageType::INFO, "Redraft: the file already says what the suggestion says");
            }
            Err(JobError::Cancelled) | Ok(_) => {}
        }
        result
    }

    async fn run_quietly(
        self: &Arc<Self>,
        job: impl Future<Output = Result<Job, JobError>>,
        way: Way,
        token: Option<ProgressToken>,
        cancel: &CancellationToken,
    ) -> Result<Done, JobError> {
        if way == Way::Sent && !self.client().apply_edit {
            return Err(JobError::refused("this editor does not apply edits that a server sends"));
        }
        // An apply is worth more than reading ahead.
        lock(&self.preparing).cancel();
        let job = job.await?;
        let title = format!("Applying the suggestion to {}", job.subject.name);
        let progress = Progress::begin(self, token, title, cancel);
        // On the other routes the model's text is an opinion, not what lands.
        let config = self.config().apply;
        let streams = way == Way::Sent && config.stream == Stream::Hunks && config.route == Route::Model;
        let result = if streams {
            self.run_streamed(&job, &progress, cancel).await
        } else {
            async {
                let applied = compute(self, &job, &progress, cancel, None).await?;
                let landed = tokio::select! {
                    landed = land(self, &job, &applied, way) => landed?,
                    () = cancel.cancelled() => return Err(JobError::Cancelled),
                };
                Ok(Done { applied, landed })
            }
            .await
        };
        progress.finish().await;
        let done = result?;
        if let Some(rate) = status::rate(&done.applied) {
            *lock(&self.last_speed) = Some(rate);
        }
        if let (Landed::Applied | Landed::Edit(_), Some(offer)) = (&done.landed, &job.offer) {
            self.session().withdraw(&job.subject.uri, offer);
        }
        let route = format!("{}: {}, {}", job.subject.name, done.applied.route, done.applied.reason);
        self.peer.log(route);
        Ok(done)
    }

    /// The edits go out while the rest is still being verified. What has landed is taken back when the apply fails.
    async fn run_streamed(
        self: &Arc<Self>,
        job: &Job,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Done, JobError> {
        let (sender, mut texts) = tokio::sync::mpsc::unbounded_channel();
        let mut stream = LandingStream::new(job);
        let made = {
            let compute = compute(self, job, progress, cancel, Some(sender));
            let follow = stream.follow(self, &mut texts);
            tokio::try_join!(compute, follow)
        };
        let result = match made {
            Ok((applied, ())) => stream.finish(self, &applied).await.map(|landed| Done { applied, landed }),
            Err(error) => Err(error),
        };
        if result.is_err() {
            cancel.cancel();
            stream.take_back(self).await?;
        }
        result
    }
}

/// An apply that came to its end.
pub(super) struct Done {
    pub(super) applied: Applied,
    pub(super) landed: Landed,
}
