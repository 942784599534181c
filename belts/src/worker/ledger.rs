//! The books about leases: which are driven here, which requests may bring more, and whether the store may lease runs to
//! this worker of which it never heard.
//!
//! Nothing here waits, so that every order of events can be tried; see the tests.

use std::{collections::HashMap, sync::Arc};

use crate::store::Lease;

/// The books. Each method is one step that no other comes between.
#[derive(Debug, Clone)]
pub(super) struct Ledger<T> {
    /// What is driven, by run: two leases for a moment when one was lost and won again.
    driven: HashMap<Arc<str>, Vec<(Lease, T)>>,
    /// Leases of drives that have ended and that are about to be given back on their own.
    resting: Vec<Lease>,
    /// Requests under way whose answer may bring leases.
    asking: usize,
    /// A request is under way that gives back what nobody drives.
    releasing: bool,
    /// How often there was reason to believe that the store leases a run to this worker that is not driven here.
    doubts: u64,
    /// How many of the doubts have been settled. A doubt that is raised while a request settles others stays.
    settled: u64,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            driven: HashMap::new(),
            resting: Vec::new(),
            asking: 0,
            releasing: false,
            doubts: 0,
            settled: 0,
        }
    }
}

impl<T> Ledger<T> {
    /// Whether a request may begin now that may bring leases; it is then counted until it [was heard](Self::heard).
    pub(super) fn ask(&mut self) -> bool {
        self.asking += usize::from(!self.releasing);
        !self.releasing
    }

    /// As [`ask`](Self::ask), for a request that can do without leases: not while there are doubts to be settled, which
    /// wait until nobody asks.
    pub(super) fn ask_lightly(&mut self) -> bool {
        !self.in_doubt() && self.ask()
    }

    /// Ends such a request. What it brought is driven by now; `unsure` if it may have brought more.
    pub(super) fn heard(&mut self, unsure: bool) {
        self.asking -= 1;
        self.doubts += u64::from(unsure);
    }

    pub(super) fn drive(&mut self, run_id: &Arc<str>, lease: Lease, about: T) {
        let of_run = self.driven.entry(Arc::clone(run_id)).or_default();
        of_run.push((lease, about));
    }

    /// Ends a drive; `unsure` if the store may lease the run to this worker all the same.
    pub(super) fn leave(&mut self, run_id: &str, lease: Lease, unsure: bool) {
        if let Some(of_run) = self.driven.get_mut(run_id) {
            of_run.retain(|(held, _)| *held != lease);
            if of_run.is_empty() {
                self.driven.remove(run_id);
            }
        }
        self.doubts += u64::from(unsure);
    }

    /// Keeps a lease from being given back with others, until [`rested`](Self::rested).
    pub(super) fn rest(&mut self, lease: Lease) {
        self.resting.push(lease);
    }

    pub(super) fn rested(&mut self, lease: Lease, unsure: bool) {
        self.resting.retain(|held| *held != lease);
        self.doubts += u64::from(unsure);
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.doubts > self.settled
    }

    /// Whether there are doubts that could be settled if nobody else began to ask.
    pub(super) fn is_overtaken(&self) -> bool {
        self.in_doubt() && self.asking > 0
    }

    /// Whether doubts can be settled now.
    pub(super) fn can_settle(&self) -> bool {
        self.in_doubt() && self.asking == 0 && !self.releasing
    }

    /// Begins to settle doubts if there are any, and nobody asks: the leases to keep, and what to say at the
    /// [end](Self::settle) if all went well.
    pub(super) fn begin_to_settle(&mut self) -> Option<(Vec<Lease>, u64)> {
        if !self.can_settle() {
            return None;
        }
        self.releasing = true;
        let driven = self.driven.values().flatten().map(|(lease, _)| *lease);
        let keep = driven.chain(self.resting.iter().copied()).collect();
        Some((keep, self.doubts))
    }

    pub(super) fn settle(&mut self, settled: Option<u64>) {
        self.releasing = false;
        self.settled = self.settled.max(settled.unwrap_or(0));
    }

    pub(super) fn drives(&self, run_id: &str) -> bool {
        self.driven.contains_key(run_id)
    }

    /// What is driven of this run.
    pub(super) fn of_run_mut(&mut self, run_id: &str) -> impl Iterator<Item = &mut (Lease, T)> {
        self.driven.get_mut(run_id).into_iter().flatten()
    }

    /// Everything that is driven.
    pub(super) fn all(&self) -> impl Iterator<Item = &(Lease, T)> {
        self.driven.values().flatten()
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut (Lease, T)> {
        self.driven.values_mut().flatten()
    }

    pub(super) fn about(&mut self, run_id: &str, lease: Lease) -> Option<&mut T> {
        let of_run = self.driven.get_mut(run_id)?;
        let found = of_run.iter_mut().find(|(held, _)| *held == lease);
        found.map(|(_, about)| about)
    }
}

#[cfg(test)]
mod tests;
