//! Fenced writes of workers into memory.

use std::sync::Arc;

use super::tables::{Run, Tables};
use crate::store::{Commit, CommitBatch, CommitOutcome, Entry, Lease, Timestamp, Transition};

impl Tables {
    /// Commits; whether a run was left for others to claim.
    pub(super) fn commit(&mut self, request: CommitBatch) -> (Vec<CommitOutcome>, bool) {
        let now = request.now;
        let mut left = false;
        let outcomes = request
            .commits
            .into_iter()
            .map(|commit| {
                let transition = commit.transition.as_ref();
                let is_due = transition
                    .and_then(Transition::ending)
                    .is_some_and(|ending| ending.is_due(now));
                let outcome = self.commit_one(commit, now);
                left |= outcome == CommitOutcome::Applied && is_due;
                outcome
            })
            .collect();
        (outcomes, left)
    }

    fn commit_one(&mut self, commit: Commit, now: Timestamp) -> CommitOutcome {
        let lease = commit.lease;
        let Some(run) = self.runs.get_mut(&lease.run) else {
            return CommitOutcome::LeaseLost;
        };
        if run.worker != Some(lease.worker) || run.token != lease.token {
            return CommitOutcome::LeaseLost;
        }
        for entry in commit.entries {
            run.write(entry);
        }
        if let Some(transition) = commit.transition {
            self.change(lease.run, &transition, now);
        }
        CommitOutcome::Applied
    }

    /// Which of these leases stand no longer.
    pub(super) fn revoked(&self, leases: &[Lease]) -> Vec<Lease> {
        let stands = |lease: &&Lease| {
            self.runs
                .get(&lease.run)
                .is_some_and(|run| run.worker == Some(lease.worker) && run.token == lease.token)
        };
        leases
            .iter()
            .filter(|lease| !stands(lease))
            .copied()
            .collect()
    }

    fn change(&mut self, number: i64, transition: &Transition, now: Timestamp) {
        let Some(ending) = transition.ending() else {
            return self.remove(number);
        };
        let Some(run) = self.detach(number) else {
            return;
        };
        run.status = ending.status;
        if let Some(failed_attempts) = ending.failed_attempts {
            run.failed_attempts = failed_attempts;
        }
        if let Some(result) = ending.result {
            run.result = Some(Arc::clone(result));
        }
        if let Some(due_at) = ending.due_at {
            self.enqueue(number, ending.status, due_at);
        } else if ending.status.is_finished() {
            self.finish(number, ending.status, now);
        }
    }
}

impl Run {
    fn write(&mut self, entry: Entry) {
        // Nearly always the next one.
        if self.journal.last().is_none_or(|last| last.seq < entry.seq) {
            self.journal.push(entry);
            return;
        }
        match self
            .journal
            .binary_search_by_key(&entry.seq, |known| known.seq)
        {
            Ok(place) if entry.is_behind(&self.journal[place]) => {}
            Ok(place) => self.journal[place] = entry,
            Err(place) => self.journal.insert(place, entry),
        }
    }
}
