//! Ends runs whose time is over, whoever drives them and whether there is room or not: beside the loop, and where there is none beside the
//! drive of a run that is limited, and now and then within a delivery.
//!
//! The store says when the time of the next run is over. What others publish meanwhile has as much time as its function gives it, so it is
//! found in time if the worker looks as often as the shortest limit is long.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use super::Shared;
use crate::{
    clock::Timestamp,
    error::{ErrorKind, Result},
    panic::catch_future,
    plain::Clean,
    registry::{Registered, Registry},
    store::{RunRecord, RunStatus, finish::to_the_end_at},
};

/// How many runs end at once.
const BATCH: usize = 500;

/// How often a worker looks that knows of no limits.
const QUIET: Duration = Duration::from_secs(10);

/// How often a worker looks at most.
const BUSY: Duration = Duration::from_millis(50);

impl Shared {
    /// Ends runs whose time is over, the longest over first and so many at once; when that of the next one is, which may lie in the past.
    ///
    /// Once it has begun it comes to its end: nobody else would hear which runs have ended.
    pub(crate) async fn expire(self: &Arc<Self>) -> Result<Option<Timestamp>> {
        let worker = Arc::clone(self);
        to_the_end_at(self.loops.home(), async move { worker.expire_some().await }).await
    }

    /// Ends what is over, since no claim brings this run any more; whether it was its turn.
    pub(super) async fn end_overdue(self: &Arc<Self>, run_id: &str) -> Result<bool> {
        self.expire().await?;
        let record = self.store.run(run_id).await?;
        Ok(record.is_none_or(|run| run.status.is_finished()))
    }

    async fn expire_some(&self) -> Result<Option<Timestamp>> {
        let now = self.clock.now();
        let expired = self.store.expire(now, BATCH).await?;
        let more = expired.more && !expired.runs.is_empty();
        for run_id in &expired.runs {
            tracing::info!(run = %Clean(run_id), "run cancelled: its time is over");
        }
        #[cfg(feature = "http")]
        let handed_on = self.hand_on_parents(&expired.runs).await;
        for run_id in &expired.runs {
            self.cancelled(run_id);
        }
        #[cfg(feature = "http")]
        handed_on?;
        Ok(if more { Some(now) } else { expired.next })
    }

    /// In push mode, hands on the runs that may wait for the ends of these, and of those for which that has failed before.
    #[cfg(feature = "http")]
    async fn hand_on_parents(&self, runs: &[Arc<str>]) -> Result<()> {
        if !self.hands_on() {
            return Ok(());
        }
        let mut left = self.chores.take_untold();
        left.extend_from_slice(runs);
        let mut result = Ok(());
        for run_id in left {
            let handed_on = async {
                let record = self.store.run(&run_id).await?;
                // It may be due, to be undone.
                if let Some(run) = record.as_ref().filter(|run| run.is_suspended())
                    && let Some(due_at) = run.due_at
                {
                    self.hand_on(&run.run_id, due_at, 0).await?;
                }
                if let Some(run) = &record {
                    Box::pin(self.leave_children(&run.run_id, &run.function_id)).await;
                    self.hand_on_next(&run.function_id).await?;
                }
                let parent = record.and_then(|record| record.parent);
                self.hand_on_parent(parent.as_ref(), &run_id).await
            };
            if let Err(error) = handed_on.await {
                self.chores.keep_untold(run_id);
                result = Err(error);
            }
        }
        result
    }

    /// Ends what is over; when to look again.
    async fn look_for_overdue(self: &Arc<Self>) -> Timestamp {
        let next = catch_future(self.expire()).await.unwrap_or_else(|error| {
            if error.kind() == ErrorKind::Panicked {
                tracing::error!(error = %error.report(), "the store panicked while it ended runs whose time is over; trying again later");
            } else {
                tracing::warn!(error = %error.report(), "cannot end runs whose time is over; trying again later");
            }
            None
        });
        let now = self.clock.now();
        let every = match next {
            Some(_) => self.looks_every().min(self.options().sweep),
            None => self.looks_every(),
        };
        let look = now.after(every.max(BUSY));
        next.map_or(look, |next| look.min(next.max(now.after(BUSY))))
    }

    /// How often this worker looks for runs that others publish.
    fn looks_every(&self) -> Duration {
        let sweep = self.options().sweep;
        match self.registry.shortest_limit() {
            Some(limit) => limit.min(sweep),
            None => sweep.max(QUIET),
        }
    }

    /// Ends what is over within a delivery, if the last look was long ago. The delivery does not suffer if that fails.
    #[cfg(feature = "http")]
    pub(super) async fn expire_now_and_then(self: &Arc<Self>) {
        let every = self.looks_every().max(BUSY);
        if self.chores.look.is_over(self.clock.now(), every) {
            let look = self.look_for_overdue().await;
            if look <= self.clock.now().after(BUSY) {
                // A delivery ends no more than a batch, and there are more.
                self.chores.look.go_on_at_once();
            }
        }
    }

    /// Drives a run, and ends it when its time is over, where no loop does.
    pub(super) async fn in_time<T>(
        self: &Arc<Self>,
        function: &Registered,
        drive: Pin<&mut impl Future<Output = T>>,
    ) -> T {
        if function.options.finish_within.is_none() || self.is_running() {
            return drive.await;
        }
        let watch = Box::pin(async {
            loop {
                let look = self.look_for_overdue().await;
                self.clock.expire_at(look).await;
            }
        });
        tokio::select! {
            biased;
            ended = drive => ended,
            () = watch => unreachable!("it watches for ever"),
        }
    }
}

/// Ends what is over, again and again.
pub(super) async fn expire_forever(worker: Weak<Shared>) {
    while let Some(shared) = worker.upgrade() {
        let look = shared.look_for_overdue().await;
        let clock = Arc::clone(&shared.clock);
        drop(shared);
        clock.expire_at(look).await;
    }
}

impl Registry {
    /// The shortest of all limits of this program.
    fn shortest_limit(&self) -> Option<Duration> {
        let all = self.functions().iter().flat_map(|function| {
            let options = &function.options;
            options
                .start_within
                .into_iter()
                .chain(options.finish_within)
        });
        all.min()
    }
}

impl RunRecord {
    /// When the time of the run is over, if it ever is.
    pub(crate) fn over_at(&self) -> Option<Timestamp> {
        let start_by = self.start_by.filter(|_| self.started_at.is_none());
        let times = start_by.into_iter().chain(self.finish_by);
        times
            .min()
            .filter(|time| !self.status.is_finished() && !time.is_never())
            .filter(|_| self.status != RunStatus::Undoing)
    }

    /// Whether it goes on only since nobody has ended it yet.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.over_at().is_some_and(|over_at| over_at <= now)
    }

    /// Whether a worker has it in hand.
    pub(crate) fn is_driven(&self) -> bool {
        let undoes = self.status == RunStatus::Undoing && self.due_at.is_none();
        self.status == RunStatus::Running || undoes
    }

    /// Whether it waits for a time, or for what arrives.
    pub(crate) fn is_suspended(&self) -> bool {
        let undoes = self.status == RunStatus::Undoing && self.due_at.is_some();
        self.status == RunStatus::Suspended || undoes
    }

    /// When it is due or over, whatever comes first.
    pub(crate) fn next_moment(&self) -> Option<Timestamp> {
        self.due_at.into_iter().chain(self.over_at()).min()
    }
}
