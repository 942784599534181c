//! Push mode: without a loop, runs are driven within the delivery that asks for them, and what is left of each is handed on
//! as a delayed message before the delivery is answered.
//!
//! A wake-up goes by its run and its time. One that comes for another time than the run waits for is late or a duplicate:
//! it drives nothing, and hands on what is there, for the case that whoever should have did not come to it.
//!
//! While a function is paused, deliveries for its runs count as taken and drive nothing. Whoever resumes it hands on what is due.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{ended::Ended, listen::Ending, shared::Shared, take_over::busy, wait::Started};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    store::RunStatus,
};

/// The longest wait for a run's time within a delivery.
const STAYS: Duration = Duration::from_secs(3);

/// When a run asks again whose limits had no place for it.
const WITHOUT_PLACE: Duration = Duration::from_secs(5);

/// What a delivery asks of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trigger {
    /// To begin: it is one that the delivered event starts.
    Begin,
    /// To go on: whatever the run waits for is over.
    GoOn,
    /// To go on at this time, handed on so often without having reached it.
    WakeUp { due_at: Timestamp, hop: u32 },
}

impl Trigger {
    /// For how often a run was handed on to this time, if it was to this time that it was handed on.
    ///
    /// The message that is being delivered is of the same time then, perhaps because it came while another delivery drove the run. What
    /// hands the run on must be told apart from it, or a transport that knows duplicates drops it.
    fn next_hop(self, to: Timestamp) -> Option<u32> {
        match self {
            Self::WakeUp { due_at, hop } if due_at == to => Some(hop.saturating_add(1)),
            _ => None,
        }
    }
}

impl Started {
    /// Drives every run as far as it goes within this delivery, and hands on what is left.
    ///
    /// # Errors
    /// Of kind `Busy`: another worker drives one of the runs. And the store or the dispatcher failed. The delivery has to come
    /// again.
    pub(crate) async fn hand_on(&mut self, asked: Trigger) -> Result<()> {
        let drives = self.runs.iter().map(|(run_id, function_id)| {
            let (shared, ending) = (&self.shared, self.endings.remove(run_id));
            async move { shared.advance(run_id, function_id, asked, ending).await }
        });
        // One that fails keeps no other from being handed on.
        let handed_on = join_all(drives).await.into_iter().collect();
        self.shared.waiters.targets.take_back(self.aim.take());
        self.shared.expire_now_and_then().await;
        self.shared.push_ticks_quietly().await;
        self.shared.purge_now_and_then().await;
        handed_on
    }
}

impl Shared {
    async fn advance(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
        asked: Trigger,
        mut ending: Option<Ending>,
    ) -> Result<()> {
        // What a delivered event starts was started by no run.
        let mut parent = None;
        loop {
            if let Some(ending) = ending.take() {
                // A drive that was cut off tells nobody.
                match ending.await.unwrap_or(Ended::Abandoned) {
                    Ended::Suspended(Some(due_at)) if !self.registry.may_wait() => {
                        let hop = asked.next_hop(due_at).unwrap_or(0);
                        return self.hand_on(run_id, due_at, hop).await;
                    }
                    // Something may have arrived before it waited: then it is due at once.
                    Ended::Suspended(_) => {
                        let record = self.store.run(run_id).await?;
                        if let Some(due_at) = record.and_then(|record| record.due_at) {
                            let hop = asked.next_hop(due_at).unwrap_or(0);
                            self.hand_on(run_id, due_at, hop).await?;
                        }
                        return self.hand_on_children(run_id, function_id).await;
                    }
                    Ended::Abandoned => return Err(abandoned(run_id)),
                    Ended::Completed(_)
                    | Ended::Failed
                    | Ended::Cancelled
                    | Ended::Stopped
                    | Ended::Skipped => {
                        self.hand_on_children(run_id, function_id).await?;
                        return self.hand_on_parent(parent.as_ref(), run_id).await;
                    }
                }
            }
            let listening = self.listen(run_id);
            let Some(record) = self.store.run(run_id).await? else {
                return Ok(());
            };
            let stopped = record.status == RunStatus::Stopped && !matches!(asked, Trigger::GoOn);
            parent.clone_from(&record.parent);
            if record.status.is_finished() || stopped {
                // Whoever drove it may have died before handing these on.
                self.hand_on_children(run_id, function_id).await?;
                return self.hand_on_parent(parent.as_ref(), run_id).await;
            }
            let rests = record.is_suspended();
            if rests && record.due_at.is_none() && !matches!(asked, Trigger::GoOn) {
                // A message has nothing to tell it; whatever arrives for it will.
                return self.hand_on_children(run_id, function_id).await;
            }
            if self.drives(run_id) {
                // Only once the run is handed on may this delivery say that all is well.
                ending = Some(listening);
                continue;
            }
            if record.is_over(self.clock.now()) {
                if !self.end_overdue(run_id).await? {
                    return Err(busy(run_id));
                }
                continue;
            }
            let due_at = record.due_at.unwrap_or_else(|| self.clock.now());
            let hop = match (asked.next_hop(due_at), asked) {
                (Some(hop), _) => hop,
                (None, Trigger::WakeUp { .. } | Trigger::Begin) if record.is_suspended() => {
                    self.hand_on(run_id, due_at, 0).await?;
                    return self.hand_on_children(run_id, function_id).await;
                }
                (None, _) => 0,
            };
            if due_at.since(self.clock.now()) > STAYS {
                return self.hand_on(run_id, due_at, hop).await;
            }
            self.clock.sleep_until(due_at).await;
            if record.is_over(self.clock.now()) {
                continue;
            }
            let Some(index) = self.registry.reader(function_id, &record.event_type) else {
                return Err(Error::new(
                    ErrorKind::UnknownFunction,
                    format!(
                        "the run `{run_id}` belongs to the function `{function_id}` and the event type `{}`, which this program \
                         does not have together",
                        record.event_type
                    ),
                ));
            };
            let claimed = self.claim_run(run_id, index).await?;
            if claimed {
                ending = Some(listening);
            } else if self.drives(run_id) {
                // Another delivery to this worker was faster; the next turn waits for it.
            } else if self
                .store
                .run(run_id)
                .await?
                .is_some_and(|run| run.is_driven())
            {
                return Err(busy(run_id));
            } else if self.paused_at(function_id).await?.is_some() {
                // Whoever resumes the function hands it on.
                return self.hand_on_children(run_id, function_id).await;
            } else if self.registry.functions()[index].limits().is_some() {
                self.ask_for_a_place_later(&record.run_id).await?;
                return self.hand_on_children(run_id, function_id).await;
            }
        }
    }

    /// Has a run asked for again for whose limits there is no place: nobody says when there is.
    async fn ask_for_a_place_later(&self, run_id: &Arc<str>) -> Result<()> {
        if !self.hands_on() {
            return Err(busy(run_id));
        }
        // Rounded, so that a transport that drops duplicates carries one message for several deliveries.
        let turn = i64::try_from(WITHOUT_PLACE.as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now().as_millis();
        let at = Timestamp::from_millis(now - now.rem_euclid(turn) + 2 * turn);
        self.hand_on_again(run_id, at, &format!("no place {at}"))
            .await
    }
}

fn abandoned(run_id: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("the run `{run_id}` was abandoned here and will be resumed later"),
    )
}
