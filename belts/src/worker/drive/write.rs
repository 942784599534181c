//! What a drive writes to the store, and what it makes of the answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::driver::Drive;
use crate::worker::ended::Ended;
use crate::{
    error::{Error, ErrorKind, Result},
    run::after_function,
    store::{Commit, CommitBatch, CommitOutcome, Entry, Transition},
    telemetry::{StartedAt, Timer},
};

pub(super) type Written = Result<Vec<CommitOutcome>>;

/// A write to the store, measured.
pub(super) struct Write<'a> {
    commit: Pin<Box<dyn Future<Output = Written> + Send + 'a>>,
    begun: StartedAt,
    seconds: &'a Timer,
}

impl Future for Write<'_> {
    type Output = Written;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Written> {
        let written = std::task::ready!(self.commit.as_mut().poll(cx));
        self.seconds.record(self.begun);
        Poll::Ready(written)
    }
}

/// A write under way, and how many records it makes durable.
pub(super) type Underway<'a> = (Write<'a>, usize);

impl<'a> Drive<'a> {
    pub(super) fn write(&self, entries: Vec<Entry>, transition: Option<Transition>) -> Write<'a> {
        let metrics = &self.worker.metrics;
        let records = entries.len() + usize::from(transition.is_some());
        metrics.commit_batch_size.record(count(records));
        let begun = metrics.commit_seconds.begin();
        let commit = Commit::new(self.lease)
            .with_entries(entries)
            .with_transition(transition);
        let now = self.worker.clock.now();
        Write {
            commit: self
                .worker
                .store
                .commit(CommitBatch::new(vec![commit], now)),
            begun,
            seconds: &metrics.commit_seconds,
        }
    }

    /// Looks whether a write went through; if not, the run is given up and claimed anew with what the store really has.
    pub(super) async fn applied(&self, result: Written) -> Result<(), Ended> {
        match result {
            Ok(outcomes) if outcomes.first() == Some(&CommitOutcome::Applied) => Ok(()),
            Ok(_) => {
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
        let report = error.report();
        let error = Error::new(
            ErrorKind::Unwritable,
            format!("the run's results cannot be written: {report}"),
        );
        let (now, random) = (self.worker.clock.now(), self.worker.host.random());
        let failed = self.claimed.failed_attempts;
        let transition = after_function(Err(&error), self.policy, failed, now, random);
        self.log(&error, &transition);
        let written = self.write(vec![], Some(transition.clone())).await;
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
