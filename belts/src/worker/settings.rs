//! What a worker was built with, and what of it can change while it runs.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{hook::ErrorHook, options::WorkerOptions};
use crate::telemetry::Propagator;

/// What a worker was built with.
pub(crate) struct Settings {
    pub(super) options: RwLock<WorkerOptions>,
    /// How long a run is driven within one delivery.
    pub(super) budget: Option<Duration>,
    /// The limit of events as messages, on whichever road.
    pub(crate) max_body_bytes: usize,
    /// How often in a row processes may die with a run in hand before the run fails.
    pub(super) max_crashes: u32,
    /// What this build of the program is called.
    pub(super) build: Option<Arc<str>>,
    /// The URL of the store, where its connections belong to a runtime.
    pub(super) store_url: Option<String>,
    pub(super) on_error: Option<ErrorHook>,
    pub(super) propagator: Option<Arc<dyn Propagator>>,
}

impl Settings {
    /// A copy of the options in force.
    pub(super) fn options(&self) -> WorkerOptions {
        let options = self.options.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the options, and calls `then` before anybody else does so.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut WorkerOptions),
        then: impl FnOnce(&WorkerOptions),
    ) {
        let options = self.options.write();
        let mut options = options.unwrap_or_else(PoisonError::into_inner);
        change(&mut options);
        then(&options);
    }
}
