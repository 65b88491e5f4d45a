//! Choosing another model, for as long as the editor is open or for good.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::{MessageType, ProgressToken};

use super::commands::ask;
use super::engine::Model;
use super::job::{JobError, blocking};
use super::shared::Shared;
use super::status::fetch_model;

/// `redraft/setting`: a setting that the client is to keep, by its whole name.
enum Setting {}

impl Notification for Setting {
    type Params = SettingParams;
    const METHOD: &'static str = "redraft/setting";
}

#[derive(Debug, Deserialize, Serialize)]
struct SettingParams {
    name: String,
    value: Value,
}

/// Lets a person choose one of the models, fetches it where it is not here, and uses it. When that fails, the model is
/// the one that it was.
pub(super) async fn choose_model(
    shared: &Arc<Shared>,
    token: Option<ProgressToken>,
    cancel: &CancellationToken,
) -> Result<Value, JobError> {
    let mut models = blocking(shared, cancel, |engine, _| engine.models()).await?;
    let used = shared.config().model.name;
    models.retain(|model| model.name != used);
    let question = format!("Which model is Redraft to use instead of {used}?");
    let title = ask(shared, question, models.iter().map(title).collect(), cancel).await?;
    let chosen = models.into_iter().find(|model| title == self::title(model)).ok_or(JobError::Cancelled)?;
    shared.use_model(chosen.name.clone());
    let fetched = fetch_model(shared, token, cancel).await;
    if fetched.is_err() {
        shared.use_model(used);
        let shared = Arc::clone(shared);
        tokio::spawn(async move { shared.start_loading().await });
        return fetched;
    }
    let name = "redraft.model.name";
    if shared.client().keeps_settings {
        let value = Value::from(chosen.name);
        shared.peer.notify::<Setting>(&SettingParams { name: name.to_owned(), value });
    } else {
        let chosen = chosen.name;
        let message = format!(
            "Redraft uses {chosen} until this editor is closed; {name} \"{chosen}\" in its settings keeps it"
        );
        shared.peer.show(MessageType::INFO, message);
    }
    fetched
}

/// A model in the list.
fn title(model: &Model) -> String {
    let place = if model.here {
        "on this machine".to_owned()
    } else {
        format!("{} MB to fetch", model.bytes / 1_000_000)
    };
    format!("{} ({place})", model.name)
}
