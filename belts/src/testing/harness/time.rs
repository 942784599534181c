//! Lets time pass for a harness, and drives what comes due.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::Harness;
use crate::{
    clock::Timestamp,
    error::Result,
    store::{RunFilter, RunRecord, RunStatus},
    worker::Worker,
};

impl Harness {
    /// Moves the clock forward and drives nothing; timeouts that end meanwhile take effect.
    pub fn advance(&self, by: Duration) {
        self.inner.setup.clock.advance(by);
    }

    /// Drives every run in the store to its end, the earliest due first, and moves the clock as needed.
    ///
    /// Ticks of [schedules](crate::guide::schedules) that are due start their runs first; those that come due meanwhile do not, since what
    /// the clock starts never ends. [`travel`](Self::travel) fires them.
    ///
    /// Runs of functions that this worker does not have or that are paused, runs of events that their function does not take,
    /// runs that stopped at a step, and runs that wait forever stay as they are. A clock that does not [skip sleeps](crate::testing::ManualClock::skip_sleeps) does so
    /// meanwhile.
    ///
    /// # Errors
    /// The store fails.
    pub async fn settle(&self) -> Result<()> {
        let _journey = self.inner.setup.clock.journey();
        self.surviving(|worker| Box::pin(settle(worker, None)))
            .await
            .map(|_| ())
    }

    /// Lets this much time pass: see [`travel_to`](Self::travel_to).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, sleep, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    /// use std::time::Duration;
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct TrialBegun { customer: String }
    ///
    /// #[belts::function(id = "trial", on = TrialBegun)]
    /// async fn trial(begun: TrialBegun) -> belts::Result<()> {
    ///     step!("welcome", ()).await?;
    ///     sleep!("two-weeks", "336h").await?;
    ///     step!("remind", ()).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let harness = Harness::new().await?;
    /// harness.publish(TrialBegun { customer: "Ada".into() }).await?;
    ///
    /// harness.travel(DAY * 13).await?;
    /// harness.runs_of(trial).await?[0].assert_steps(&["welcome", "two-weeks"]);
    ///
    /// harness.travel(DAY).await?;
    /// harness.runs_of(trial).await?[0].assert_completed().assert_steps(&["welcome", "two-weeks", "remind"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The store fails.
    pub async fn travel(&self, by: Duration) -> Result<()> {
        self.travel_to(self.now().after(by)).await
    }

    /// Lets time pass until then: what comes due by then is driven in order, and the rest waits. The ticks of
    /// [schedules](crate::guide::schedules) on the way start their runs, each at its time.
    ///
    /// The clock ends there, whether it [skips sleeps](crate::testing::ManualClock::skip_sleeps) otherwise or
    /// not. Waits of up to three seconds happen in memory and are not cut short, so if one
    /// is in progress then, the clock ends with it. After a [crash](Harness::faults) the next worker's own pauses take time,
    /// too.
    ///
    /// # Errors
    /// The store fails.
    pub async fn travel_to(&self, time: impl Into<Timestamp>) -> Result<()> {
        let time = time.into();
        let _journey = self.inner.setup.clock.journey();
        self.surviving(move |worker| Box::pin(settle(worker, Some(time))))
            .await?;
        self.advance(time.since(self.now()));
        // Also the time of runs that nobody drives is over then.
        self.surviving(|worker| Box::pin(expire(worker))).await?;
        Ok(())
    }
}

/// Ends the runs whose time is over.
async fn expire(worker: Worker) -> Result<()> {
    let shared = worker.shared();
    while let Some(next) = shared.expire().await?
        && next <= shared.clock.now()
    {}
    Ok(())
}

/// Drives what is due by then, or everything. Ticks start runs as far as time passes to a moment that is given, and otherwise only those
/// that are due already: what the clock starts never ends.
async fn settle(worker: Worker, until: Option<Timestamp>) -> Result<()> {
    let shared = worker.shared();
    let mut paused: HashSet<Arc<str>> = HashSet::new();
    let mut tick = shared.look_for_ticks().await?;
    loop {
        shared.follow_ended().await?;
        let next = next_due(&worker, &paused).await?;
        let rests = next.as_ref().is_none_or(|run| !run.is_driven());
        if let Some(at) = tick.filter(|at| until.is_some_and(|until| *at <= until) && rests)
            && next
                .as_ref()
                .is_none_or(|run| run.next_moment().is_none_or(|moment| at < moment))
        {
            shared.clock.sleep_until(at).await;
            tick = shared.look_for_ticks().await?;
            continue;
        }
        let Some(run) = next else {
            return Ok(());
        };
        let Some(index) = shared.registry.index(&run.function_id) else {
            continue;
        };
        let ended = shared.listen(&run.run_id);
        let Some(run) = shared.store.run(&run.run_id).await? else {
            continue;
        };
        let over_at = run.over_at();
        match run.next_moment() {
            _ if run.is_driven() => {}
            // None of the others comes earlier.
            Some(moment) if until.is_some_and(|until| moment > until) => break,
            Some(moment) if over_at == Some(moment) || run.is_over(shared.clock.now()) => {
                shared.clock.sleep_until(moment).await;
                shared.expire().await?;
                continue;
            }
            Some(due_at) => {
                shared.clock.sleep_until(due_at).await;
                if !shared.claim_run(&run.run_id, index).await? {
                    if shared.paused_at(&run.function_id).await?.is_some() {
                        paused.insert(run.function_id);
                    }
                    continue;
                }
            }
            _ => continue,
        }
        // The worker reports the end of each drive while it is alive; if it dies, this ends too.
        let _ = ended.await;
        if until.is_some() {
            tick = shared.look_for_ticks().await?;
        }
    }
    Ok(())
}

/// Whether the worker has the function of a run, and that takes its event.
fn takes(worker: &Worker, run: &RunRecord) -> bool {
    let registry = &worker.shared().registry;
    let function = registry.index(&run.function_id);
    let mut types = function
        .into_iter()
        .flat_map(|index| registry.functions()[index].event_types());
    types.any(|known| *known == *run.event_type)
}

/// The run that is in progress or due first, but for those of functions that are paused.
async fn next_due(worker: &Worker, paused: &HashSet<Arc<str>>) -> Result<Option<RunRecord>> {
    let statuses = vec![
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Suspended,
        RunStatus::Undoing,
    ];
    let filter = RunFilter {
        statuses,
        limit: usize::from(u16::MAX),
        ..RunFilter::default()
    };
    let page = worker.store().list(filter).await?;
    let known = page
        .runs
        .into_iter()
        .filter(|run| takes(worker, run))
        .filter(|run| run.is_driven() || !paused.contains(&run.function_id))
        .filter(|run| !run.next_moment().is_some_and(Timestamp::is_never))
        // Such a run waits for an event.
        .filter(|run| !run.is_suspended() || run.next_moment().is_some());
    // Ids sort by time as well, for runs created at one moment of a clock that stands still.
    Ok(known.min_by_key(|run| {
        let rests = !run.is_driven();
        let moment = run.next_moment().filter(|_| rests);
        (moment, run.created_at, run.run_id.clone())
    }))
}
