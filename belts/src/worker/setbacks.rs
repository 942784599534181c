//! Runs that were given up because something of theirs could not be written: how often in a row, and how they go back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Ended, Shared,
    refused::{HAND_ON, MISFIT_PATIENCE},
};
use crate::{
    Backoff,
    guard::catch_panic,
    store::{Commit, CommitBatch, Lease, Transition},
};

/// How long a run rests, by how often in a row it was given up.
const REST: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(60));

/// How long a worker waits between attempts to give a run back.
const STORE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// After so many in a row it is the run's own fault: each time the store worked well enough to give it back and to lease it anew.
const OWN_FAULT: u32 = 5;

/// The most runs whose setbacks are counted. Beyond that some begin again from one.
const MOST: usize = 10_000;

/// How often in a row a run was given up, and how often of that because a write of its own failed.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    all: u32,
    unwritten: u32,
    misread: u32,
    /// How much of the run was recorded when it was misread.
    recorded: usize,
}

/// How often in a row each run was given up.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    runs: Mutex<HashMap<Arc<str>, Count>>,
    /// How many runs that is, so that a write which goes well costs no lock.
    count: AtomicUsize,
}

impl Setbacks {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Count>) -> T) -> T {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut runs);
        self.count.store(runs.len(), Ordering::Release);
        done
    }

    fn add(&self, run_id: &Arc<str>, add: impl FnOnce(&mut Count)) -> Count {
        self.change(|runs| {
            if runs.len() >= MOST
                && !runs.contains_key(run_id)
                && let Some(other) = runs.keys().next().cloned()
            {
                runs.remove(&other);
            }
            let count = runs.entry(Arc::clone(run_id)).or_default();
            add(count);
            *count
        })
    }
}

/// What a run was given up for the last time comes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setback {
    /// How long the run rests.
    pub(super) pause: Duration,
    /// Whether this is a failed attempt of the run's own.
    pub(super) own_fault: bool,
}

impl Shared {
    /// Counts that a run is given up; `unwritten` if that is because a write of its own failed.
    pub(super) fn set_back(&self, run_id: &Arc<str>, unwritten: bool) -> Setback {
        let count = self.setbacks.add(run_id, |count| {
            count.all = count.all.saturating_add(1);
            count.unwritten += u32::from(unwritten && count.unwritten <= OWN_FAULT);
        });
        Setback {
            pause: REST.ceiling(count.all),
            own_fault: count.unwritten > OWN_FAULT,
        }
    }

    /// Counts that this program could not read a run's event; how long the run rests for others, unless it came too often since
    /// one of them last recorded something.
    pub(super) fn misread(&self, run_id: &Arc<str>, recorded: usize) -> Option<Duration> {
        let add = |count: &mut Count| {
            let went_on = count.recorded != recorded;
            count.misread = if went_on { 1 } else { count.misread + 1 };
            count.recorded = recorded;
        };
        let times = self.setbacks.add(run_id, add).misread;
        (times < MISFIT_PATIENCE).then(|| HAND_ON.ceiling(times))
    }

    /// Notes that something of a run was recorded.
    pub(super) fn went_on(&self, run_id: &Arc<str>) {
        if self.setbacks.count.load(Ordering::Acquire) > 0 {
            self.setbacks.change(|runs| runs.remove(run_id));
        }
    }

    /// Gives a run back to the store as soon as the store works again; it is due after a pause.
    pub(super) fn give_back_later(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        lease: Lease,
        pause: Duration,
    ) {
        let (worker, run_id) = (Arc::clone(self), Arc::clone(run_id));
        let mut resting = self.rest(lease);
        self.spawn_at_home(async move {
            let due_at = worker.clock.now().after(pause);
            for failed in 1.. {
                let next = worker.clock.now().after(STORE_BACKOFF.ceiling(failed));
                worker.clock.sleep_until(next).await;
                if worker.shutdown.is_over() {
                    return;
                }
                let now = worker.clock.now();
                let due_at = due_at.max(now);
                let commit = Commit {
                    lease,
                    entries: vec![],
                    transition: Some(Transition::Suspend { due_at }),
                };
                let commits = vec![commit];
                let given_back = worker.store.commit(CommitBatch { commits, now });
                // If the lease is gone, so is the need to give it back.
                if catch_panic(given_back).await.is_ok() {
                    resting.given_back = true;
                    drop(resting);
                    worker.expect_due(due_at);
                    worker.tell(&run_id, &Ended::Suspended(due_at));
                    return;
                }
            }
        });
    }
}
