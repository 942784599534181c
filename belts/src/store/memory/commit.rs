//! Fenced writes of workers into memory.

use super::tables::{Run, Tables};
use crate::store::{
    Commit, CommitBatch, CommitOutcome, Entry, Lease, RunStatus, StepState, Timestamp, Transition,
};

impl Tables {
    /// Commits; whether a run was left for others to claim.
    pub(super) fn commit(&mut self, request: CommitBatch) -> (Vec<CommitOutcome>, bool) {
        let now = request.now;
        let mut left = false;
        let outcomes = request
            .commits
            .into_iter()
            .map(|commit| {
                let due_at = match &commit.transition {
                    Some(Transition::Suspend { due_at } | Transition::Retry { due_at, .. }) => {
                        Some(*due_at)
                    }
                    _ => None,
                };
                let outcome = self.commit_one(commit, now);
                left |=
                    outcome == CommitOutcome::Applied && due_at.is_some_and(|due_at| due_at <= now);
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
            self.change(lease.run, transition, now);
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

    fn change(&mut self, number: i64, transition: Transition, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&number) else {
            return;
        };
        match transition {
            Transition::Suspend { due_at } => self.enqueue(number, RunStatus::Suspended, due_at),
            Transition::Retry {
                due_at,
                failed_attempts,
                error,
            } => {
                run.failed_attempts = failed_attempts;
                run.result = Some(error);
                self.enqueue(number, RunStatus::Suspended, due_at);
            }
            Transition::Complete { output } => {
                run.result = Some(output);
                self.finish(number, RunStatus::Completed, now);
            }
            Transition::Fail {
                failed_attempts,
                error,
            } => {
                run.failed_attempts = failed_attempts;
                run.result = Some(error);
                self.finish(number, RunStatus::Failed, now);
            }
            Transition::Stop => {
                if let Some(run) = self.detach(number) {
                    run.status = RunStatus::Stopped;
                }
            }
            Transition::Skip => self.remove(number),
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
            Ok(place) if is_behind(&entry, &self.journal[place]) => {}
            Ok(place) => self.journal[place] = entry,
            Err(place) => self.journal.insert(place, entry),
        }
    }
}

/// Whether an entry was sent before the one that is there.
fn is_behind(entry: &Entry, present: &Entry) -> bool {
    let waits = |entry: &Entry| entry.state == StepState::Waiting;
    waits(entry) && !waits(present) || entry.attempts < present.attempts
}
