//! Starts what the clock starts: looks for schedules whose ticks are due, and writes each with the run that it starts.
//!
//! There is no leader. Every worker that has the functions looks when the next tick is due and at each sweep; of those that look at
//! one moment the store lets one write. A run's id follows from its tick, so that nothing starts it twice.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::Shared;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    event::EventSet as _,
    panic::catch_future,
    plain::Clean,
    schedule::{IN_TIME, Kept, Outcome, Plan, Start, TICK, Tick},
    store::{NewEvent, RunRecord, ScheduleChange, ScheduleRow, Target, finish::to_the_end_at},
};

/// How many schedules are written at once.
const BATCH: usize = 100;

/// How many are read at once if none of fewer can be followed here.
const MOST: usize = 12_800;

/// How often in a row a look finds more before others have their turn.
const ROUNDS: usize = 20;

/// How soon a worker looks again, at the earliest.
const BUSY: Duration = Duration::from_millis(20);

/// How long a schedule waits that no worker could follow at its time.
const PUT_OFF: Duration = Duration::from_secs(300);

/// How many schedules are read at once.
pub(crate) const PAGE: usize = 500;

/// A schedule after a look.
struct Looked {
    read: ScheduleRow,
    kept: Kept,
    outcome: Outcome,
    due_at: Option<Timestamp>,
    /// The run of the tick before, if it goes on.
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only a dispatcher is told of it")
    )]
    before: Option<RunRecord>,
    /// Why a run could not be cancelled, or handed on, that gave way before.
    failed: Option<Error>,
}

impl Looked {
    fn change(&self, now: Timestamp) -> ScheduleChange {
        let row = ScheduleRow::new(
            Arc::clone(&self.read.name),
            Arc::clone(&self.read.function_id),
            self.kept.write(),
        );
        let starts = self.outcome.starts.iter();
        let starts = starts.map(|start| event(&self.read, &self.kept, start, now));
        ScheduleChange::update(&self.read, row.with_due_at(self.due_at))
            .with_starts(starts.collect())
    }
}

/// Has one that cannot be followed here wait, once those who can have had their time: it costs every look something.
fn put_off(row: &ScheduleRow, now: Timestamp) -> Option<ScheduleChange> {
    let over = row.due_at?.after(IN_TIME) < now;
    let (name, function) = (Arc::clone(&row.name), Arc::clone(&row.function_id));
    let later = ScheduleRow::new(name, function, Arc::clone(&row.value));
    let later = later.with_due_at(Some(now.after(PUT_OFF)));
    over.then(|| ScheduleChange::update(row, later))
}

/// What starts the run of a tick. Its id is the run's.
fn event(row: &ScheduleRow, kept: &Kept, start: &Start, now: Timestamp) -> NewEvent {
    let mut tick = Tick::new(start.scheduled_at)
        .with_missed(start.missed)
        .with_schedule(Arc::clone(&row.name))
        .with_json(kept.data.clone());
    if let Some(previous) = start.previous {
        tick = tick.with_previous(previous);
    }
    new_run(row, &tick, &start.run_id, now)
}

/// What starts a run with this tick.
pub(crate) fn new_run(row: &ScheduleRow, tick: &Tick, run_id: &str, now: Timestamp) -> NewEvent {
    let encoded = tick
        .encode()
        .expect("times, numbers and JSON can be written as JSON");
    let target = Target::function(Arc::clone(&row.function_id), Some(run_id.into()));
    NewEvent::new(run_id, TICK, encoded.payload, now).with_target(target)
}

/// The schedule whose tick started a run, if it was one.
pub(super) fn schedule_of(event_type: &str, payload: &[u8]) -> Option<Arc<str>> {
    if event_type != TICK {
        return None;
    }
    let tick = Tick::decode(event_type, payload).ok()?;
    Some(tick.schedule().into()).filter(|name: &Arc<str>| !name.is_empty())
}

impl Shared {
    /// The functions of this worker that take ticks.
    pub(crate) fn ticking(&self) -> Vec<Arc<str>> {
        let functions = self.registry.functions().iter();
        let ticking =
            functions.filter(|function| function.event_types().any(|taken| taken == TICK));
        ticking.map(|function| Arc::clone(&function.id)).collect()
    }

