//! What a drive writes to the store, and what it makes of the answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::Drive;
use crate::{
    error::Result,
    store::{Commit, CommitBatch, CommitOutcome, Entry, Transition},
    telemetry::{Begun, Timer},
};

pub(super) type Written = Result<Vec<CommitOutcome>>;

/// A write to the store, measured.
pub(super) struct Write<'a> {
    commit: Pin<Box<dyn Future<Output = Written> + Send + 'a>>,
    begun: Begun,
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

/// A write under way: how many records it makes durable, and what becomes of the run with it.
pub(super) type Underway<'a> = (Write<'a>, usize, Option<Transition>);

impl<'a> Drive<'a> {
    pub(super) fn write(&self, entries: Vec<Entry>, transition: Option<Transition>) -> Write<'a> {
        let metrics = &self.worker.metrics;
        let records = entries.len() + usize::from(transition.is_some());
        metrics.commit_batch_size.record(count(records));
        let begun = metrics.commit_seconds.begin();
        let commits = vec![Commit {
            lease: self.lease,
            entries,
            transition,
        }];
        let now = self.worker.clock.now();
        Write {
            commit: self.worker.store.commit(CommitBatch { commits, now }),
            begun,
            seconds: &metrics.commit_seconds,
        }
    }

    /// Whether a write went through; if not, the run is given up and claimed anew with what the store really has.
    pub(super) fn applied(&self, result: Written) -> bool {
        match result {
            Ok(outcomes) if outcomes.first() == Some(&CommitOutcome::Applied) => true,
            Ok(_) => {
                self.worker.metrics.leases_lost.increment(1);
                tracing::warn!(
                    function = %self.run.function_id, run = %self.run.run_id,
                    "the lease was lost; another worker goes on with the run"
                );
                false
            }
            Err(error) => {
                tracing::error!(
                    function = %self.run.function_id, run = %self.run.run_id, error = %error.report(),
                    "the store failed; the attempt is abandoned and will be resumed"
                );
                self.worker.release_later(&self.run.run_id, self.lease);
                false
            }
        }
    }
}

/// A small number as metrics have it.
fn count(records: usize) -> f64 {
    f64::from(u32::try_from(records).unwrap_or(u32::MAX))
}
