//! `textDocument/inlineCompletion` and `textDocument/completion`: one completion for the cursor.
//!
//! A request that is overtaken by typing or by a newer request is answered at once, with nothing. While keys come fast,
//! each is answered soon with what is written by then, and the next ones get the rest; where nothing is written yet, only
//! while the model makes an edit, since who pauses now may never ask again. The types of inline completion are our own,
//! after the specification's version 3.18.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redraft_grammars::Language;
use redraft_model::prompt::OtherFile;
use ropey::Rope;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, CompletionResponse,
    CompletionTextEdit, Documentation, InsertTextFormat, MarkupContent, MarkupKind, Position, Range,
    TextDocumentIdentifier, TextEdit, Url,
};

use super::convert::{from_position, from_range, to_range};
use super::shared::{Shared, lock};
use crate::complete::{
    Completer, Completion, Context, Counted, Options, Plan, Planned, Query, Tally, Written, shown_path,
};
use crate::session::{DocumentSnapshot, MAX_PARSED_BYTES};

/// What a client sends with `textDocument/inlineCompletion`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineCompletionParams {
    text_document: TextDocumentIdentifier,
    position: Position,
    #[serde(default)]
    context: InlineCompletionContext,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InlineCompletionContext {
    #[serde(default)]
    trigger_kind: u32,
    #[serde(default)]
    selected_completion_info: Option<SelectedCompletionInfo>,
}

/// The entry of a completion list that is selected: ghost text goes on after it.
#[derive(Clone, Debug, Deserialize)]
struct SelectedCompletionInfo {
    range: Range,
    text: String,
}

/// The kind of an inline completion that was asked for by a key, not by typing.
const INVOKED: u32 = 1;

/// The answer to `textDocument/inlineCompletion`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InlineCompletionList {
    items: Vec<InlineCompletionItem>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineCompletionItem {
    insert_text: String,
    range: Range,
}

/// The state of completing, one for a connection.
#[derive(Default)]
pub(super) struct Completing {
    completer: Mutex<Completer>,
    /// The request that is waited for; the next one or the next key cancels it.
    newest: Mutex<CancellationToken>,
    /// What is being written; it goes on while the user types what it says.
    running: Mutex<Option<Running>>,
    /// What is written ahead of time; the next request that needs the model ends it.
    ahead: Mutex<Option<Running>>,
    tally: Mutex<Tally>,
    /// What of other files is in the prompt, in an order that changes little.
    context: Mutex<Context>,
    /// How fast keys come.
    pace: Mutex<Pace>,
    /// Held by every edit that the model makes.
    edits: Arc<()>,
    /// Whether the client shows ghost text.
    inline: AtomicBool,
}

/// Keys that come faster than this are typed in one go: the next one will ask again in a moment.
const IN_ONE_GO: Duration = Duration::from_millis(125);
/// So long after a request of such a key something is answered, if there is something.
const PATIENCE: Duration = Duration::from_millis(36);
/// So often it is looked for after that.
const LOOK: Duration = Duration::from_millis(8);

/// When the last key came, and how long that was after the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    last: Option<Instant>,
    pause: Option<Duration>,
}

/// A completion that is being written.
#[derive(Clone)]
struct Running {
    plan: Plan,
    cancel: CancellationToken,
    progress: watch::Receiver<Progress>,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
struct Progress {
    written: Written,
    done: bool,
}

impl Running {
    /// Waits until it is done, or is not what `plan` needs any more; whether it is done.
    async fn leads_to(mut self, plan: &Plan) -> bool {
        loop {
            let progress = self.progress.borrow_and_update().clone();
            if progress.done || !self.plan.leads_to(plan, &progress.written.text) {
                return progress.done;
            }
            if self.progress.changed().await.is_err() {
                return true;
            }
        }
    }
}

impl Completing {
    pub(super) fn set_inline(&self, inline: bool) {
        self.inline.store(inline, Ordering::Relaxed);
    }

    pub(super) fn is_inline(&self) -> bool {
        self.inline.load(Ordering::Relaxed)
    }

