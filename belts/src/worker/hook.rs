//! The hook that hears of runs that failed for good.

use std::{future::Future, pin::Pin, sync::Arc};

use super::{Shared, Worker, live::LiveRun};
use futures_util::FutureExt as _;

use crate::{
    error::Error,
    guard::{self, catch_panic},
};

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

impl Shared {
    /// Tells the hook, and returns when it is done. Its panic stays with it.
    pub(super) async fn tell_failure(self: &Arc<Self>, failure: RunFailure) {
        let Some(hook) = &self.on_error else {
            return guard::discard(failure);
        };
        let told = match guard::call("to call it", || Ok(hook(failure))) {
            Ok(telling) => {
                let worker = Worker::from_shared(Arc::clone(self));
                catch_panic(worker.scope(telling).map(Ok)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::error!(error = %error.report(), "the error hook panicked");
        }
    }
}
