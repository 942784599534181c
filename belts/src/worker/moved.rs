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

/// Goes once through the runs that wait, of the functions that may wait for events.
pub(super) async fn move_waits(shared: Weak<Shared>) {
    let functions = match shared.upgrade() {
        Some(shared) if shared.encrypted.is_some() => shared.registry.awaited(),
        _ => return,
    };
    for function in functions {
        let mut filter = RunFilter::new()
            .with_function(function.function_id)
            .with_statuses([RunStatus::Suspended])
            .with_limit(PAGE);
        loop {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            match shared.move_some(&filter).await {
                Ok(None) => break,
                Ok(next) => filter.after = next,
                Err(error) => {
                    tracing::warn!(
                        error = %error.report(),
                        "cannot look for runs that have waited since before encryption was turned on; they may not hear of new \
                         events until a worker starts"
                    );
                    return;
                }
            }
        }
    }
}

impl Shared {
    /// Claims those of a page that wait elsewhere; where the next page begins.
    async fn move_some(self: &Arc<Self>, filter: &RunFilter) -> Result<Option<String>> {
        let Some(encrypted) = &self.encrypted else {
            return Ok(None);
        };
        let page = self.store.list(filter.clone()).await?;
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
