//! What a drive writes to the store, and what it makes of the answer.

use std::{
    future::{Future, ready},
    pin::Pin,
    task::{self, Context, Poll},
    time::Duration,
};

use tokio::time::Sleep;

use super::driver::Drive;
use crate::worker::ended::Ended;
use crate::{
    error::{Error, ErrorKind, Result},
    live::Outbox,
    run::after_function,
    store::{Commit, CommitBatch, CommitOutcome, Entry, NewEvent, Tag, Transition},
    telemetry::{StartedAt, Timer},
};

/// How long to wait before heartbeats that the store failed to take are written again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often they are written again. A store that is down takes some time over each, so that is ten minutes or so; if it is the
/// heartbeats that it refuses, it is one.
const MOST_AGAIN: u32 = 60;

pub(super) type Written = Result<Vec<CommitOutcome>>;

/// A write to the store, measured.
pub(super) struct Write<'a> {
    commit: Pin<Box<dyn Future<Output = Written> + Send + 'a>>,
    begun: StartedAt,
    seconds: &'a Timer,
    /// What it waits for before it begins.
    rest: Option<Pin<Box<Sleep>>>,
}

impl Write<'_> {
    /// Delays its start for a moment.
    #[expect(clippy::disallowed_methods, reason = "the worker's own pause")]
    fn rest(&mut self) {
        self.rest = Some(Box::pin(tokio::time::sleep(AGAIN)));
    }
}

impl Future for Write<'_> {
    type Output = Written;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Written> {
        if let Some(rest) = &mut self.rest {
            task::ready!(rest.as_mut().poll(cx));
            self.rest = None;
            self.begun = self.seconds.begin();
        }
        let written = task::ready!(self.commit.as_mut().poll(cx));
        self.seconds.record(self.begun);
        Poll::Ready(written)
    }
}

/// A write under way.
pub(super) struct Underway<'a> {
    pub(super) write: Write<'a>,
    /// How many records it makes durable.
    pub(super) records: usize,
    /// Whether it advances the run.
    pub(super) gets_on: bool,
    /// Whether it records something that is undone if the run fails or is cancelled.
    pub(super) undoable: bool,
    /// The tags that it adds.
    pub(super) tags: Vec<Tag>,
    /// What it writes, if that is nothing but heartbeats; and how often that has failed.
    heartbeats: Option<(Vec<Entry>, u32)>,
}

