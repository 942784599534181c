//! The little that a run needs of its worker while it is driven.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::{Clock, Timestamp},
    function::state::States,
    middleware::Layers,
    panic,
    store::{Capabilities, SharedStore},
};

/// What the runs of a worker share with it.
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    /// Stands in for chance, in tests.
    pub(crate) random: Option<fn() -> f64>,
    /// What the application gave for its functions.
    pub(crate) states: States,
    pub(crate) middleware: Layers,
    /// For steps that are recorded in a transaction of their own; everything else goes through the outbox.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        allow(dead_code, reason = "no store has transactions then")
    )]
    pub(crate) store: SharedStore,
    pub(crate) max_value_bytes: usize,
    pub(crate) max_steps: u32,
    /// Where the worker's router is for others.
    pub(crate) url: Option<Arc<str>>,
    /// What the store can keep.
    pub(crate) keeps: Capabilities,
    /// How many waits its runs have reached and not decided.
    pub(crate) open_waits: AtomicUsize,
    pub(crate) lease: SessionLease,
    pub(crate) looks: Arc<Looks>,
    /// Asked before a step is evaluated, by tests.
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<Arc<crate::testing::Probe>>,
}

impl Host {
    /// A number in 0..1 for the jitter of retries.
    pub(crate) fn random(&self) -> f64 {
        let Some(random) = self.random else {
            return fastrand::f64();
        };
        let given = panic::quiet(random).filter(|given| given.is_finite());
        given.map_or_else(fastrand::f64, |given| given.clamp(0.0, 1.0))
    }

    /// How long others still wait for a sign of life, as far as this worker knows.
    pub(crate) fn lease_left(&self) -> Duration {
        self.lease.left(self.clock.now())
    }

    /// Whether leases of that life hold now, for all that this worker knows. If not, the store has to be asked: the process, or the
    /// machine, stood still for longer than a lease, and others may have taken its runs.
    pub(crate) fn keeps_leases(&self, life: u64, now: Timestamp) -> bool {
        !self.lease.left(now).is_zero() && self.lease.life() == life
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// The lease of the worker's session, which those of its runs live by.
#[derive(Debug)]
pub(crate) struct SessionLease {
    /// How long a dead worker's runs may have to wait.
    pub(crate) length: Duration,
    /// Until when the lease lasts, in milliseconds.
    until: AtomicI64,
    /// How often a session began, or lived again after its end; what was claimed in an earlier life may be lost.
    life: AtomicU64,
}

impl SessionLease {
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            length,
            until: AtomicI64::new(i64::MIN),
            life: AtomicU64::new(0),
        }
    }

    /// What [`Host::keeps_leases`] asks for, of runs that a request brings which is sent now.
    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::Acquire)
    }

    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.until.load(Ordering::Acquire) <= now.as_millis()
    }

    fn left(&self, now: Timestamp) -> Duration {
        let until = self.until.load(Ordering::Acquire);
        let left = Timestamp::from_millis(until).since(now);
        // After a clock was set back nobody here knows; the store, or another worker, may go by another.
        if left > self.length {
            Duration::ZERO
        } else {
            left
        }
    }

    /// Notes that the store counts the lease from `now`; `anew` if others may have taken runs that were claimed before.
    pub(crate) fn extend(&self, now: Timestamp, anew: bool) {
        // Whoever sees the new end of the lease sees the new life as well.
        if anew {
            self.life.fetch_add(1, Ordering::AcqRel);
        }
        let until = now.after(self.length).as_millis();
        self.until.store(until, Ordering::Release);
    }
}

/// Counts the looks of the thread that renews the session, so that whoever blocks another thread can tell for how long without
/// a clock.
#[derive(Debug, Default)]
pub(crate) struct Looks(AtomicU64);

impl Looks {
    /// A thread that is kept from one look to the third after it is blocked for a third of a lease at least.
    const BLOCKED: u64 = 3;

    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// What [`has_blocked`](Self::has_blocked) asks for: a clock that costs nothing to read.
    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether a third of a lease has gone by since then.
    pub(crate) fn has_blocked(&self, since: u64) -> bool {
        self.so_far().wrapping_sub(since) >= Self::BLOCKED
    }
}
