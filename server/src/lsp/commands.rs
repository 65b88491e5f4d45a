//! `workspace/executeCommand`: the commands that every editor can call.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{MessageType, ProgressToken, Range, Url};

use super::actions::{self, Argument, Offered};
use super::capabilities::{
    APPLY_AT, APPLY_COMMAND, APPLY_REPLY, BENCHMARK, CHOOSE_MODEL, FETCH_MODEL, KEEP_ALL, KEEP_HUNK,
    OPEN_LOG, SHOW_STATUS, UNDO_ALL, UNDO_HUNK,
};
use super::choice::choose_model;
use super::job::JobError;
use super::land::{Landed, Way};
use super::remedy;
use super::reply::{self, Reply};
use super::review::{self, Decision, Which};
use super::shared::{Done, Shared};
use super::status;

/// A command that was understood.
pub(super) enum Called {
    Apply(Argument),
    At(Place),
    Reply(Reply),
    Decide { decision: Decision, all: bool, which: Which },
    FetchModel,
    ChooseModel,
    OpenLog,
    ShowStatus,
    Benchmark,
}

/// The argument of [`APPLY_AT`].
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Place {
    uri: Url,
    range: Range,
}

fn argument<T: DeserializeOwned>(command: &str, form: &str, arguments: Vec<Value>) -> Result<T> {
    let argument = arguments.into_iter().next().unwrap_or(Value::Null);
    serde_json::from_value(argument).map_err(|_| Error::invalid_params(format!("{command} takes {form}")))
}

impl Called {
    /// Reads a command and its argument.
    pub(super) fn new(command: &str, arguments: Vec<Value>) -> Result<Self> {
        let decide = |decision, all, arguments| {
            let form = if all { "{uri}" } else { "{uri, id?, position?}" };
            Ok(Self::Decide { decision, all, which: argument(command, form, arguments)? })
        };
        match command {
            APPLY_COMMAND => {
                let form = "{uri, suggestion, instruction?, version?}";
                Ok(Self::Apply(argument(command, form, arguments)?))
            }
            APPLY_AT => Ok(Self::At(argument(command, "{uri, range}", arguments)?)),
            APPLY_REPLY => Ok(Self::Reply(argument(command, "{text, uri?, instruction?}", arguments)?)),
            KEEP_HUNK => decide(Decision::Keep, false, arguments),
            UNDO_HUNK => decide(Decision::Undo, false, arguments),
            KEEP_ALL => decide(Decision::Keep, true, arguments),
            UNDO_ALL => decide(Decision::Undo, true, arguments),
            FETCH_MODEL => Ok(Self::FetchModel),
            CHOOSE_MODEL => Ok(Self::ChooseModel),
            OPEN_LOG => Ok(Self::OpenLog),
            SHOW_STATUS => Ok(Self::ShowStatus),
            BENCHMARK => Ok(Self::Benchmark),
            _ => Err(Error::invalid_params(format!("there is no command {command}"))),
        }
    }

    /// Runs it to its end. What a person should know was shown by then.
    pub(super) async fn run(
        self,
        shared: &Arc<Shared>,
        token: Option<ProgressToken>,
        cancel: CancellationToken,
    ) -> std::result::Result<Value, JobError> {
        match self {
            Self::Apply(argument) => {
                let job = actions::job_of_argument(shared, argument);
                shared.run(job, Way::Sent, token, cancel).await.map(|done| outcome(&done))
            }
            Self::At(place) => {
                let offered = actions::offered(shared, &place.uri, place.range).await;
                let source = shown(shared, choose(shared, offered, &cancel).await)?.source;
                let job = actions::job(shared, source);
                shared.run(job, Way::Sent, token, cancel).await.map(|done| outcome(&done))
            }
            Self::Reply(reply) => reply::apply(shared, reply, token, &cancel).await,
            Self::Decide { decision, all, which } => {
                shown(shared, review::decide(shared, decision, all, which).await)?;
                Ok(Value::Null)
            }
            Self::FetchModel => status::fetch_model(shared, token, &cancel).await,
            Self::ChooseModel => choose_model(shared, token, &cancel).await,
            Self::OpenLog => {
                remedy::open_log(shared).await;
                Ok(Value::Null)
            }
            Self::ShowStatus => status::show(shared, &cancel).await,
            Self::Benchmark => shown(shared, status::benchmark(shared, token, &cancel).await),
        }
    }
}

/// Shows why something is refused.
pub(super) fn shown<T>(
    shared: &Arc<Shared>,
    result: std::result::Result<T, JobError>,
) -> std::result::Result<T, JobError> {
    if let Err(JobError::Refused { reason, remedies }) = &result {
        remedy::show(shared, MessageType::ERROR, format!("Redraft: {reason}"), remedies);
    }
    result
}

/// The one thing that can be applied, or the one that a person chooses.
async fn choose(
    shared: &Arc<Shared>,
    mut offered: Vec<Offered>,
    cancel: &CancellationToken,
) -> std::result::Result<Offered, JobError> {
    if offered.len() > 1 {
        let titles = offered.iter().map(|offered| offered.title.clone()).collect();
        let title = ask(shared, "Which suggestion do you mean?".to_owned(), titles, cancel).await?;
        offered.retain(|offered| offered.title == title);
    }
    offered.into_iter().next().ok_or_else(|| {
        JobError::refused(
            "there is no suggestion here: select the pasted snippet, or put the cursor into a fenced block of a \
             Markdown text",
        )
    })
}

/// Asks a person to choose; no choice cancels.
pub(super) async fn ask(
    shared: &Shared,
    message: String,
    titles: Vec<String>,
    cancel: &CancellationToken,
) -> std::result::Result<String, JobError> {
    let answer = tokio::select! {
        answer = shared.peer.ask(MessageType::INFO, message, titles) => answer,
        () = cancel.cancelled() => return Err(JobError::Cancelled),
    };
    answer.ok().flatten().ok_or(JobError::Cancelled)
}

/// What a client hears of an apply.
pub(super) fn outcome(done: &Done) -> Value {
    json!({
        "applied": matches!(done.landed, Landed::Applied),
        "route": done.applied.route.to_string(),
        "reason": done.applied.reason,
        "confidence": done.applied.confidence,
        "asked": done.applied.asks,
        "stats": done.applied.stats.map(|stats| json!({
            "promptTokens": stats.prompt_tokens,
            "cachedTokens": stats.cached_tokens,
            "tokens": stats.tokens,
            "forwards": stats.forwards,
            "prefillSeconds": stats.prefill_seconds,
            "decodeSeconds": stats.decode_seconds,
        })),
    })
}
