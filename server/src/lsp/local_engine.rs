//! The engine of this process: the merge, and the model once it is here.

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::engine::{Availability, Engine, Step};
use crate::apply::{self, Applied, ApplyError, ApplyOptions, ApplyRequest};
use crate::session::ModelConfig;

/// Runs suggestions in this process.
#[derive(Debug)]
pub struct LocalEngine {
    turn: Semaphore,
}

impl Default for LocalEngine {
    fn default() -> Self {
        Self { turn: Semaphore::new(1) }
    }
}

impl Engine for LocalEngine {
    fn configure(&self, _config: &ModelConfig) {}

    fn availability(&self) -> Availability {
        Availability::Unusable("this build has no engine yet".to_owned())
    }

    fn load(&self) -> Result<(), String> {
        Ok(())
    }

    fn fetch(
        &self,
        _cancel: &CancellationToken,
        _on_progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), String> {
        Ok(())
    }

    fn apply(
        &self,
        request: &ApplyRequest,
        options: &ApplyOptions,
        _use_model: bool,
        cancel: &CancellationToken,
        _on_step: &mut dyn FnMut(Step),
    ) -> Result<Applied, ApplyError> {
        apply::apply(request, options, cancel)
    }

    fn prepare(&self, _request: &ApplyRequest, _cancel: &CancellationToken) {}

    fn turn(&self) -> &Semaphore {
        &self.turn
    }
}
