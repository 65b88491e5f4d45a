//! One "Apply suggestion", from the suggestion to the edited text.
//!
//! The deterministic merge is tried first, on its own: it takes milliseconds and needs neither a model nor a turn.
//! Only what it is not sure of waits for the model. Dropping the future cancels the work within one chunk.

use std::path::PathBuf;
use std::sync::Arc;

use redraft_grammars::Language;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tower_lsp::jsonrpc::{Error, ErrorCode};
use tower_lsp::lsp_types::{MessageType, Url};

use super::applying::Preview;
use super::choice::choose_model;
use super::engine::{Availability, Step};
use super::progress::Progress;
use super::remedy::Remedy;
use super::shared::Shared;
use crate::apply::{Applied, ApplyError, ApplyOptions, ApplyRequest, Route};
use crate::session::{DocumentSnapshot, FetchPolicy};
use crate::text::{Edits, diff, split_bom};

/// Why an apply did not land. The file is as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum JobError {
    /// The user or the client cancelled it.
    #[error("cancelled; the file is as it was")]
    Cancelled,
    /// It cannot be done.
    #[error("{reason}")]
    Refused {
        /// Why, in a sentence for the user.
        reason: String,
        /// What the user can do about it.
        remedies: &'static [Remedy],
    },
}

/// Why there is no model to be had.
#[derive(Clone, Debug)]
pub(super) struct NoModel {
    pub(super) reason: String,
    pub(super) remedies: &'static [Remedy],
}

impl NoModel {
    fn unusable(reason: String) -> Self {
        tracing::warn!("no model: {reason}");
        Self { reason, remedies: Remedy::UNUSABLE }
    }

    pub(super) fn error(self) -> JobError {
        JobError::Refused { reason: self.reason, remedies: self.remedies }
    }
}

impl JobError {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), remedies: &[] }
    }

    /// Something failed that should not; the log says what.
    fn defect(reason: &str) -> Self {
        let reason = format!("{reason}; this is a defect of ours");
        Self::Refused { reason, remedies: &[Remedy::OpenLog] }
    }
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        /// `RequestFailed` of the specification, which tower-lsp has no name for.
        const REQUEST_FAILED: i64 = -32803;
        let code = match error {
            JobError::Cancelled => ErrorCode::RequestCancelled,
            JobError::Refused { .. } => ErrorCode::ServerError(REQUEST_FAILED),
        };
        Error { code, message: error.to_string().into(), data: None }
    }
}

/// The file that an apply is for, as it was when the suggestion was made.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) uri: Url,
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    /// `None` for a file that is not open in the editor.
    pub(super) version: Option<i32>,
    pub(super) language: Option<Language>,
    /// The text, as an editor has it: without a byte-order mark.
    pub(super) text: String,
}

impl Subject {
    pub(super) fn open(snapshot: &DocumentSnapshot) -> Self {
        Self {
            uri: snapshot.uri.clone(),
            name: snapshot.name(),
            path: snapshot.path(),
            version: Some(snapshot.version),
            language: snapshot.language,
            text: snapshot.text(),
        }
    }

    pub(super) async fn on_disk(path: PathBuf) -> Result<Self, JobError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let uri = Url::from_file_path(&path)
            .map_err(|()| JobError::refused(format!("{} has no absolute path", path.display())))?;
        let text = read_file(&path).await?;
        let language = Language::from_path(&path);
        Ok(Self { uri, name, path: Some(path), version: None, language, text })
    }
}

/// Reads a file as an editor would have it.
pub(super) async fn read_file(path: &std::path::Path) -> Result<String, JobError> {
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| JobError::refused(format!("{} cannot be read: {error}", path.display())))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        JobError::refused(format!("{} is not UTF-8 text; nothing was applied", path.display()))
    })?;
    Ok(split_bom(&text).1.to_owned())
}

/// One suggestion for one file.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) subject: Subject,
    /// Where the suggestion itself stands in the file, to be taken out.
    pub(super) cut: Option<std::ops::Range<usize>>,
    pub(super) suggestion: String,
    pub(super) instruction: Option<String>,
    /// The offer that it came from, to be withdrawn when it has landed.
    pub(super) offer: Option<String>,
}

impl Job {
    /// The text that the suggestion is applied to.
    pub(super) fn original(&self) -> String {
        let text = &self.subject.text;
        match &self.cut {
            Some(cut) => [&text[..cut.start], &text[cut.end..]].concat(),
            None => text.clone(),
        }
    }

    /// The edits on the file that make it `output`.
    pub(super) fn edits(&self, output: &str) -> Edits {
        let edits = diff(&self.original(), output);
        match &self.cut {
            Some(cut) => edits.with_cut(cut.clone()),
            None => edits,
        }
    }

