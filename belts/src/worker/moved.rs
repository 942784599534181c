//! Runs that have waited for events since before encryption was turned on, or since other keys hashed: each is claimed once, and so
//! waits where events are published now.

use std::sync::{Arc, Weak};

use super::Shared;
use crate::{
    error::Result,
    store::{RunFilter, RunStatus},
};

/// How many runs are looked at in one read.
const PAGE: usize = 100;

/// Goes once through the runs that wait.
pub(super) async fn move_waits(shared: Weak<Shared>) {
    let mut mark = None;
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match shared.move_some(mark).await {
            Ok(Some(next)) => mark = Some(next),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(
                    error = %error.report(),
                    "cannot look for runs that have waited since before encryption was turned on; they may not hear of new events \
                     until a worker starts"
                );
                return;
            }
        }
    }
}

impl Shared {
    async fn move_some(self: &Arc<Self>, mark: Option<String>) -> Result<Option<String>> {
        let Some(encrypted) = &self.encrypted else {
            return Ok(None);
        };
        if self.registry.awaited().is_empty() {
            return Ok(None);
        }
        let mut filter = RunFilter::new()
            .with_statuses([RunStatus::Suspended])
            .with_limit(PAGE);
        filter.after = mark;
        let page = self.store.list(filter).await?;
        for run in page.runs {
            if self.is_draining() {
                return Ok(None);
            }
            if let Some(function) = self.registry.index(&run.function_id)
                && encrypted.waits_elsewhere(&run.run_id).await?
            {
                self.claim_run(&run.run_id, function).await?;
            }
        }
        Ok(page.next)
    }
}
