//! How often other processes are told that runs may be due: at once, and then not again for a moment.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Inner, link::pause};

/// The least time between two messages. Every process hears each message of every other one, so that one for each of
/// many writes would cost more than the writes; what comes within it is told at its end.
const MOMENT: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Teller {
    began: Instant,
    /// The end of the present moment, in microseconds.
    quiet_until: AtomicU64,
    /// Whether somebody will tell at its end.
    is_promised: AtomicBool,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            quiet_until: AtomicU64::new(0),
            is_promised: AtomicBool::new(false),
        }
    }

    /// How long others should not be told again; nothing if they may be told.
    pub(super) fn quiet(&self) -> Option<Duration> {
        let left = self
            .quiet_until
            .load(Ordering::Acquire)
            .checked_sub(self.micros())?;
        (left > 0).then(|| Duration::from_micros(left))
    }

    /// Notes that others were told.
    fn told(&self) {
        let moment = u64::try_from(MOMENT.as_micros()).unwrap_or(u64::MAX);
        self.quiet_until
            .store(self.micros() + moment, Ordering::Release);
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Inner {
    /// Wakes the workers of this process after a write that left runs for others. `quiet` is what the teller said before
    /// it: without it, the script has told other processes.
    pub(super) fn left_runs(self: &Arc<Self>, quiet: Option<Duration>) {
        self.wake.wake();
        let Some(quiet) = quiet else {
            return self.teller.told();
        };
        if !self.teller.is_promised.swap(true, Ordering::AcqRel) {
            tokio::spawn(tell_later(Promise(Arc::downgrade(self)), quiet));
        }
    }
}

/// Is taken back with this, be it that the runtime ends before somebody was told.
struct Promise(Weak<Inner>);

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(store) = self.0.upgrade() {
            store.teller.is_promised.store(false, Ordering::Release);
        }
    }
}

/// It is a hint: should it be lost, the sweep of other processes finds the runs.
async fn tell_later(promise: Promise, quiet: Duration) {
    pause(quiet).await;
    let store = promise.0.upgrade();
    drop(promise);
    if let Some(store) = store {
        store.teller.told();
        let mut tell = redis::cmd("PUBLISH");
        tell.arg(format!("{}wake", store.keys)).arg(&store.sender);
        if let Err(error) = store.link.send(&tell).await {
            tracing::debug!(error = %crate::plain::Clean(&error), "other processes were not told of new runs");
        }
    }
}