    /// Starts what is due; when the next tick is.
    ///
    /// Once it has begun it comes to its end: what it has written is cancelled and handed on.
    pub(crate) async fn look_for_ticks(self: &Arc<Self>) -> Result<Option<Timestamp>> {
        let functions = self.ticking();
        if functions.is_empty() {
            return Ok(None);
        }
        let worker = Arc::clone(self);
        to_the_end_at(
            self.loops.home(),
            async move { worker.look(&functions).await },
        )
        .await
    }

    async fn look(self: &Arc<Self>, functions: &[Arc<str>]) -> Result<Option<Timestamp>> {
        self.heed_the_clock(functions).await?;
        self.follow_ended().await?;
        let mut most = BATCH;
        for _ in 0..ROUNDS {
            let now = self.clock.now();
            if self.is_ending() {
                break;
            }
            let found = self.store.due_schedules(functions, now, most).await?;
            if found.due.is_empty() {
                return Ok(found.next);
            }
            let is_all = found.due.len() < most;
            if self.deal_with(found.due).await? == 0 {
                // Others were faster, or nobody here can follow them. They hide none of those behind them.
                if is_all {
                    let soon = now.after(BUSY);
                    return Ok(found.next.map(|next| next.max(soon)));
                }
                if most >= MOST {
                    return Ok(Some(now.after(IN_TIME)));
                }
                most *= 2;
            }
        }
        Ok(Some(self.clock.now()))
    }

    /// Starts what waited for the ends of runs that have ended here.
    pub(crate) async fn follow_ended(self: &Arc<Self>) -> Result<()> {
        for name in self.clockwork.take_ended() {
            let Some(row) = self.store.schedule(&name).await? else {
                continue;
            };
            if Kept::read(&row.value).is_ok_and(|kept| !kept.queue.is_empty())
                && self.paused_at(&row.function_id).await?.is_none()
            {
                self.deal_with(vec![row]).await?;
            }
        }
        Ok(())
    }

    /// Deals with schedules that are due; how many were written.
    ///
    /// # Errors
    /// The store failed. Or the dispatcher did, after all that is due was written and handed on as far as it went.
    pub(crate) async fn deal_with(self: &Arc<Self>, rows: Vec<ScheduleRow>) -> Result<usize> {
        let mut looked = Vec::with_capacity(rows.len());
        let mut changes = Vec::new();
        for row in rows {
            match self.look_at(&row).await {
                Ok(one) => looked.push(one),
                // Of one that cannot be read the others do not suffer.
                Err(error) if !error.is_retryable() || error.kind() == ErrorKind::Store => {
                    self.cannot_follow(&row.name, &error);
                    changes.extend(put_off(&row, self.clock.now()));
                }
                Err(error) => return Err(error),
            }
        }
        let now = self.clock.now();
        changes.splice(..0, looked.iter().map(|one| one.change(now)));
        if changes.is_empty() {
            return Ok(0);
        }
        let written = self.store.change_schedules(changes, now).await?;
        let (mut count, mut failed) = (0, None);
        for (one, written) in looked.iter_mut().zip(written) {
            failed = failed.or(one.failed.take());
            #[cfg(feature = "http")]
            if let Some(run) = one.before.as_ref().filter(|_| !one.outcome.cancels) {
                // It would stand in the way for ever if its message was never sent.
                failed = failed.or(self.hand_on_unbegun(run).await.err());
            }
            if written {
                count += 1;
                self.tell_of_ticks(one);
                if let Some(run_id) = one.kept.gives_way.as_ref().filter(|_| one.outcome.cancels) {
                    failed = failed.or(self.make_way(run_id, &one.read.name).await.err());
                }
                // They are written: what cannot be handed on keeps none of the others.
                let going_on = self.go_on_with(&one.outcome.starts, now).await;
                failed = failed.or(going_on.err());
            }
        }
        failed.map_or(Ok(count), Err)
    }

    /// Says once that a schedule is left to others.
    pub(super) fn cannot_follow(&self, name: &str, error: &Error) {
        if self.warned.is_first(&format!("schedule {name}").into()) {
            tracing::error!(schedule = %Clean(name), error = %error.report(), "a schedule cannot be followed here");
        }
    }

    /// Cancels a run that gives way to that of a tick. The schedule says so, in case that it does not come to that.
    async fn make_way(&self, run_id: &Arc<str>, schedule: &str) -> Result<()> {
        if self.cancel(run_id).await? {
            tracing::info!(run = %run_id, schedule = %Clean(schedule), "run cancelled: the next tick of its schedule takes its place");
            return Ok(());
        }
        #[cfg(feature = "http")]
        self.hand_on_cancelled(run_id).await?;
        Ok(())
    }

