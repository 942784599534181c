//! Runs under suspicion of ending the process: each was in hand several times when a process died, without having recorded
//! anything. One at a time is driven, and the leases of others are given back before that, so that the next death of the process
//! does not count against them.

use std::{sync::Arc, time::Duration};

use super::Shared;
use crate::{
    error::{Error, ErrorKind},
    panic::catch_future,
    store::{ClaimedRun, Commit, CommitBatch, Entry, StepKind, StepState, Transition},
};

/// From so many deaths on a run is a suspect.
const SUSPECT: u32 = 2;

/// How long another suspect waits before it is looked at again.
const LATER: Duration = Duration::from_secs(1);

/// The place of the one suspect that is driven, until this is dropped.
#[derive(Debug)]
pub(super) struct Suspected(Arc<Shared>);

impl Drop for Suspected {
    fn drop(&mut self) {
        self.0.setbacks.end_suspect();
    }
}

impl Shared {
    /// The failure of a run that was in hand too often when a process died.
    pub(super) fn crashed(&self, claimed: &ClaimedRun) -> Option<Error> {
        let (crashes, most) = (claimed.crashes, self.most_crashes(claimed));
        (crashes >= most).then(|| {
            Error::new(
                ErrorKind::Crashed,
                format!(
                    "{crashes} processes in a row died while driving this run, and none of them recorded any progress: most \
                     likely one of its steps kills the process, by an abort, a stack overflow or its memory use; fix the step \
                     and rerun the run, or raise `max_crashes` from {most}"
                ),
            )
        })
    }

    /// So many deaths in a row are too many. Where none of its undos was begun yet, a run may have them from before it was cancelled, and
    /// that is no reason to give one up.
    fn most_crashes(&self, claimed: &ClaimedRun) -> u32 {
        let most = self.settings.max_crashes;
        let undoes =
            |entry: &Entry| entry.kind == StepKind::Undo && entry.state == StepState::Waiting;
        if claimed.undoing.is_some() && !claimed.journal.iter().any(undoes) {
            return most.saturating_mul(2);
        }
        most
    }

    /// Leaves the runs that may be driven now, and gives the other suspects back.
    pub(super) async fn sort_out(
        self: &Arc<Self>,
        runs: Vec<ClaimedRun>,
    ) -> Vec<(ClaimedRun, Option<Suspected>)> {
        // A run over the limit only fails, and so does no harm.
        let suspected = |run: &ClaimedRun| (SUSPECT..self.most_crashes(run)).contains(&run.crashes);
        if !runs.iter().any(suspected) {
            return runs.into_iter().map(|run| (run, None)).collect();
        }
        let (mut left, mut others) = (Vec::new(), Vec::new());
        for run in runs {
            if !suspected(&run) {
                left.push((run, None));
            } else if self.setbacks.begin_suspect() {
                tracing::warn!(
                    function = %run.function_id, run = %run.run_id, crashes = run.crashes,
                    "processes died while driving this run; no other such run is driven at the same time"
                );
                left.push((run, Some(Suspected(Arc::clone(self)))));
            } else {
                others.push(run);
            }
        }
        self.give_back(&others).await;
        left
    }

    async fn give_back(self: &Arc<Self>, runs: &[ClaimedRun]) {
        if runs.is_empty() {
            return;
        }
        let now = self.clock.now();
        let due_at = now.after(LATER);
        let commit = |run: &ClaimedRun| {
            Commit::new(run.lease)
                .with_entries(vec![])
                .with_transition(Transition::put_off(due_at))
        };
        let commits = runs.iter().map(commit).collect();
        let commit = self.store.commit(CommitBatch::new(commits, now));
        match catch_future(commit).await {
            Ok(_) => self.due.expect(due_at),
            Err(error) => {
                tracing::warn!(error = %error.report(), "cannot release runs; trying again");
                for run in runs {
                    self.give_back_later(&run.run_id, run.lease, LATER);
                }
            }
        }
    }
}
