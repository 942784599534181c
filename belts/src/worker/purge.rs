//! Removes what finished longer ago than the retention time: beside the loop, and where there is none now and then within a
//! delivery.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::Shared;
use crate::{
    error::{ErrorKind, Result},
    panic::catch_future,
    store::Purged,
};

/// How often finished runs are purged, and how many at once.
const EVERY: Duration = Duration::from_secs(600);
const BATCH: usize = 500;

impl Shared {
    async fn purge_batch(&self) -> Result<Purged> {
        let before = self.clock.now().before(self.options().retention);
        let purged = catch_future(async { self.store.purge(before, BATCH).await }).await;
        purged.inspect_err(|error| {
            if error.kind() == ErrorKind::Panicked {
                tracing::error!(error = %error.report(), "the store panicked while it purged finished runs; trying again later");
            } else {
                tracing::warn!(error = %error.report(), "cannot purge finished runs; trying again later");
            }
        })
    }

    /// Purges a batch, if the last one was long ago or left something.
    #[cfg(feature = "http")]
    pub(super) async fn purge_now_and_then(&self) {
        if self.chores.purge.is_over(self.clock.now(), EVERY)
            && self.purge_batch().await.is_ok_and(|purged| purged.more)
        {
            self.chores.purge.go_on_at_once();
        }
    }
}

/// Purges batch after batch until nothing is left, again and again.
pub(super) async fn purge_forever(worker: Weak<Shared>) {
    loop {
        let Some(shared) = worker.upgrade() else {
            return;
        };
        if shared.purge_batch().await.is_ok_and(|purged| purged.more) {
            drop(shared);
            tokio::task::yield_now().await;
            continue;
        }
        let clock = Arc::clone(&shared.clock);
        drop(shared);
        clock.expire_at(clock.now().after(EVERY)).await;
    }
}
