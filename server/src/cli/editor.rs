//! What `apply` and `bench apply` share: the options of an apply, and the model behind it, fetched and loaded when it
//! is first needed.

use redraft_model::adapters;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::decode::{DecoderKind, Stats};
use redraft_model::device::Device;
use redraft_model::fetch::{self, FetchError};
use redraft_model::worker::{EngineOptions, ModelHandle};
use tokio_util::sync::CancellationToken;

use super::progress::ShownFetch;
use crate::apply::{self, Applied, ApplyError, ApplyOptions, ApplyRequest, Progress, Route};
use crate::merge::SURE;

/// The options of an apply.
#[derive(clap::Args)]
pub(crate) struct EditOptions {
    /// Which way: auto (the model where the deterministic merge is not sure), model, deterministic
    #[arg(long, value_name = "ROUTE", default_value_t = Route::Auto)]
    pub(crate) route: Route,
    /// The model: a name from `redraft model list`, or the path of a GGUF file; fetched if it is not here
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    /// The adapter that the model's rewrites go through: auto (the one that comes with Redraft for this model), none, a name
    /// from `redraft model list`, or a GGUF file, trained beside this model
    #[arg(long, value_name = "ADAPTER", default_value_t)]
    adapter: adapters::Choice,
    /// Where the model runs: cpu, cuda, cuda:1 or metal; candle-cpu is the processor with candle's own kernels
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
}

impl EditOptions {
    /// The options as the pipeline takes them.
    pub(crate) fn pipeline(&self, decoder: DecoderKind) -> ApplyOptions {
        ApplyOptions { route: self.route, decoder }
    }

    /// The model and the adapter as the user named them, and where they run unless that is the processor.
    pub(crate) fn model_name(&self) -> String {
        let adapter = self.adapter.beside(&self.model).map(|adapter| format!(" with {}", adapter.display()));
        let device = (self.device != Device::Cpu).then(|| format!(" on {}", self.device));
        format!("{}{}{}", self.model, adapter.unwrap_or_default(), device.unwrap_or_default())
    }
}

/// Applies suggestions for a command. Clones made after [`Editor::load`] share the model.
#[derive(Clone)]
pub(crate) struct Editor {
    model: String,
    engine: EngineOptions,
    handle: Option<ModelHandle>,
    cancel: CancellationToken,
}

impl Editor {
    /// Nothing is loaded yet. `cancel` is what Ctrl-C cancels.
    pub(crate) fn new(options: &EditOptions, mut engine: EngineOptions, cancel: CancellationToken) -> Editor {
        engine.adapter = options.adapter.beside(&options.model);
        engine.device = options.device;
        Editor { model: options.model.clone(), engine, handle: None, cancel }
    }

    /// Applies one suggestion; `on_state` is told what is going on. The model is fetched and loaded only if the edit
    /// cannot be made without it.
    pub(crate) fn apply(
        &mut self,
        request: &ApplyRequest,
        options: &ApplyOptions,
        on_state: &mut dyn FnMut(String),
    ) -> anyhow::Result<Applied> {
        if self.handle.is_none() && needs_model(request, *options, &self.cancel) {
            let loaded = self.load(on_state);
            match loaded {
                // Unsure without the model is better than nothing: the edit is held back then.
                Err(error) if options.route == Route::Auto && !was_cancelled(&error) => {
                    eprintln!("the model cannot be asked, so this is the deterministic merge: {error:#}");
                }
                loaded => loaded?,
            }
        }
        let mut on_progress = |progress: Progress<'_>| match progress {
            Progress::Prefill { done, total } => {
                on_state(format!("reading the file: {done} of {total} tokens"));
            }
            Progress::Text { stats, .. } => on_state(writing(&stats)),
        };
        let model = self.handle.as_ref();
        Ok(apply::apply(request, options, model, &self.cancel, &mut on_progress)?)
    }

    /// Starts the next apply without what earlier ones left in the model's cache.
    pub(crate) fn forget(&self) {
        if let Some(handle) = &self.handle {
            handle.forget();
        }
    }

    /// Fetches and loads the model, if that was not done yet.
    pub(crate) fn load(&mut self, on_state: &mut dyn FnMut(String)) -> anyhow::Result<()> {
        if self.handle.is_none() {
            on_state(format!("loading {}", self.model));
            self.handle = Some(load_model(&self.model, &self.engine, &self.cancel)?);
        }
        Ok(())
    }
}

/// Loads a model for a command, fetching it if it is not here.
pub(crate) fn load_model(
    name: &str,
    options: &EngineOptions,
    cancel: &CancellationToken,
) -> anyhow::Result<ModelHandle> {
    // Before anything is fetched that could not be run.
    options.device.check_build()?;
    let path = fetch::ensure(name, &mut ShownFetch::new(cancel.clone()))?;
    let handle = ModelHandle::load(&path, options)?;
    let info = handle.info();
    tracing::info!("loaded {} from {} on {}", info.name, path.display(), info.device);
    // A command ends before there is an idle moment to do it in.
    handle.measure_first();
    Ok(handle)
}

/// Whether the edit cannot be made as well without the model.
fn needs_model(request: &ApplyRequest, options: ApplyOptions, cancel: &CancellationToken) -> bool {
    let alone = ApplyOptions { route: Route::Deterministic, ..options };
    match options.route {
        Route::Deterministic => false,
        Route::Model => true,
        Route::Auto => match apply::apply(request, &alone, None, cancel, &mut |_| {}) {
            Ok(applied) => applied.confidence < SURE,
            Err(error) => matches!(error, ApplyError::Merge(_)),
        },
    }
}

fn writing(stats: &Stats) -> String {
    let mut text = format!("writing: {} tokens", stats.tokens);
    if let Some(rate) = stats.rate() {
        text += &format!(", {rate:.0} tokens/s");
    }
    if stats.drafted > 0 {
        let accepted = 100.0 * stats.accepted as f64 / stats.drafted as f64;
        text += &format!(", {accepted:.0} % of the drafted ones accepted");
    }
    text
}

/// Whether the user stopped it.
pub(crate) fn was_cancelled(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<ApplyError>(), Some(ApplyError::Cancelled))
        || matches!(error.downcast_ref::<FetchError>(), Some(FetchError::Cancelled))
}
