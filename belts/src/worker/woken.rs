//! Push mode: runs that an event has made due, since they wait for it, are handed on by whoever has published it.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::try_join_all;

use super::Shared;
use crate::{
    clock::Timestamp,
    error::Result,
    store::{NewEvent, RunFilter, RunRecord, RunStatus, Target},
};

/// How many runs are handed on at once.
const AT_ONCE: usize = 16;

/// The most runs that are looked at at once.
const MOST: usize = 1_000;

impl Shared {
    /// Hands on what events have made due that were just published.
    ///
    /// # Errors
    /// The store, or the dispatcher, failed. Publishing the same events again hands on what is left.
    pub(super) async fn hand_on_woken(&self, events: &[NewEvent]) -> Result<()> {
        if !self.hands_on() || !self.registry.may_wait() {
            return Ok(());
        }
        let untargeted = events.iter().filter(|event| {
            let is_for_all = matches!(event.target, Target::Subscribers { .. });
            is_for_all && self.registry.awaits(&event.event_type)
        });
        let types: BTreeSet<&str> = untargeted.map(|event| &*event.event_type).collect();
        if types.is_empty() {
            return Ok(());
        }
        let awaits = self.registry.awaited().into_iter();
        let waiting = awaits.filter(|of| of.event_types.iter().any(|it| types.contains(&**it)));
        for of in waiting {
            // Each event is a reason of its own: a run may have been due for the one before at the same moment.
            let cause = &events.last().map_or("", |event| &event.id);
            self.hand_on_what_is_due(&of.function_id, &[RunStatus::Suspended], cause)
                .await?;
        }
        Ok(())
    }

    /// Hands on the runs of a function that are due. Messages of one `cause` are carried once.
    pub(super) async fn hand_on_what_is_due(
        &self,
        function_id: &str,
        statuses: &[RunStatus],
        cause: &str,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut filter = RunFilter::new()
            .with_function(function_id)
            .with_statuses(statuses)
            .with_due_by(now)
            .with_limit(MOST);
        loop {
            let page = self.store.list(filter.clone()).await?;
            // A store that does not know this part of the filter brings others as well.
            let due: Vec<_> = page.runs.iter().filter_map(|run| due(run, now)).collect();
            for some in due.chunks(AT_ONCE) {
                let each = some
                    .iter()
                    .map(|(run_id, due_at)| self.hand_on_again(run_id, *due_at, cause));
                try_join_all(each).await?;
            }
            let Some(next) = page.next else {
                return Ok(());
            };
            filter = filter.with_after(next);
        }
    }
}

fn due(run: &RunRecord, now: Timestamp) -> Option<(Arc<str>, Timestamp)> {
    let due_at = run.due_at.filter(|due_at| *due_at <= now)?;
    Some((Arc::clone(&run.run_id), due_at))
}
