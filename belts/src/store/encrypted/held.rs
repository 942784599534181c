//! Of which runs the leases are that were given here: a commit names its run by a number of the store, and what it writes is sealed
//! for the run's id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::store::{Entry, Lease, Wait, WorkerId};

/// The leases that were given here and have not ended, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<Lease, Run>>);

#[derive(Debug)]
struct Run {
    id: Arc<str>,
    /// The runs for whose end it waits, by the `seq` of the entry.
    children: HashMap<u32, Arc<str>>,
    /// Whether it began without encryption.
    is_from_before: bool,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<Lease, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, lease: Lease, run_id: &Arc<str>) {
        let run = Run {
            id: Arc::clone(run_id),
            children: HashMap::new(),
            is_from_before: false,
        };
        self.lock().insert(lease, run);
    }

    pub(super) fn run_of(&self, lease: Lease) -> Option<Arc<str>> {
        self.lock().get(&lease).map(|run| Arc::clone(&run.id))
    }

    /// Takes note of the run for whose end an entry waits.
    pub(super) fn note(&self, lease: Lease, entry: &Entry) {
        let Some(wait @ Wait::Event { key: Some(key), .. }) = &entry.wait else {
            return;
        };
        if wait.is_for_a_run()
            && let Some(run) = self.lock().get_mut(&lease)
        {
            run.children.insert(entry.seq, Arc::clone(key));
        }
    }

    /// Takes note that the run began without encryption.
    pub(super) fn note_from_before(&self, lease: Lease) {
        if let Some(run) = self.lock().get_mut(&lease) {
            run.is_from_before = true;
        }
    }

    pub(super) fn is_from_before(&self, lease: Lease) -> bool {
        self.lock()
            .get(&lease)
            .is_some_and(|run| run.is_from_before)
    }

    pub(super) fn child(&self, lease: Lease, seq: u32) -> Option<Arc<str>> {
        self.lock().get(&lease)?.children.get(&seq).cloned()
    }

    pub(super) fn end(&self, lease: Lease) {
        self.lock().remove(&lease);
    }

    pub(super) fn release(&self, worker: WorkerId, keep: &[Lease]) {
        self.lock()
            .retain(|lease, _| lease.worker != worker || keep.contains(lease));
    }
}
