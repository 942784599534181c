//! What a claim of sealed runs needs beside being opened: waits that move to the keys which publishers now use, and runs that are left
//! since they are larger than they looked.

use super::Encrypted;
use crate::{
    error::Result,
    store::{
        Claimed, ClaimedRun, Commit, CommitBatch, CommitOutcome, Entry, Lease, Store as _,
        Timestamp, Transition,
    },
};

impl Encrypted {
    /// Writes waits again, under the keys by which events are published now; and brings what has arrived for them there.
    ///
    /// They look on behind the same places, so they find what was published meanwhile.
    pub(super) async fn move_waits(
        &self,
        moved: Vec<(Lease, Entry)>,
        claimed: &mut Claimed,
        now: Timestamp,
    ) -> Result<()> {
        let mut commits: Vec<Commit> = Vec::new();
        for (lease, entry) in moved {
            match commits.last_mut().filter(|commit| commit.lease == lease) {
                Some(commit) => commit.entries.push(entry),
                None => commits.push(Commit::new(lease).with_entries(vec![entry])),
            }
        }
        let leases: Vec<Lease> = commits.iter().map(|commit| commit.lease).collect();
        let outcomes = self.inner.commit(CommitBatch::new(commits, now)).await?;
        let arrived = self.arrived(&leases).await?;
        for (lease, outcome) in leases.iter().zip(outcomes) {
            let is_it = |run: &&mut ClaimedRun| run.lease == *lease;
            let run = claimed.runs.iter_mut().find(is_it);
            if let Some(run) = run.filter(|_| outcome == CommitOutcome::Applied) {
                let new = arrived.iter().find(|(of, _)| of == lease);
                run.arrivals = new
                    .map(|(_, arrivals)| arrivals.clone())
                    .unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Gives back the runs that are more than a claim may bring: the store has counted what was compressed.
    pub(super) async fn leave_what_is_too_much(
        &self,
        claimed: &mut Claimed,
        most: usize,
        now: Timestamp,
    ) -> Result<()> {
        let mut bytes = 0_usize;
        let fits = claimed.runs.iter().take_while(|run| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(size(run).max(1));
            is_first || bytes <= most
        });
        let fit = fits.count();
        let left = claimed.runs.split_off(fit);
        if left.is_empty() {
            return Ok(());
        }
        let back =
            |run: &ClaimedRun| Commit::new(run.lease).with_transition(Transition::suspend(now));
        let commits = left.iter().map(back).collect();
        self.commit(CommitBatch::new(commits, now)).await?;
        claimed.next_due = Some(claimed.next_due.map_or(now, |due| due.min(now)));
        Ok(())
    }
}

/// The bytes of a run, without the first arrival of each wait.
fn size(run: &ClaimedRun) -> usize {
    let values = run.journal.iter().map(|entry| entry.value.len());
    let arrivals = run.arrivals.iter().map(|arrival| arrival.payload.len());
    run.payload.len() + values.chain(arrivals).sum::<usize>()
}
