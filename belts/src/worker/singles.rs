//! Push mode: what the end of a run leaves to the others of its singleton.

use super::Shared;
use crate::{
    error::Result,
    store::{Mark, RunFilter, RunRecord, RunStatus},
};

/// The most runs that are looked at at once.
const MOST: usize = 1_000;

impl Shared {
    /// Hands on the runs of a function that are due since another of their singleton has ended, and those that are undone since another
    /// has taken their place: no message is under way to either.
    pub(super) async fn hand_on_next(&self, function_id: &str) -> Result<()> {
        let function = self.registry.get(function_id);
        if !function.is_some_and(|function| function.def.flow.is_some_and(|flow| flow.is_single)) {
            return Ok(());
        }
        let mut filter = RunFilter::new()
            .with_function(function_id)
            .with_statuses([RunStatus::Suspended, RunStatus::Undoing])
            .with_due_by(self.clock.now())
            .with_limit(MOST);
        loop {
            let page = self.store.list(filter.clone()).await?;
            for run in page.runs.iter().filter(|run| was_let(run)) {
                if let Some(due_at) = run.due_at {
                    self.hand_on(&run.run_id, due_at, 0).await?;
                }
                if run.status == RunStatus::Undoing {
                    self.hand_on_undoing(&run.run_id).await?;
                }
            }
            let Some(next) = page.next else {
                return Ok(());
            };
            filter = filter.with_after(next);
        }
    }
}

/// Whether it goes on by the doing of another run.
fn was_let(run: &RunRecord) -> bool {
    run.status == RunStatus::Undoing || run.mark == Some(Mark::Queues) && run.started_at.is_none()
}
