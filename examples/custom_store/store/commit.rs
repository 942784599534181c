//! What workers write: entries of journals, and what becomes of runs. The lease decides.

use belts::{
    Timestamp,
    store::{Commit, CommitBatch, CommitOutcome, Ending, Entry, Lease, RunStatus, Tag, Transition},
};
use redb::ReadableTable as _;

use super::{
    fault::Fault,
    rows::{Run, Step, decode, encode},
    tables::Tables,
};

impl Tables<'_> {
    pub(crate) fn commit(&mut self, request: &CommitBatch) -> Result<Vec<CommitOutcome>, Fault> {
        let commits = request.commits.iter();
        commits
            .map(|commit| self.commit_one(commit, request.now))
            .collect()
    }

    fn commit_one(&mut self, commit: &Commit, now: Timestamp) -> Result<CommitOutcome, Fault> {
        let number = commit.lease.run;
        let Some(mut run) = self.leased(&commit.lease)? else {
            return Ok(CommitOutcome::LeaseLost);
        };
        for entry in &commit.entries {
            self.write(number, entry)?;
        }
        if !commit.tags.is_empty() {
            run.tags.extend(commit.tags.iter().map(Tag::to_string));
            self.put_run(number, &run)?;
        }
        // What a transition writes is the same in every store, so belts says it.
        match commit.transition.as_ref().map(Transition::ending) {
            None => {}
            Some(None) => self.remove_run(number, &run)?,
            Some(Some(ending)) => {
                apply(&mut run, &ending, now);
                if ending.may_be_undone() {
                    run.finished_at = None;
                    run.status = RunStatus::Suspended;
                    self.stop(number, &mut run, ending.status, now)?;
                }
                if run.status.is_finished() {
                    run.undoing = None;
                }
                if let Some(result) = ending.result {
                    self.put_result(number, result)?;
                }
                self.put_run(number, &run)?;
                self.wakes |= run.due_at.is_some_and(|due_at| due_at <= now);
            }
        }
        Ok(CommitOutcome::Applied)
    }

    /// The run of a lease, if the lease is its present one.
    fn leased(&self, lease: &Lease) -> Result<Option<Run>, Fault> {
        let holds = |run: &Run| run.worker == Some(lease.worker) && run.token == lease.token;
        Ok(self.readable_run(lease.run)?.filter(holds))
    }

    /// Which of these leases stand no longer.
    pub(crate) fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>, Fault> {
        let mut revoked = Vec::new();
        for lease in leases {
            if self.leased(lease)?.is_none() {
                revoked.push(*lease);
            }
        }
        Ok(revoked)
    }

    fn write(&mut self, number: i64, entry: &Entry) -> Result<(), Fault> {
        let key = (number, entry.seq);
        let present = match self.steps.get(key)? {
            Some(row) => {
                let (step, value) = row.value();
                Some(decode::<Step>(step)?.with(entry.seq, value))
            }
            None => None,
        };
        // A write that was sent twice and comes late undoes nothing.
        if !present.is_some_and(|present| entry.is_behind(&present)) {
            let step = encode(&Step::of(entry))?;
            self.steps.insert(key, (&*step, &*entry.value))?;
        }
        Ok(())
    }
}

fn apply(run: &mut Run, ending: &Ending<'_>, now: Timestamp) {
    run.status = ending.status;
    run.worker = None;
    run.due_at = ending.due_at;
    run.finished_at = ending.finished_at(now);
    run.failed_attempts = ending.failed_attempts.unwrap_or(run.failed_attempts);
}
