//! The engine of this process: the merge, and the model once it is here.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redraft_model::cache;
use redraft_model::catalogue::{self, CatalogueError, Wanted};
use redraft_model::fetch::{self, Progress as FetchProgress, Snapshot};
use redraft_model::{EngineOptions, ModelHandle};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::engine::{Availability, Engine, Model, Step};
use crate::apply::{self, Applied, ApplyError, ApplyOptions, ApplyRequest, Progress, Route};
use crate::complete::{self, Counted, Plan, WriteError, Written};
use crate::session::ModelConfig;

/// Runs suggestions in this process.
pub struct LocalEngine {
    turn: Semaphore,
    /// Held while a model is being loaded, so that it is loaded once.
    loading: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: ModelConfig,
    model: Option<ModelHandle>,
}

impl Default for LocalEngine {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), loading: Mutex::default(), state: Mutex::default() }
    }
}

impl LocalEngine {
    /// A panic while the lock was held leaves nothing half done here.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn model(&self) -> Option<ModelHandle> {
        self.state().model.clone()
    }

    fn wanted(&self) -> ModelConfig {
        self.state().wanted.clone()
    }
}

/// What of the settings a loaded model depends on: all but when it is loaded and fetched.
fn loaded_by(config: &ModelConfig) -> ModelConfig {
    let ModelConfig { load, fetch, .. } = ModelConfig::default();
    ModelConfig { load, fetch, ..config.clone() }
}

impl Engine for LocalEngine {
    fn configure(&self, config: &ModelConfig) {
        let mut state = self.state();
        if loaded_by(&state.wanted) != loaded_by(config) {
            state.model = None;
        }
        state.wanted = config.clone();
    }

    fn models(&self) -> Vec<Model> {
        let model = |row: &catalogue::Row| Model {
            name: row.name.to_owned(),
            bytes: row.identity.size(),
            here: catalogue::locate(row.name).is_ok(),
        };
        catalogue::ROWS.iter().map(model).collect()
    }

    fn availability(&self) -> Availability {
        if self.model().is_some() {
            return Availability::Ready;
        }
        let ModelConfig { name, device, .. } = self.wanted();
        // Before anything is fetched that could not be run.
        if let Err(error) = device.check_build() {
            return Availability::Unusable(error.to_string());
        }
        match catalogue::locate(&name) {
            Ok(_) => Availability::OnDisk,
            Err(CatalogueError::NotFetched { .. }) => match catalogue::resolve(&name) {
                Ok(Wanted::Row(row)) => Availability::Missing { name, bytes: row.identity.size() },
                Ok(Wanted::File(_)) => Availability::OnDisk,
                Err(error) => Availability::Unusable(error.to_string()),
            },
            Err(error) => Availability::Unusable(error.to_string()),
        }
    }

    fn load(&self) -> Result<(), String> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.model().is_some() {
            return Ok(());
        }
        let wanted = self.wanted();
        let located = catalogue::locate(&wanted.name).map_err(|error| error.to_string())?;
        let options = EngineOptions {
            device: wanted.device,
            threads: wanted.threads,
            context: wanted.context,
            kv: wanted.kv,
            adapter: wanted.adapter.beside(&wanted.name),
            ..EngineOptions::default()
        };
        let model = ModelHandle::load(&located.path, &options)
            .map_err(|error| format!("the model {} cannot be loaded: {error}", wanted.name))?;
        let mut state = self.state();
        if loaded_by(&state.wanted) == loaded_by(&wanted) {
            tracing::info!("loaded {} from {} on {}", wanted.name, located.path.display(), wanted.device);
            state.model = Some(model);
            return Ok(());
        }
        Err("the settings of the model changed while it was being loaded; try again".to_owned())
    }

    fn fetch(
        &self,
        cancel: &CancellationToken,
        on_progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), String> {
        let mut watcher = Watcher { cancel, on_progress };
        fetch::ensure(&self.wanted().name, &mut watcher).map(drop).map_err(|error| error.to_string())
    }

    fn apply(
        &self,
        request: &ApplyRequest,
        options: &ApplyOptions,
        use_model: bool,
        cancel: &CancellationToken,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<Applied, ApplyError> {
        let model = if use_model { self.model() } else { None };
        apply::apply(request, options, model.as_ref(), cancel, &mut |progress| {
            on_step(match progress {
                Progress::Prefill { done, total } => Step::Reading { done, total },
                Progress::Text { text, stats } => {
                    Step::Writing { text: text.to_owned(), tokens_per_second: stats.rate() }
                }
            });
        })
    }

    fn complete(
        &self,
        plan: &Plan,
        ahead: bool,
        cancel: &CancellationToken,
        on_text: &mut dyn FnMut(&Written),
    ) -> Option<Result<Written, WriteError>> {
        self.model().map(|model| complete::write(&model, plan, ahead, cancel, on_text))
    }

    fn counted(&self) -> Counted {
        let text = counted_file().and_then(|path| std::fs::read_to_string(path).ok());
        // What cannot be read is begun anew: it is worth little.
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn keep_counted(&self, counted: &Counted) {
        let Some(path) = counted_file() else { return };
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(folder)?;
            // Another server may write at the same time: the file is whole in any case.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, counted)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!("what became of completions is not kept: {error}");
        }
    }

    fn prepare(&self, request: &ApplyRequest, route: Route, cancel: &CancellationToken) {
        if let Some(model) = self.model() {
            apply::prepare(request, route, &model, cancel);
        }
    }

    fn turn(&self) -> &Semaphore {
        &self.turn
    }
}

/// Where it is counted what became of completions.
fn counted_file() -> Option<PathBuf> {
    Some(cache::folder().ok()?.join("completion.json"))
}

/// Hands the progress of a fetch on.
struct Watcher<'a> {
    cancel: &'a CancellationToken,
    on_progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

impl FetchProgress for Watcher<'_> {
    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }

    fn update(&mut self, at: &Snapshot) {
        (self.on_progress)(at.done, at.total);
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