    /// Takes up what was counted in earlier sessions.
    pub(super) fn remember(&self, counted: Counted) {
        *lock(&self.tally) = Tally::new(counted);
    }

    /// A document has a new text: whoever waits is answered with nothing.
    pub(super) fn changed(&self, uri: &Url, text: &Rope) {
        lock(&self.newest).cancel();
        let mut pace = lock(&self.pace);
        let now = Instant::now();
        *pace = Pace { last: Some(now), pause: pace.last.map(|last| now - last) };
        drop(pace);
        lock(&self.tally).changed(uri.as_str(), text);
    }

    /// The counts, if they changed.
    fn news(&self) -> Option<Counted> {
        lock(&self.tally).news()
    }

    /// Until when something must be answered, while keys come so fast that the next one asks again in a moment. Where
    /// they do not, whoever waits sees the whole completion as soon as it is there, and may never ask again.
    fn deadline(&self) -> Option<Instant> {
        let Pace { last, pause } = *lock(&self.pace);
        let now = Instant::now();
        let fast = pause? < IN_ONE_GO && now - last? < IN_ONE_GO;
        fast.then(|| now + PATIENCE)
    }

    /// The model makes an edit as long as what this gives is held.
    pub(super) fn edit(&self) -> Arc<()> {
        Arc::clone(&self.edits)
    }

    /// Whether the model makes an edit, so that completions take long.
    fn is_slowed(&self) -> bool {
        Arc::strong_count(&self.edits) > 1
    }

    /// What is there for a query by now, of a completion that is being written. The rest is for the next key.
    fn so_far(&self, query: &Query) -> Option<Completion> {
        let running = lock(&self.running).clone()?;
        let progress = running.progress.borrow();
        running.plan.so_far(query, &progress.written)
    }

    fn begin(&self, cancel: CancellationToken) {
        std::mem::replace(&mut *lock(&self.newest), cancel).cancel();
    }

    /// What is running, if it is what `plan` needs; otherwise it ends. What got done since `plan` was made is found once:
    /// what it wrote is known by now, or it led to nothing.
    fn running_for(&self, plan: &Plan) -> Option<Running> {
        let mut running = lock(&self.running);
        let found = running.take()?;
        let progress = found.progress.borrow().clone();
        if !found.plan.leads_to(plan, &progress.written.text) {
            found.cancel.cancel();
            return None;
        }
        *running = (!progress.done).then(|| found.clone());
        Some(found)
    }
}

/// The answer to `textDocument/inlineCompletion`.
pub(super) async fn inline(
    shared: &Arc<Shared>,
    params: InlineCompletionParams,
) -> Option<InlineCompletionList> {
    shared.completing.set_inline(true);
    let snapshot = shared.snapshot(&params.text_document.uri).ok()??;
    let invoked = params.context.trigger_kind == INVOKED;
    let encoding = shared.encoding();
    let cursor = encoding.to_byte(&snapshot.rope, from_position(params.position));
    let mut query = query(shared, &snapshot, cursor);
    let mut from = cursor;
    let mut selected = String::new();
    if let Some(info) = params.context.selected_completion_info {
        let range = from_range(info.range, &snapshot.rope, encoding);
        if range.end != cursor {
            return None;
        }
        from = range.start;
        query.cursor = range.start + info.text.len();
        query.text.replace_range(range, &info.text);
        query.tree = None;
        selected = info.text;
    }
    let language = query.language;
    let completion = complete(shared, query, invoked).await?;
    if selected.is_empty() {
        let name = language.map_or("plaintext", Language::name);
        let uri = snapshot.uri.as_str();
        lock(&shared.completing.tally).show(uri, name, &snapshot.rope, cursor, &completion);
    }
    let item = InlineCompletionItem {
        insert_text: format!("{selected}{}", completion.text),
        range: to_range(from..cursor + completion.replaces, &snapshot.rope, encoding),
    };
    Some(InlineCompletionList { items: vec![item] })
}

/// The answer to `textDocument/completion`: one entry, for clients that show no ghost text.
pub(super) async fn list(shared: &Arc<Shared>, params: CompletionParams) -> Option<CompletionResponse> {
    let place = params.text_document_position;
    if shared.completing.is_inline() {
        return None;
    }
    let snapshot = shared.snapshot(&place.text_document.uri).ok()??;
    let encoding = shared.encoding();
    let cursor = encoding.to_byte(&snapshot.rope, from_position(place.position));
    let query = query(shared, &snapshot, cursor);
    let (text, language) = (query.text.clone(), query.language);
    let completion = complete(shared, query, false).await?;
    // Clients sort by what the replaced text begins with: the word before the cursor belongs to it.
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let from = text[..cursor].trim_end_matches(word).len();
    let new_text = format!("{}{}", &text[from..cursor], completion.text);
    let shown = new_text.trim().lines().next().unwrap_or_default().to_owned();
    let more = new_text.trim().lines().nth(1).is_some();
    let item = CompletionItem {
        label: if more { format!("{shown} …") } else { shown },
        kind: Some(CompletionItemKind::SNIPPET),
        detail: Some("Redraft".to_owned()),
        documentation: more.then(|| {
            let value = format!("```{}\n{new_text}\n```", language.map_or("", Language::name));
            Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
        }),
        preselect: Some(false),
        // Behind what language servers know for certain.
        sort_text: Some("\u{ffff}".to_owned()),
        filter_text: Some(new_text.clone()),
        insert_text_format: Some(InsertTextFormat::PLAIN_TEXT),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit {
            range: to_range(from..cursor + completion.replaces, &snapshot.rope, encoding),
            new_text,
        })),
        ..CompletionItem::default()
    };
    Some(CompletionResponse::List(CompletionList { is_incomplete: true, items: vec![item] }))
}

