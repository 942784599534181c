//! Who is told that a run has failed for good.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{RunFailure, Shared, Worker};
use crate::panic::{self, catch_future};

impl Shared {
    /// Tells the hook, and returns when it is done. Its panic stays with it.
    pub(super) async fn tell_failure(self: &Arc<Self>, failure: RunFailure) {
        let Some(hook) = &self.settings.on_error else {
            return panic::discard(failure);
        };
        let told = match panic::catch("to call it", || Ok(hook(failure))) {
            Ok(telling) => {
                let worker = Worker::from_shared(Arc::clone(self));
                catch_future(worker.scope(telling).map(Ok)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::error!(error = %error.report(), "the error hook panicked");
        }
    }
}
