//! How many runs wait for a worker: looked up now and then, for those who watch.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::Shared;
use crate::{
    error::{ErrorKind, Result},
    panic::catch_future,
};

/// How often the store is asked, and how many runs of a function it counts at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const MOST: u16 = 10_000;

/// Shows it as long as the worker lives.
pub(super) async fn show_forever(worker: Weak<Shared>) {
    while let Some(shared) = worker.upgrade() {
        if let Err(error) = catch_future(shared.show_backlog()).await {
            if error.kind() == ErrorKind::Panicked {
                tracing::error!(error = %error.report(), "the store panicked while counting the backlog; trying again later");
            } else {
                // The claims, which matter more, say so aloud.
                tracing::debug!(error = %error.report(), "cannot count the backlog");
            }
        }
        let clock = Arc::clone(&shared.clock);
        drop(shared);
        clock.expire_at(clock.now().after(LOOK_EVERY)).await;
    }
}

impl Shared {
    async fn show_backlog(&self) -> Result<()> {
        let functions = self.registry.functions();
        let ids: Vec<_> = functions
            .iter()
            .map(|function| Arc::clone(&function.id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let counts = self.store.backlog(&ids, now, MOST.into()).await?;
        for (function, count) in functions.iter().zip(counts) {
            let count = u16::try_from(count).map_or(MOST, |count| count.min(MOST));
            function.metrics.runs_due.set(f64::from(count));
        }
        Ok(())
    }
}
