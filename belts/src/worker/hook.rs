//! The hook that hears of runs that failed for good.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{error::Error, live::LiveRun};

/// A hook that is called once for each run that failed for good.
pub(super) type ErrorHook =
    Arc<dyn Fn(RunFailure) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A run that failed for good, as [`WorkerBuilder::on_error`](super::WorkerBuilder::on_error) is told.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunFailure {
    /// The run's id.
    pub run_id: String,
    /// The function's id.
    pub function_id: String,
    /// The event's id.
    pub event_id: String,
    /// Why it failed.
    pub error: Error,
}

impl RunFailure {
    pub(super) fn new(run: &LiveRun, error: Error) -> Self {
        Self {
            run_id: run.run_id.to_string(),
            function_id: run.function_id.to_string(),
            event_id: run.event_id.to_string(),
            error,
        }
    }
}