impl<'a> Drive<'a> {
    pub(super) fn begin_write(&self, outbox: Outbox) -> Underway<'a> {
        let heartbeats = outbox.is_heartbeats().then(|| outbox.entries.clone());
        Underway {
            records: outbox.entries.len(),
            gets_on: outbox.gets_on(),
            undoable: outbox.entries.iter().any(|entry| entry.undoable),
            tags: outbox.tags.clone(),
            heartbeats: heartbeats.map(|entries| (entries, 0)),
            write: self.write(outbox, None),
        }
    }

    /// The same write once more, a little later, of heartbeats that the store failed to take. Nothing but their step is under way, which
    /// would be cut off for saying how far it is.
    pub(super) fn write_again(
        &self,
        failed: &Underway<'a>,
        result: &Written,
    ) -> Option<Underway<'a>> {
        let error = result.as_ref().err()?;
        let (entries, times) = failed.heartbeats.as_ref()?;
        if !error.is_retryable() || *times >= MOST_AGAIN || self.run.has_outbox() {
            return None;
        }
        let ids = self.run.ids();
        tracing::warn!(
            function = ids.function, run = ids.run, error = %error.report(),
            "the store failed to take a heartbeat; it is written again in a moment"
        );
        let mut again = Underway {
            records: failed.records,
            gets_on: failed.gets_on,
            undoable: failed.undoable,
            tags: Vec::new(),
            heartbeats: Some((entries.clone(), times + 1)),
            write: self.write(Outbox::of(entries.clone()), None),
        };
        again.write.rest();
        Some(again)
    }

    pub(super) fn write(&self, outbox: Outbox, transition: Option<Transition>) -> Write<'a> {
        self.write_commit(outbox.into_commit(self.lease).with_transition(transition))
    }

    /// The last write of a run, with what else its end starts.
    pub(super) fn write_end(
        &self,
        outbox: Outbox,
        transition: Transition,
        starts: Vec<NewEvent>,
    ) -> Write<'a> {
        let mut commit = outbox.into_commit(self.lease).with_transition(transition);
        commit.starts.extend(starts);
        self.write_commit(commit)
    }

    fn write_commit(&self, commit: Commit) -> Write<'a> {
        let metrics = &self.worker.metrics;
        let records = commit.entries.len() + usize::from(commit.transition.is_some());
        metrics.commit_batch_size.record(count(records));
        let begun = metrics.commit_seconds.begin();
        let now = self.worker.clock.now();
        Write {
            // What a transaction has recorded is only passed on.
            commit: if commit.is_nothing() {
                Box::pin(ready(Ok(vec![CommitOutcome::Applied])))
            } else {
                self.worker
                    .store
                    .commit(CommitBatch::new(vec![commit], now))
            },
            begun,
            seconds: &metrics.commit_seconds,
            rest: None,
        }
    }

    /// Looks whether a write went through; if not, the run is given up and claimed anew with what the store really has.
    pub(super) async fn applied(&self, result: Written) -> Result<(), Ended> {
        match result {
            Ok(outcomes) if outcomes.first() == Some(&CommitOutcome::Applied) => Ok(()),
            Ok(_) => {
                self.run.lose_lease();
                self.worker.metrics.leases_lost.increment(1);
                let ids = self.run.ids();
                tracing::warn!(
                    function = ids.function,
                    run = ids.run,
                    "lease lost: the run was cancelled, or another worker has claimed it"
                );
                Err(Ended::Abandoned)
            }
            Err(error) => Err(self.not_written(&error).await),
        }
    }

    /// What becomes of a run of which something could not be written.
    ///
    /// That the store failed is no outcome of the run. But what fails again and again, while the store does all else, is the fault
    /// of what is to be written: then it is a failed attempt, with the policy of any other.
    pub(super) async fn not_written(&self, error: &Error) -> Ended {
        let setback = self.worker.setbacks.gave_up(&self.run.run_id, true);
        if (setback.own_fault || !error.is_retryable())
            && let Some(ended) = self.count_as_failed(error).await
        {
            return ended;
        }
        let ids = self.run.ids();
        tracing::error!(
            function = ids.function, run = ids.run, error = %error.report(), pause = ?setback.pause,
            "the store failed; the attempt is abandoned and will be resumed"
        );
        self.worker
            .give_back_later(&self.run.run_id, self.lease, setback.pause);
        Ended::Abandoned
    }

    /// Records that the attempt failed since its results cannot be written; `None` if that cannot be written either.
    async fn count_as_failed(&self, error: &Error) -> Option<Ended> {
        if self.run.is_undoing() {
            return self.count_undo_as_failed(error).await;
        }
        // What was left to be recorded is lost, and nobody will undo it.
        self.run.forget_what_is_not_durable();
        let report = error.report();
        let error = Error::new(
            ErrorKind::Unwritable,
            format!("the run's results cannot be written: {report}"),
        );
        let (now, random) = (self.worker.clock.now(), self.worker.host.random());
        let failed = self.claimed.failed_attempts;
        let transition = after_function(Err(&error), self.policy, failed, now, random);
        self.log(&error, &transition);
        let starts = self.handlers_at(&error, &transition).await;
        let has_handlers = !starts.is_empty();
        let mut written = self
            .write_end(Outbox::default(), transition.clone(), starts)
            .await;
        if let (Err(refused), true) = (&written, has_handlers) {
            let refused = refused.report();
            let alone = self.write_end(Outbox::default(), transition.clone(), Vec::new());
            written = alone.await;
            let is_written = |outcomes: &Vec<_>| outcomes.first() == Some(&CommitOutcome::Applied);
            // Where it is not, the first write may have come through, and only its reply was lost.
            if written.as_ref().is_ok_and(is_written) {
                let ids = self.run.ids();
                tracing::error!(
                    function = ids.function,
                    run = ids.run,
                    error = refused,
                    "the store refused the runs of the failure handlers; the run failed without starting them"
                );
            }
        }
        let outcomes = written.ok()?;
        if outcomes.first() != Some(&CommitOutcome::Applied) {
            return Some(Ended::Abandoned);
        }
        let ended = self.ended(transition);
        if ended == Ended::Failed {
            let _ = self.failure.set(error);
        }
        Some(ended)
    }
}

/// A small number as metrics have it.
fn count(records: usize) -> f64 {
    f64::from(u32::try_from(records).unwrap_or(u32::MAX))
}