    pub(super) fn request(&self) -> ApplyRequest {
        ApplyRequest {
            path: self.subject.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            language: self.subject.language.map(|language| language.name().to_owned()),
            instruction: self.instruction.clone(),
            original: self.original(),
            suggestion: self.suggestion.clone(),
        }
    }
}

/// Makes the edited text. `on_text` gets the model's text as it is verified.
pub(super) async fn compute(
    shared: &Arc<Shared>,
    job: &Job,
    progress: &Progress,
    cancel: &CancellationToken,
    on_text: Option<UnboundedSender<String>>,
) -> Result<Applied, JobError> {
    let request = job.request();
    let options = shared.apply_options();
    let mut sure = None;
    if options.route != Route::Model {
        let merged = run(shared, &request, options, false, cancel, progress, Listeners::default()).await?;
        match merged {
            Ok(applied) if !applied.asks || options.route == Route::Deterministic => return Ok(applied),
            Err(error) if options.route == Route::Deterministic || !model_may_help(&error) => {
                return Err(failed(&error));
            }
            unsure => sure = Some(unsure),
        }
    }
    let unavailable = model_ready(shared, progress, cancel, false).await?.err();
    match (unavailable, sure) {
        (None, _) => {
            let _turn = take_turn(shared, progress, cancel).await?;
            let preview = Preview::begin(shared, job, cancel, on_text.is_some());
            let listeners = Listeners { preview, on_text };
            let done = run(shared, &request, options, true, cancel, progress, listeners).await?;
            done.map_err(|error| failed(&error))
        }
        (Some(no_model), Some(Ok(mut applied))) => {
            applied.why.push(format!("No model looked at it: {}", no_model.reason));
            Ok(applied)
        }
        (Some(no_model), Some(Err(error))) => {
            let reason = format!("{error} (no model could try: {})", no_model.reason);
            Err(NoModel { reason, ..no_model }.error())
        }
        (Some(no_model), None) => Err(no_model.error()),
    }
}

/// Who hears of the model's text while it is being verified.
#[derive(Default)]
struct Listeners {
    preview: Option<Preview>,
    on_text: Option<UnboundedSender<String>>,
}

/// A suggestion that cannot be read stays unreadable.
fn model_may_help(error: &ApplyError) -> bool {
    !matches!(error, ApplyError::Suggestion(_) | ApplyError::Cancelled)
}

fn failed(error: &ApplyError) -> JobError {
    match error {
        ApplyError::Cancelled => JobError::Cancelled,
        other => JobError::refused(other.to_string()),
    }
}

/// Runs the engine on a thread for blocking work.
async fn run(
    shared: &Arc<Shared>,
    request: &ApplyRequest,
    options: ApplyOptions,
    use_model: bool,
    cancel: &CancellationToken,
    progress: &Progress,
    mut listeners: Listeners,
) -> Result<Result<Applied, ApplyError>, JobError> {
    let engine = Arc::clone(&shared.engine);
    let expected = request.original.len() + request.suggestion.len() / 2;
    let (steps, mut received) = tokio::sync::mpsc::unbounded_channel();
    let (request, token) = (request.clone(), cancel.clone());
    let edit = use_model.then(|| shared.completing.edit());
    let work = tokio::task::spawn_blocking(move || {
        let _edit = edit;
        let mut on_step = |step| {
            // Nobody listens any more when the apply was cancelled.
            let _ = steps.send(step);
        };
        engine.apply(&request, &options, use_model, &token, &mut on_step)
    });
    let mut written = 0;
    let watch = async {
        while let Some(step) = received.recv().await {
            if let Some(preview) = &mut listeners.preview {
                preview.step(&step);
            }
            match step {
                Step::Reading { done, total } => {
                    let percent = (done * 10 / total.max(1)).min(10);
                    progress.say(format!("Reading: {done} of {total} tokens"), u32::try_from(percent).ok());
                }
                Step::Writing { text, tokens_per_second } => {
                    written += text.len();
                    let percent = 10 + (written * 89 / expected.max(1)).min(89);
                    let speed = tokens_per_second.map(|rate| format!(": {rate:.0} tokens/s"));
                    let message = format!("Writing{}", speed.unwrap_or_default());
                    progress.say(message, u32::try_from(percent).ok());
                    if let Some(on_text) = &listeners.on_text {
                        let _ = on_text.send(text);
                    }
                }
            }
        }
    };
    tokio::select! {
        // The steps end when the work does; both are waited for, and a cancelled work is not.
        (done, ()) = async { tokio::join!(work, watch) } => {
            done.map_err(|_| JobError::defect("Redraft failed on this suggestion"))
        }
        () = cancel.cancelled() => Err(JobError::Cancelled),
    }
}