    /// What follows for one schedule.
    async fn look_at(self: &Arc<Self>, read: &ScheduleRow) -> Result<Looked> {
        let mut kept = Kept::read(&read.value)?;
        let times = self.clockwork.times(&kept)?;
        let now = self.clock.now();
        let plan = Plan {
            name: &read.name,
            function_id: &read.function_id,
            times: &times,
        };
        let before = self.goes_on(&kept).await?;
        let mut failed = None;
        if let Some(run_id) = kept.gives_way.take()
            && let Err(error) = self.make_way(&run_id, &read.name).await
        {
            kept.gives_way = Some(run_id);
            failed = Some(error);
        }
        let outcome = plan.look(&mut kept, now, before.is_some());
        let due_at = plan.due_at(&kept, now);
        Ok(Looked {
            read: read.clone(),
            kept,
            outcome,
            due_at,
            before,
            failed,
        })
    }

    /// The run of the last tick, if it goes on.
    async fn goes_on(&self, kept: &Kept) -> Result<Option<RunRecord>> {
        let Some(last) = kept.last.as_ref().filter(|_| kept.heeds_the_last()) else {
            return Ok(None);
        };
        let run = self.store.run(&last.run_id).await?;
        Ok(run.filter(|run| !run.status.is_finished()))
    }

    fn tell_of_ticks(&self, one: &Looked) {
        let (name, outcome) = (Clean(&one.read.name), &one.outcome);
        let Some(function) = self.registry.get(&one.read.function_id) else {
            return;
        };
        let ticks = function.metrics.ticks();
        for start in &outcome.starts {
            ticks.started.increment(1);
            ticks.late.record(start.late.as_secs_f64());
            tracing::debug!(schedule = %name, run = start.run_id, tick = %start.scheduled_at, missed = start.missed, "tick started a run");
        }
        ticks.missed.increment(u64::from(outcome.missed));
        ticks.skipped.increment(u64::from(outcome.skipped));
        if outcome.missed > 0 {
            tracing::warn!(schedule = %name, missed = outcome.missed, "ticks were missed, since no worker was there at their time, nor before the next tick or within a minute");
        }
        if outcome.skipped > 0 {
            tracing::info!(schedule = %name, skipped = outcome.skipped, "ticks were skipped, since the run of an earlier one goes on");
        }
    }

    /// Has the runs that ticks have started driven.
    async fn go_on_with(self: &Arc<Self>, starts: &[Start], now: Timestamp) -> Result<()> {
        if starts.is_empty() {
            return Ok(());
        }
        self.due.expect(now);
        self.due.notify();
        #[cfg(feature = "http")]
        if self.hands_on() {
            return self.hand_on_starts(starts, now).await;
        }
        Ok(())
    }

    /// Starts what is due, whatever breaks; when to look again.
    async fn look_quietly(self: &Arc<Self>) -> Timestamp {
        let sweep = self.options().sweep;
        let next = catch_future(self.look_for_ticks()).await.unwrap_or_else(|error| {
            if error.kind() == ErrorKind::Panicked {
                tracing::error!(error = %error.report(), "the store panicked while it was asked for schedules; trying again later");
            } else {
                tracing::warn!(error = %error.report(), "cannot look for due schedules; trying again later");
            }
            None
        });
        let now = self.clock.now();
        let look = now.after(sweep);
        next.map_or(look, |next| look.min(next))
            .max(now.after(BUSY))
    }
}

/// Starts what is due, again and again, as long as the worker lives and claims runs.
pub(super) async fn tick_forever(worker: Weak<Shared>) {
    let Some(shared) = worker
        .upgrade()
        .filter(|shared| !shared.ticking().is_empty())
    else {
        return;
    };
    let mut shared = shared;
    while !shared.is_draining() {
        let look = shared.look_quietly().await;
        let clock = Arc::clone(&shared.clock);
        let changed = Arc::clone(&shared);
        tokio::select! {
            () = changed.clockwork.changed.notified() => {}
            () = clock.expire_at(look) => {}
        }
        drop((shared, changed));
        match worker.upgrade() {
            Some(again) => shared = again,
            None => return,
        }
    }
}
