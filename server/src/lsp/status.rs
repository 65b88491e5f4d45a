//! The model as a person asks about it: what it is, getting it, and how fast it is here.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{MessageType, ProgressToken};

use super::commands::shown;
use super::engine::Availability;
use super::job::{JobError, blocking, model_ready, take_turn};
use super::progress::Progress;
use super::remedy::{self, Remedy};
use super::shared::Shared;
use crate::apply::{Applied, ApplyOptions, ApplyRequest, Route};

/// A file and a suggestion of a usual size, for [`benchmark`].
const SAMPLE: (&str, &str) = (
    include_str!("../../../examples/inventory.rs"),
    include_str!("../../../examples/inventory.suggestion.md"),
);

/// How often the sample is applied.
const RUNS: usize = 3;

/// `redraft/status`: what is running here, for programs and, as `text`, for people.
pub(super) async fn status(shared: &Arc<Shared>, cancel: &CancellationToken) -> Result<Value, JobError> {
    let availability = blocking(shared, cancel, |engine, _| engine.availability()).await?;
    let config = shared.config().model;
    let (state, text) = match &availability {
        Availability::Ready => ("ready", "is loaded".to_owned()),
        Availability::OnDisk => ("onDisk", "is on this machine and not loaded yet".to_owned()),
        Availability::Missing { bytes, .. } => {
            ("missing", format!("is not on this machine ({} MB to fetch)", bytes / 1_000_000))
        }
        Availability::Unusable(reason) => ("unusable", format!("cannot be used: {reason}")),
    };
    let (device, kernels) = (config.device, config.device.kernels());
    let adapter = config.adapter.beside(&config.name).map(|adapter| adapter.display().to_string());
    let through = adapter.as_ref().map(|adapter| format!("; edits go through {adapter}")).unwrap_or_default();
    let speed = shared.last_speed();
    let last = speed.map(|speed| format!("; the last apply wrote {speed:.0} tokens/s")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    Ok(json!({
        "version": version,
        "model": {"name": config.name, "adapter": adapter, "state": state},
        "device": device.to_string(),
        "kernels": kernels,
        "tokensPerSecond": speed,
        "text": format!(
            "Redraft {version}: the model {} {text}{through}; device {device}, kernels {kernels}{last}",
            config.name,
        ),
    }))
}

/// The same as a message, with the buttons that help.
pub(super) async fn show(shared: &Arc<Shared>, cancel: &CancellationToken) -> Result<Value, JobError> {
    let status = status(shared, cancel).await?;
    let text = status["text"].as_str().unwrap_or_default().to_owned();
    let remedies = match status["model"]["state"].as_str() {
        Some("missing") => Remedy::MISSING,
        Some("unusable") => Remedy::UNUSABLE,
        _ => &[],
    };
    remedy::show(shared, MessageType::INFO, text, remedies);
    Ok(status)
}

/// Fetches and loads the model.
pub(super) async fn fetch_model(
    shared: &Arc<Shared>,
    token: Option<ProgressToken>,
    cancel: &CancellationToken,
) -> Result<Value, JobError> {
    let name = shared.config().model.name;
    let progress = Progress::begin(shared, token, "Redraft".to_owned(), cancel);
    let ready = model_ready(shared, &progress, cancel, true).await;
    progress.finish().await;
    match ready? {
        Ok(()) => {
            shared.peer.show(MessageType::INFO, format!("Redraft: the model {name} is ready"));
            status(shared, cancel).await
        }
        Err(no_model) => shown(shared, Err(no_model.error())),
    }
}

/// Lets the model write the sample a few times and says how fast that was.
pub(super) async fn benchmark(
    shared: &Arc<Shared>,
    token: Option<ProgressToken>,
    cancel: &CancellationToken,
) -> Result<Value, JobError> {
    let progress = Progress::begin(shared, token, "Measuring this machine".to_owned(), cancel);
    if let Err(no_model) = model_ready(shared, &progress, cancel, false).await? {
        return Err(no_model.error());
    }
    let mut rates = Vec::new();
    let mut last = None;
    for run in 1..=RUNS {
        progress.say(format!("Run {run} of {RUNS}"), u32::try_from(run * 100 / (RUNS + 1)).ok());
        let _turn = take_turn(shared, &progress, cancel).await?;
        let applied = blocking(shared, cancel, |engine, cancel| {
            let request = ApplyRequest {
                path: Some("inventory.rs".to_owned()),
                language: Some("rust".to_owned()),
                original: SAMPLE.0.to_owned(),
                suggestion: SAMPLE.1.to_owned(),
                ..ApplyRequest::default()
            };
            let options = ApplyOptions { route: Route::Model, ..ApplyOptions::default() };
            engine.apply(&request, &options, true, cancel, &mut |_| {})
        });
        let applied = applied.await?.map_err(|error| JobError::refused(error.to_string()))?;
        rates.extend(rate(&applied));
        last = applied.stats.or(last);
    }
    progress.finish().await;
    rates.sort_by(f64::total_cmp);
    let (Some(&rate), Some(stats)) = (rates.get(rates.len() / 2), last) else {
        return Err(JobError::refused("the model wrote nothing; there is nothing to measure"));
    };
    let device = shared.config().model.device;
    let kernels = device.kernels();
    let text = format!(
        "Redraft on this machine: {rate:.0} tokens/s for a file of {} lines, {:.1} tokens verified in one forward \
         (device {device}, kernels {kernels}, the middle one of {RUNS} runs)",
        SAMPLE.0.lines().count(),
        stats.tokens as f64 / stats.forwards.max(1) as f64,
    );
    shared.peer.show(MessageType::INFO, text.clone());
    Ok(json!({"tokensPerSecond": rate, "tokens": stats.tokens, "forwards": stats.forwards, "text": text}))
}

/// Tokens that the model wrote a second.
pub(super) fn rate(applied: &Applied) -> Option<f64> {
    applied.stats?.rate()
}
