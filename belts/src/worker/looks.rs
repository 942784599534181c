//! What a worker remembers between its looks at schedules.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    clock::Timestamp,
    error::Result,
    schedule::{Kept, Times},
};

/// What a worker remembers between its looks.
#[derive(Debug)]
pub(crate) struct Clockwork {
    /// Notified when a schedule may be due earlier than was said, or a run has ended for which ticks may wait.
    pub(super) changed: Notify,
    /// The schedules of which a run has ended.
    ended: Mutex<BTreeSet<Arc<str>>>,
    /// The time of the last look, and of the last one at every schedule, in milliseconds.
    pub(super) looked: AtomicI64,
    pub(super) looked_at_all: AtomicI64,
    /// Whether every schedule was looked at once for the rules of its zone.
    pub(super) corrected: AtomicBool,
    /// The tick that was last handed on in push mode, in milliseconds.
    #[cfg(feature = "http")]
    handed_on: AtomicI64,
    /// The times of expressions, which take longer to read than to ask.
    times: Mutex<HashMap<String, Arc<Times>>>,
}

impl Default for Clockwork {
    fn default() -> Self {
        Self {
            changed: Notify::new(),
            ended: Mutex::default(),
            looked: AtomicI64::new(i64::MIN),
            looked_at_all: AtomicI64::new(i64::MIN),
            corrected: AtomicBool::new(false),
            #[cfg(feature = "http")]
            handed_on: AtomicI64::new(i64::MIN),
            times: Mutex::default(),
        }
    }
}

impl Clockwork {
    /// Has the worker look now.
    pub(crate) fn notify(&self) {
        self.changed.notify_one();
    }

    /// Has the worker look whether ticks wait for the end of a run of this schedule.
    pub(super) fn ended(&self, schedule: Arc<str>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(schedule);
        drop(ended);
        self.notify();
    }

    /// The tick that was last handed on.
    #[cfg(feature = "http")]
    pub(super) fn handed_on(&self) -> Option<Timestamp> {
        let millis = self.handed_on.load(Ordering::Acquire);
        (millis != i64::MIN).then(|| Timestamp::from_millis(millis))
    }

    #[cfg(feature = "http")]
    pub(super) fn hand_on(&self, next: Timestamp) {
        self.handed_on.store(next.as_millis(), Ordering::Release);
    }

    pub(super) fn take_ended(&self) -> BTreeSet<Arc<str>> {
        mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The times of a schedule.
    pub(super) fn times(&self, kept: &Kept) -> Result<Arc<Times>> {
        let what = kept.schedule.to_string();
        let known = || self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = known().get(&what) {
            return Ok(Arc::clone(times));
        }
        let times = Arc::new(kept.schedule.times()?);
        let mut known = known();
        if known.len() >= 10_000 {
            known.clear();
        }
        known.insert(what, Arc::clone(&times));
        Ok(times)
    }
}
