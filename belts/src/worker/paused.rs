//! Runs that cannot go on, since their function is paused; in push mode they are handed on once it is resumed.

#[cfg(feature = "http")]
use std::sync::Arc;

#[cfg(feature = "http")]
use futures_util::future::try_join_all;

use super::Shared;
use crate::{clock::Timestamp, error::Result, inspect::functions::paused_at};
#[cfg(feature = "http")]
use crate::{
    id::new_id,
    store::{RunFilter, RunRecord, RunStatus},
};

/// How many runs are handed on at once.
#[cfg(feature = "http")]
const AT_ONCE: usize = 16;

impl Shared {
    /// Since when a function is paused. It is asked where a run could not be claimed, and so costs the others nothing.
    pub(crate) async fn paused_at(&self, function_id: &str) -> Result<Option<Timestamp>> {
        paused_at(&*self.store, self.clock.now(), function_id).await
    }

    /// In push mode, hands on the runs of a function that have fallen due while it was paused: the messages that were to resume them
    /// came to nothing.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on_due(&self, function_id: &str) -> Result<()> {
        let now = self.clock.now();
        // No transport may take these messages for those that came before.
        let resumed = new_id();
        let mut filter = RunFilter::new()
            .with_function(function_id)
            .with_statuses([RunStatus::Pending, RunStatus::Suspended]);
        loop {
            let page = self.store.list(filter.clone()).await?;
            let due: Vec<(Arc<str>, Timestamp)> =
                page.runs.iter().filter_map(|run| due(run, now)).collect();
            for some in due.chunks(AT_ONCE) {
                let each = some
                    .iter()
                    .map(|(run_id, due_at)| self.hand_on_again(run_id, *due_at, &resumed));
                try_join_all(each).await?;
            }
            let Some(next) = page.next else {
                return Ok(());
            };
            filter = filter.with_after(next);
        }
    }
}

#[cfg(feature = "http")]
fn due(run: &RunRecord, now: Timestamp) -> Option<(Arc<str>, Timestamp)> {
    let due_at = run.due_at.filter(|due_at| *due_at <= now)?;
    Some((Arc::clone(&run.run_id), due_at))
}
