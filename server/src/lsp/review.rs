//! Keeping and undoing what an apply changed, hunk by hunk.
//!
//! Clients that want it hear with `redraft/review` which hunks of a document are still to be decided about, again after
//! every change of the document, and get a lens for each. No hunk: the review is over.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::request::CodeLensRefresh;
use tower_lsp::lsp_types::{CodeLens, Command, Position, Range, Url};

use super::capabilities::{KEEP_ALL, KEEP_HUNK, UNDO_ALL, UNDO_HUNK};
use super::convert::{from_position, to_range};
use super::job::{JobError, Subject};
use super::land::send;
use super::peer::ANSWER_LIMIT;
use super::shared::Shared;
use crate::session::{DocumentSnapshot, PlacedHunk};

/// `redraft/review`.
enum ReviewChanged {}

impl Notification for ReviewChanged {
    type Params = ReviewParams;
    const METHOD: &'static str = "redraft/review";
}

#[derive(Debug, Deserialize, Serialize)]
struct ReviewParams {
    uri: Url,
    version: i32,
    hunks: Vec<HunkParams>,
}

#[derive(Debug, Deserialize, Serialize)]
struct HunkParams {
    id: u32,
    /// Whole lines; empty where lines were only removed.
    range: Range,
    /// The lines that were there before.
    removed: String,
}

/// The arguments of the commands that keep and undo.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Which {
    uri: Url,
    #[serde(default)]
    id: Option<u32>,
    /// Instead of a number: the hunk here, or else the next one.
    #[serde(default)]
    position: Option<Position>,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Keep,
    Undo,
}

/// The document and its hunks as they are now.
fn hunks(shared: &Shared, uri: &Url) -> Option<(DocumentSnapshot, Vec<PlacedHunk>)> {
    let mut session = shared.session();
    let snapshot = session.snapshot(uri)?;
    let placed = session.review(uri).map(|review| review.placed(&snapshot.text())).unwrap_or_default();
    Some((snapshot, placed))
}

/// Tells the client which hunks there are, if it wants to know and there is news.
pub(super) fn announce(shared: &Arc<Shared>, uri: &Url) {
    if !shared.client().review {
        return;
    }
    let Some((snapshot, placed)) = hunks(shared, uri) else { return };
    if !shared.review_is_news(uri, !placed.is_empty()) {
        return;
    }
    let hunks = placed
        .into_iter()
        .map(|hunk| HunkParams {
            id: hunk.id,
            range: to_range(hunk.range, &snapshot.rope, shared.encoding()),
            removed: hunk.removed,
        })
        .collect();
    let params = ReviewParams { uri: uri.clone(), version: snapshot.version, hunks };
    shared.peer.notify::<ReviewChanged>(&params);
    if shared.client().refreshes_lenses {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // A client that does not ask again shows old lenses, which do no harm.
            let _ = shared.peer.request::<CodeLensRefresh>((), ANSWER_LIMIT).await;
        });
    }
}

/// The lenses of a document: keep and undo at each hunk, and for all at the first.
pub(super) fn lenses(shared: &Shared, uri: &Url) -> Vec<CodeLens> {
    if !shared.client().review {
        return Vec::new();
    }
    let Some((snapshot, placed)) = hunks(shared, uri) else { return Vec::new() };
    let several = placed.len() > 1;
    let mut lenses = Vec::new();
    for (at, hunk) in placed.iter().enumerate() {
        let start = hunk.range.start;
        let range = to_range(start..start, &snapshot.rope, shared.encoding());
        let mut add = |title: &str, command: &str, arguments| {
            let command = Command::new(title.to_owned(), command.to_owned(), Some(vec![arguments]));
            lenses.push(CodeLens { range, command: Some(command), data: None });
        };
        let this = || json!({"uri": uri, "id": hunk.id});
        add("Keep", KEEP_HUNK, this());
        add("Undo", UNDO_HUNK, this());
        if several && at == 0 {
            add("Keep all", KEEP_ALL, json!({ "uri": uri }));
            add("Undo all", UNDO_ALL, json!({ "uri": uri }));
        }
    }
    lenses
}

/// Keeps or undoes one hunk, or all.
pub(super) async fn decide(
    shared: &Arc<Shared>,
    decision: Decision,
    all: bool,
    which: Which,
) -> Result<(), JobError> {
    let uri = &which.uri;
    let nothing = || JobError::refused("there is nothing to keep or undo here");
    let snapshot = shared.snapshot(uri)?.ok_or_else(nothing)?;
    let text = snapshot.text();
    let byte = which.position.map(|at| shared.encoding().to_byte(&snapshot.rope, from_position(at)));
    let (before, edits) = {
        let mut session = shared.session();
        let review = session.review(uri).ok_or_else(nothing)?;
        let id = match (all, which.id) {
            (true, _) => None,
            (false, Some(id)) => Some(id),
            (false, None) => Some(review.hunk_at(&text, byte.unwrap_or_default()).ok_or_else(nothing)?),
        };
        let before = review.clone();
        let edits = match decision {
            Decision::Keep => {
                review.keep(id);
                None
            }
            Decision::Undo => {
                let edits = review.undo(id, &text).map_err(|_| {
                    JobError::refused("this was changed since it was applied; undo it in the editor")
                })?;
                // Now, so that the change that comes of it is not taken for something that was typed.
                review.undone(id);
                Some(edits)
            }
        };
        (before, edits)
    };
    if let Some(edits) = edits
        && let Err(error) = send(shared, &Subject::open(&snapshot), &edits, None).await
    {
        shared.session().restore_review(uri.clone(), before);
        return Err(error);
    }
    announce(shared, uri);
    Ok(())
}