/// Waits until no other apply uses the model, in the open.
pub(super) async fn take_turn<'s>(
    shared: &'s Arc<Shared>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<tokio::sync::SemaphorePermit<'s>, JobError> {
    let turn = shared.engine.turn();
    if let Ok(permit) = turn.try_acquire() {
        return Ok(permit);
    }
    progress.say("Waiting for another apply to finish", None);
    tokio::select! {
        permit = turn.acquire() => permit.map_err(|_| JobError::Cancelled),
        () = cancel.cancelled() => Err(JobError::Cancelled),
    }
}

/// Sees to it that the model is loaded. The inner error says why it will not be, which need not end the apply. A missing
/// model is fetched where the user has said so, just now with `may_fetch` or by settings and answers.
pub(super) async fn model_ready(
    shared: &Arc<Shared>,
    progress: &Progress,
    cancel: &CancellationToken,
    may_fetch: bool,
) -> Result<Result<(), NoModel>, JobError> {
    let mut availability = blocking(shared, cancel, |engine, _| engine.availability()).await?;
    if let (false, Availability::Missing { name, bytes }) = (may_fetch, &availability) {
        if let Err(reason) = allowed_to_fetch(shared, name, *bytes, cancel).await? {
            return Ok(Err(NoModel { reason, remedies: Remedy::MISSING }));
        }
        // Another model may have been chosen.
        availability = blocking(shared, cancel, |engine, _| engine.availability()).await?;
    }
    if let Availability::Missing { name, .. } = &availability {
        let (steps, mut received) = tokio::sync::mpsc::unbounded_channel();
        let fetched = blocking(shared, cancel, move |engine, cancel| {
            engine.fetch(cancel, &mut |done, total| {
                // Nobody listens any more when the apply was cancelled.
                let _ = steps.send((done, total));
            })
        });
        let title = format!("Fetching the model {name}");
        let watch = async {
            while let Some((done, total)) = received.recv().await {
                let percent = u32::try_from(done * 100 / total.max(1)).unwrap_or(100);
                progress.say(format!("{title}: {} of {} MB", done >> 20, total >> 20), Some(percent));
            }
        };
        let (fetched, ()) = tokio::join!(fetched, watch);
        if let Err(reason) = fetched? {
            tracing::warn!("{name} was not fetched: {reason}");
            return Ok(Err(NoModel { reason, remedies: Remedy::NOT_FETCHED }));
        }
        availability = Availability::OnDisk;
    }
    match availability {
        Availability::Ready => Ok(Ok(())),
        Availability::Unusable(reason) => Ok(Err(NoModel::unusable(reason))),
        Availability::OnDisk | Availability::Missing { .. } => {
            progress.say("Loading the model", None);
            Ok(blocking(shared, cancel, |engine, _| engine.load()).await?.map_err(NoModel::unusable))
        }
    }
}

/// Whether a missing model may be fetched: as configured, or as the user says when asked.
async fn allowed_to_fetch(
    shared: &Arc<Shared>,
    name: &str,
    bytes: u64,
    cancel: &CancellationToken,
) -> Result<Result<(), String>, JobError> {
    const FETCH: &str = "Fetch";
    let another = Remedy::ChooseModel.title();
    let missing = format!("the model {name} is not on this machine; `redraft model fetch {name}` fetches it");
    match shared.config().model.fetch {
        FetchPolicy::Always => return Ok(Ok(())),
        FetchPolicy::Never => return Ok(Err(missing)),
        FetchPolicy::Ask if shared.declined_fetch() => return Ok(Err(missing)),
        FetchPolicy::Ask => {}
    }
    let question = format!(
        "Redraft needs its model {name} ({} MB) to be sure about this suggestion. Fetch it now?",
        bytes / 1_000_000
    );
    let answer = tokio::select! {
        answer = shared.peer.ask(MessageType::INFO, question, [FETCH, another, "Not now"]) => answer,
        () = cancel.cancelled() => return Err(JobError::Cancelled),
    };
    match answer.ok().flatten() {
        Some(title) if title == FETCH => Ok(Ok(())),
        Some(title) if title == another => {
            Box::pin(choose_model(shared, None, cancel)).await?;
            Ok(Ok(()))
        }
        _ => {
            shared.decline_fetch();
            Ok(Err(missing))
        }
    }
}

/// Runs something of the engine on a thread for blocking work.
pub(super) async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    cancel: &CancellationToken,
    work: impl FnOnce(&dyn super::engine::Engine, &CancellationToken) -> T + Send + 'static,
) -> Result<T, JobError> {
    let (engine, token) = (Arc::clone(&shared.engine), cancel.clone());
    let work = tokio::task::spawn_blocking(move || work(engine.as_ref(), &token));
    tokio::select! {
        done = work => done.map_err(|_| JobError::defect("Redraft's engine failed")),
        () = cancel.cancelled() => Err(JobError::Cancelled),
    }
}
