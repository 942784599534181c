//! How often in a row runs were given up because something of theirs could not be written or read.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::refused::{HAND_ON, MISFIT_PATIENCE};
use crate::run::Backoff;

/// How long a run rests, by how often in a row it was given up.
const REST: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(60));

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
    /// Whether a run under suspicion of ending the process is driven.
    is_suspect_driven: AtomicBool,
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

    /// Counts that a run is given up; `unwritten` if that is because a write of its own failed.
    pub(super) fn gave_up(&self, run_id: &Arc<str>, unwritten: bool) -> Setback {
        let count = self.add(run_id, |count| {
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
        let times = self.add(run_id, add).misread;
        (times < MISFIT_PATIENCE).then(|| HAND_ON.ceiling(times))
    }

    /// Notes that something of a run was recorded.
    pub(super) fn went_on(&self, run_id: &Arc<str>) {
        if self.count.load(Ordering::Acquire) > 0 {
            self.change(|runs| runs.remove(run_id));
        }
    }

    /// Takes the place of the one suspect that is driven, if it is free.
    pub(super) fn begin_suspect(&self) -> bool {
        !self.is_suspect_driven.swap(true, Ordering::AcqRel)
    }

    pub(super) fn end_suspect(&self) {
        self.is_suspect_driven.store(false, Ordering::Release);
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
