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
                if !self.holds(&commit.lease) {
                    return CommitOutcome::LeaseLost;
                }
                left |= self.commit_one(commit, now);
                CommitOutcome::Applied
            })
            .collect();
        (outcomes, left)
    }

    pub(super) fn holds(&self, lease: &Lease) -> bool {
        self.runs
            .get(&lease.run)
            .is_some_and(|run| run.worker == Some(lease.worker) && run.token == lease.token)
    }

    /// Writes a commit whose lease holds; whether the run was left for others to claim.
    fn commit_one(&mut self, mut commit: Commit, now: Timestamp) -> bool {
        let number = commit.lease.run;
        let entries = std::mem::take(&mut commit.entries);
        let transition = commit.transition.take();
        for entry in entries {
            self.write(number, entry, now);
        }
        if let Some(run) = self.runs.get_mut(&number) {
            run.tags.extend(std::mem::take(&mut commit.tags));
        }
        let settles = commit.concerns_others() && transition != Some(Transition::Skip);
        let mut left = settles && self.settle_others(&commit, now);
        if let Some(transition) = transition {
            left |= self.change(number, &transition, now);
        }
        left
    }

    /// Which of these leases stand no longer.
    pub(super) fn revoked(&self, leases: &[Lease]) -> Vec<Lease> {
        let revoked = leases.iter().filter(|lease| !self.holds(lease));
        revoked.copied().collect()
    }

    /// Does a transition; whether the run is due at once.
    fn change(&mut self, number: i64, transition: &Transition, now: Timestamp) -> bool {
        let Some(mut ending) = transition.ending() else {
            let awaited = self.tell_end(number, now);
            self.remove(number);
            return awaited;
        };
        if ending.may_wait() && self.has_arrivals(number) {
            ending = ending.due_by(now);
        }
        let Some(run) = self.detach(number) else {
            return false;
        };
        run.keeps_time = ending.keeps_time;
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
            return if ending.is_undone {
                self.end(number, ending.status, now)
            } else {
                self.finish(number, ending.status, now)
            };
        }
        ending.is_due(now)
    }
}

impl Run {
    pub(super) fn entry(&self, seq: u32) -> Option<&Entry> {
        let place = self
            .journal
            .binary_search_by_key(&seq, |known| known.seq)
            .ok()?;
        self.journal.get(place)
    }

    pub(super) fn write(&mut self, entry: Entry) {
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
