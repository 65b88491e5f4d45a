//! A whole chat reply: which files it is for is found here, not by the editor.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{ProgressToken, Url};

use super::actions::{subject, targets};
use super::commands::{ask, outcome, shown};
use super::job::{Job, JobError};
use super::land::Way;
use super::shared::Shared;
use crate::session::markdown::{self, Fence};

/// The argument of `redraft.applyReply`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reply {
    /// The reply as it was copied: prose and fenced blocks, or just code.
    text: String,
    /// The file that is meant where the reply names none, usually the one in front of the user.
    #[serde(default)]
    uri: Option<Url>,
    #[serde(default)]
    instruction: Option<String>,
}

/// Applies each part of a reply to its file, one after another; one that fails does not keep the others back.
pub(super) async fn apply(
    shared: &Arc<Shared>,
    reply: Reply,
    token: Option<ProgressToken>,
    cancel: &CancellationToken,
) -> Result<Value, JobError> {
    let parts = shown(shared, parts(shared, &reply, cancel).await)?;
    let mut token = token;
    let mut files = Vec::new();
    let mut failed = None;
    for (uri, suggestion) in parts {
        let instruction = reply.instruction.clone();
        let job = async {
            let subject = subject(shared, &uri).await?;
            Ok(Job { subject, cut: None, suggestion, instruction, offer: None })
        };
        match shared.run(job, Way::Sent, token.take(), cancel.child_token()).await {
            Ok(done) => {
                let mut file = outcome(&done);
                file["uri"] = json!(uri);
                files.push(file);
            }
            Err(JobError::Cancelled) => return Err(JobError::Cancelled),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if files.is_empty() => Err(error),
        failed => Ok(json!({
            "applied": failed.is_none() && files.iter().all(|file| file["applied"] == true),
            "files": files,
        })),
    }
}

/// The files that a reply is for, in the order in which it names them, and what is for each.
async fn parts(
    shared: &Shared,
    reply: &Reply,
    cancel: &CancellationToken,
) -> Result<Vec<(Url, String)>, JobError> {
    let text = &reply.text;
    if text.trim().is_empty() {
        return Err(JobError::refused("there is no suggestion: the text is empty"));
    }
    let fences: Vec<Fence> = markdown::fences(text)
        .into_iter()
        .filter(|fence| !text[fence.content.clone()].trim().is_empty())
        .collect();
    let mut parts: Vec<(Url, String)> = Vec::new();
    for fence in &fences {
        let named = !markdown::path_hints(text, fence).is_empty();
        let uri = match &reply.uri {
            // Nothing says otherwise.
            Some(uri) if !named => Some(uri.clone()),
            preferred => pick(shared, targets(shared, text, fence, None).await, preferred, cancel).await?,
        };
        let Some(uri) = uri else { continue };
        let block = format!("{}\n\n", &text[fence.range.clone()]);
        match parts.iter_mut().find(|(other, _)| *other == uri) {
            Some((_, blocks)) => blocks.push_str(&block),
            None => parts.push((uri, block)),
        }
    }
    if let [(_, only)] = &mut parts[..] {
        // What stands around the blocks may help to read them.
        text.clone_into(only);
    }
    if parts.is_empty() {
        let uri = reply.uri.clone().ok_or_else(|| {
            JobError::refused(
                "the reply names no file of the workspace; open the file that it is for and try again",
            )
        })?;
        parts.push((uri, text.clone()));
    }
    Ok(parts)
}

/// One of several files that a block may be for.
async fn pick(
    shared: &Shared,
    found: Vec<Url>,
    preferred: &Option<Url>,
    cancel: &CancellationToken,
) -> Result<Option<Url>, JobError> {
    if found.len() < 2 || preferred.as_ref().is_some_and(|uri| found.contains(uri)) {
        let preferred = preferred.clone().filter(|uri| found.contains(uri));
        return Ok(preferred.or_else(|| found.into_iter().next()));
    }
    let titles = found.iter().map(|uri| uri.path().to_owned()).collect();
    let title = ask(shared, "Which file is the suggestion for?".to_owned(), titles, cancel).await?;
    Ok(found.into_iter().find(|uri| uri.path() == title))
}