fn query(shared: &Shared, snapshot: &DocumentSnapshot, cursor: usize) -> Query {
    let path = snapshot.uri.to_file_path().unwrap_or_else(|()| snapshot.uri.path().into());
    let (path, repository) = shown_path(&shared.session().folders, &path);
    Query {
        file: snapshot.uri.to_string(),
        path,
        repository,
        language: snapshot.language,
        text: snapshot.text(),
        cursor,
        tree: snapshot.tree.clone(),
    }
}

/// The completion for a query; nothing when there is none, or when something newer came.
async fn complete(shared: &Arc<Shared>, query: Query, invoked: bool) -> Option<Completion> {
    let config = shared.config().completion;
    if query.text.len() > MAX_PARSED_BYTES || !config.is_on(query.language) {
        return None;
    }
    let language = query.language.map_or("plaintext", Language::name);
    let (pause, max_tokens) = {
        let tally = lock(&shared.completing.tally);
        let pause = config.debounce.map_or_else(|| tally.debounce(language), Duration::from_millis);
        (pause, tally.max_tokens(language, config.max_tokens))
    };
    let options = Options { max_tokens, ..config.options() };
    let (pause, deadline) =
        if invoked { (Duration::ZERO, None) } else { (pause, shared.completing.deadline()) };
    let cancel = shared.new_cancel();
    shared.completing.begin(cancel.clone());
    // `$/cancelRequest` drops this future.
    let cancels = cancel.clone().drop_guard();
    let query = Arc::new(query);
    let mut writing = {
        let (shared, query) = (Arc::clone(shared), Arc::clone(&query));
        tokio::spawn(async move {
            tokio::select! {
                shown = unless_overtaken(&shared, &query, &options, pause) => shown,
                () = cancel.cancelled() => None,
            }
        })
    };
    let mut look = deadline;
    loop {
        tokio::select! {
            shown = &mut writing => return shown.ok()?,
            () = until(look) => {}
        }
        let so_far = shared.completing.so_far(&query);
        if so_far.is_some() || shared.completing.is_slowed() {
            // It goes on for the next key.
            cancels.disarm();
            return so_far;
        }
        look = Some(Instant::now() + LOOK);
    }
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// The completion for a query. Where something newer comes, this is dropped at any `.await`.
async fn unless_overtaken(
    shared: &Arc<Shared>,
    query: &Arc<Query>,
    options: &Options,
    mut pause: Duration,
) -> Option<Completion> {
    let shown = loop {
        let plan = match plan(shared, query, options).await? {
            Planned::Known(known) => break known.ok()?,
            Planned::Write(plan) => plan,
        };
        if let Some(running) = shared.completing.running_for(&plan) {
            running.leads_to(&plan).await;
            continue;
        }
        if !pause.is_zero() {
            tokio::time::sleep(std::mem::take(&mut pause)).await;
            continue;
        }
        if let Some(ahead) = lock(&shared.completing.ahead).take() {
            ahead.cancel.cancel();
        }
        let running = start(shared, *plan, false);
        *lock(&shared.completing.running) = Some(running.clone());
        let plan = running.plan.clone();
        let whole = running.leads_to(&plan).await;
        // Without a model nothing is remembered, and there is nothing to wait for.
        match self::plan(shared, query, options).await? {
            Planned::Known(known) if whole => break known.ok()?,
            Planned::Known(_) | Planned::Write(_) => return None,
        }
    };
    let (shared, query, options, accepted) = (Arc::clone(shared), Arc::clone(query), *options, shown.clone());
    // Nobody waits for it.
    drop(tokio::task::spawn_blocking(move || write_ahead(&shared, &query, &accepted, &options)));
    Some(shown)
}

/// What is to be done for a query, found out in a thread of its own: looking into other files takes milliseconds in which
/// the connection goes on.
async fn plan(shared: &Arc<Shared>, query: &Arc<Query>, options: &Options) -> Option<Planned> {
    let (shared, query, options) = (Arc::clone(shared), Arc::clone(query), *options);
    let planning = tokio::task::spawn_blocking(move || {
        let others = |query: &Query| others(&shared, query, &options);
        lock(&shared.completing.completer).plan(&query, &options, others)
    });
    planning.await.ok()
}

/// What the cursor's scope can see of other files.
fn others(shared: &Shared, query: &Query, options: &Options) -> Vec<OtherFile> {
    let Some(index) = shared.indexing.index() else { return Vec::new() };
    let path = Url::parse(&query.file).ok().and_then(|uri| uri.to_file_path().ok());
    let folders = shared.session().folders.clone();
    lock(&shared.completing.context)
        .others(&index, path.as_deref(), query, options.budget, |path| shown_path(&folders, path).0)
}

/// Has the engine write a plan, in a thread of its own. The result is remembered by the completer.
fn start(shared: &Arc<Shared>, plan: Plan, ahead: bool) -> Running {
    let (sender, progress) = watch::channel(Progress::default());
    let running = Running { plan, cancel: shared.new_cancel(), progress };
    let (shared, Running { plan, cancel, .. }) = (Arc::clone(shared), running.clone());
    tokio::task::spawn_blocking(move || {
        let on_text = &mut |written: &Written| {
            sender.send_modify(|progress| progress.written.clone_from(written));
        };
        match shared.engine.complete(&plan, ahead, &cancel, on_text) {
            // What is shown of it is asked for where it is wanted.
            Some(Ok(written)) => drop(lock(&shared.completing.completer).finish(&plan, &written)),
            Some(Err(error)) => tracing::debug!("no completion: {error}"),
            None => {}
        }
        sender.send_modify(|progress| progress.done = true);
    });
    running
}

/// Writes what would follow if a completion were accepted, so that it is there when it is.
fn write_ahead(shared: &Arc<Shared>, query: &Query, completion: &Completion, options: &Options) {
    let query = query.accepted(completion);
    let planned =
        lock(&shared.completing.completer).plan(&query, options, |query| others(shared, query, options));
    let Planned::Write(plan) = planned else { return };
    // What the model would have to read first may change until then.
    if !plan.warm {
        return;
    }
    let mut ahead = lock(&shared.completing.ahead);
    if ahead.as_ref().is_some_and(|running| running.plan.is_for_the_same(&plan)) {
        return;
    }
    if let Some(earlier) = ahead.replace(start(shared, *plan, true)) {
        earlier.cancel.cancel();
    }
}

/// Keeps the counts, if they changed.
pub(super) fn keep_counted(shared: &Shared) {
    if let Some(counted) = shared.completing.news() {
        shared.engine.keep_counted(&counted);
    }
}
