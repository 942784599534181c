//! Push mode: runs that an event has made due, since they wait for it, are handed on by whoever has published it.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::try_join_all;

use super::Shared;
use crate::{
    clock::Timestamp,
    codec::sealed::key_of,
    error::Result,
    store::{
        Entry, NewEvent, PublishedEvent, RunFilter, RunRecord, RunStatus, StepState, Target, Wait,
    },
};

/// How many runs are handed on at once.
const AT_ONCE: usize = 16;

/// The most runs that are looked at at once.
const MOST: usize = 1_000;

/// Which runs are handed on, of those that are due.
#[derive(Clone, Copy)]
pub(super) struct Due<'a> {
    pub(super) function_id: &'a str,
    pub(super) statuses: &'a [RunStatus],
    /// Only those that wait for one of these events.
    pub(super) woken_by: Option<&'a [&'a NewEvent]>,
}

impl Shared {
    /// Hands on what events have made due that were just published: the runs that wait for them, and where an event is published again
    /// everything that is due, since that of the first time may have gone wrong.
    ///
    /// # Errors
    /// The store, or the dispatcher, failed. Publishing the same events again hands on what is left.
    pub(super) async fn hand_on_woken(
        &self,
        events: &[NewEvent],
        published: &[PublishedEvent],
    ) -> Result<()> {
        if !self.hands_on() || !self.registry.may_wait() {
            return Ok(());
        }
        let untargeted = events.iter().filter(|event| {
            let is_for_all = matches!(event.target, Target::Subscribers { .. });
            is_for_all && self.registry.awaits(&event.event_type)
        });
        let untargeted: Vec<_> = untargeted.collect();
        let types = untargeted.iter().map(|event| &*event.event_type);
        let types: BTreeSet<&str> = types.collect();
        if types.is_empty() {
            return Ok(());
        }
        let again = published.iter().any(|published| published.duplicate);
        let awaits = self.registry.awaited().into_iter();
        let waiting = awaits.filter(|of| of.event_types.iter().any(|it| types.contains(&**it)));
        for of in waiting {
            // Each event is a reason of its own: a run may have been due for the one before at the same moment.
            let cause = &events.last().map_or("", |event| &event.id);
            let due = Due {
                function_id: &of.function_id,
                statuses: &[RunStatus::Suspended],
                woken_by: (!again).then_some(&untargeted[..]),
            };
            self.hand_on_what_is_due(due, cause).await?;
        }
        Ok(())
    }

    /// Whether a run waits for one of these events. Others of its function may be due as well, and have their messages.
    async fn waits_for(&self, run_id: &str, events: &[&NewEvent]) -> Result<bool> {
        let journal = self.store.journal(run_id).await?;
        let waits_for = |entry: &Entry| {
            if entry.state != StepState::Waiting {
                return false;
            }
            let Some(Wait::Event { types, key }) = &entry.wait else {
                return false;
            };
            let has_type = |event: &&&NewEvent| {
                let mut types = types.iter();
                types.any(|awaited| awaited.event_type == event.event_type)
            };
            // A key that is sealed with one that is not here may be any.
            let is_sealed = key_of(&entry.value).is_some();
            let mut events = events.iter().filter(has_type);
            events.any(|event| is_sealed || *key == event.correlation_key)
        };
        Ok(journal.iter().any(waits_for))
    }

    /// Hands on the runs of a function that are due. Messages of one `cause` are carried once.
    pub(super) async fn hand_on_what_is_due(&self, asked: Due<'_>, cause: &str) -> Result<()> {
        let now = self.clock.now();
        let mut filter = RunFilter::new()
            .with_function(asked.function_id)
            .with_statuses(asked.statuses)
            .with_due_by(now)
            .with_limit(MOST);
        loop {
            let page = self.store.list(filter.clone()).await?;
            // A store that does not know this part of the filter brings others as well.
            let due: Vec<_> = page.runs.iter().filter_map(|run| due(run, now)).collect();
            for some in due.chunks(AT_ONCE) {
                let each = some.iter().map(|(run_id, due_at)| async move {
                    if let Some(events) = asked.woken_by
                        && !self.waits_for(run_id, events).await?
                    {
                        return Ok(());
                    }
                    self.hand_on_again(run_id, *due_at, cause).await
                });
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
