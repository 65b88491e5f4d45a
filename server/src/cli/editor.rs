//! What `apply` and `bench apply` share: the options of an apply, and the model behind it, fetched and loaded when it
//! is first needed.

use redraft_model::fetch::FetchError;
use tokio_util::sync::CancellationToken;

use crate::apply::{self, Applied, ApplyError, ApplyOptions, ApplyRequest, Route};

/// The options of an apply.
#[derive(clap::Args)]
pub(crate) struct EditOptions {
    /// Which way: auto (the model where the deterministic merge is not sure), model, deterministic
    #[arg(long, value_name = "ROUTE", default_value_t = Route::Auto)]
    pub(crate) route: Route,
}

impl EditOptions {
    /// The options as the pipeline takes them.
    pub(crate) fn pipeline(&self) -> ApplyOptions {
        ApplyOptions { route: self.route, ..ApplyOptions::default() }
    }
}

/// Applies suggestions for a command.
pub(crate) struct Editor {
    cancel: CancellationToken,
}

impl Editor {
    /// Nothing is loaded yet. `cancel` is what Ctrl-C cancels.
    pub(crate) fn new(_args: &EditOptions, cancel: CancellationToken) -> Editor {
        Editor { cancel }
    }

    /// Applies one suggestion; `on_state` is told what is going on.
    pub(crate) fn apply(
        &mut self,
        request: &ApplyRequest,
        options: ApplyOptions,
        _on_state: &mut dyn FnMut(String),
    ) -> anyhow::Result<Applied> {
        Ok(apply::apply(request, &options, None, &self.cancel, &mut |_| {})?)
    }
}

/// Whether the user stopped it.
pub(crate) fn was_cancelled(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<ApplyError>(), Some(ApplyError::Cancelled))
        || matches!(error.downcast_ref::<FetchError>(), Some(FetchError::Cancelled))
}
