//! Ticks in push mode: the next one travels as a delayed message, as what is left of runs does.
//!
//! It is the wake-up of a run that there never is. Whoever gets it starts what is due and hands on the next one; so does every other
//! delivery, and a worker when it is built, for the case that a message was lost.
//!
//! A run is written before it is handed on. If that fails the message of the tick comes again, finds nothing due, and hands on the runs
//! that nobody has begun.

use std::sync::Arc;

use super::{Shared, clockwork::PAGE};
use crate::{
    clock::Timestamp,
    error::Result,
    id::new_id,
    schedule::{Start, TICK},
    store::{RunFilter, RunRecord, RunStatus},
};

/// In place of the id of a run.
pub(crate) const TICKS: &str = "belts.schedules";

impl Shared {
    /// In push mode, starts what is due, and hands on the next tick unless this worker has done so. A message that was to bring a
    /// tick says how often it was handed on before its time.
    pub(crate) async fn push_ticks(
        self: &Arc<Self>,
        brought: Option<(Timestamp, u32)>,
    ) -> Result<()> {
        if !self.hands_on() {
            return Ok(());
        }
        let has_come = brought.is_some_and(|(due_at, _)| due_at <= self.clock.now());
        let left = if has_come {
            self.hand_on_left().await
        } else {
            Ok(())
        };
        let next = self.look_for_ticks().await?;
        if let Some((due_at, hop)) = brought
            && due_at > self.clock.now()
            && next != Some(due_at)
        {
            // Whoever has sent it relies on it, should a schedule tick at that time again.
            let hop = hop.saturating_add(1);
            self.hand_on(&TICKS.into(), due_at, hop).await?;
        }
        let Some(next) = next else {
            return left;
        };
        // A transport may not hold it until then.
        let hop = brought.filter(|(due_at, _)| *due_at == next);
        let hop = hop.map_or(0, |(_, hop)| hop.saturating_add(1));
        if hop == 0 && self.clockwork.handed_on() == Some(next) {
            return left;
        }
        self.hand_on(&TICKS.into(), next, hop).await?;
        self.clockwork.hand_on(next);
        left
    }

    /// In push mode, has a message come for a schedule that was written outside of a delivery, unless one is under way for an earlier
    /// tick: whoever gets that one hands on the next.
    pub(crate) async fn push_tick(&self, due_at: Option<Timestamp>) -> Result<()> {
        let Some(due_at) = due_at.filter(|_| self.hands_on()) else {
            return Ok(());
        };
        let now = self.clock.now();
        let due_at = due_at.max(now);
        let under_way = self.clockwork.handed_on();
        if under_way.is_some_and(|earlier| now < earlier && earlier <= due_at) {
            return Ok(());
        }
        self.hand_on(&TICKS.into(), due_at, 0).await?;
        self.clockwork.hand_on(due_at);
        Ok(())
    }

    /// In push mode, has the ticks go on of a function that is resumed, for which no message came meanwhile.
    pub(crate) async fn push_ticks_of(self: &Arc<Self>, function_id: &str) -> Result<()> {
        if self.ticking().iter().any(|own| **own == *function_id) {
            return self.push_ticks(None).await;
        }
        if self.registry.get(function_id).is_some() {
            return Ok(());
        }
        // A worker that has it looks what is due.
        let now = self.clock.now();
        self.hand_on_again(&TICKS.into(), now, &new_id()).await
    }

    /// Hands on the runs that ticks have started, each whatever becomes of the others.
    pub(super) async fn hand_on_starts(&self, starts: &[Start], now: Timestamp) -> Result<()> {
        let mut handed_on = Ok(());
        for start in starts {
            let one = self.hand_on(&start.run_id.as_str().into(), now, 0).await;
            handed_on = handed_on.and(one);
        }
        handed_on
    }

    /// In push mode, hands on a run that is due and that nobody has begun. Its message has the id of the first one.
    pub(super) async fn hand_on_unbegun(&self, run: &RunRecord) -> Result<()> {
        let is_new = run.status == RunStatus::Pending;
        let due_at = run.due_at.filter(|due_at| *due_at <= self.clock.now());
        if let Some(due_at) = due_at.filter(|_| is_new && self.hands_on()) {
            self.hand_on(&run.run_id, due_at, 0).await?;
        }
        Ok(())
    }

    /// Hands on the runs of ticks that nobody has begun: whoever has started them may have died before it came to that.
    async fn hand_on_left(&self) -> Result<()> {
        let mut handed_on = Ok(());
        for function in self.ticking() {
            let mut filter = RunFilter::new()
                .with_function(function)
                .with_statuses([RunStatus::Pending])
                .with_due_by(self.clock.now())
                .with_limit(PAGE);
            loop {
                let page = self.store.list(filter.clone()).await?;
                for run in page.runs.iter().filter(|run| &*run.event_type == TICK) {
                    handed_on = handed_on.and(self.hand_on_unbegun(run).await);
                }
                let Some(next) = page.next else { break };
                filter = filter.with_after(next);
            }
        }
        handed_on
    }

    /// The same, where nobody is to suffer if it fails.
    pub(crate) async fn push_ticks_quietly(self: &Arc<Self>) {
        if let Err(error) = self.push_ticks(None).await {
            tracing::warn!(error = %error.report(), "could not hand on the next tick; the next delivery tries again");
        }
    }
}
