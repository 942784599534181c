//! How often other processes are told that runs may be due: at once, and then not again for a moment.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::link::{Link, pause};

/// The least time between two messages. Every process hears each message of every other one, so that one for each of
/// many writes would cost more than the writes; what comes within it is told at its end.
const MOMENT: Duration = Duration::from_millis(5);

/// Tells other processes.
pub(super) struct Teller {
    link: Arc<Link>,
    /// What every key begins with.
    keys: String,
    /// Tells our own messages from those of others.
    sender: String,
    began: Instant,
    /// The end of the present moment, in microseconds.
    quiet_until: AtomicU64,
    /// Whether somebody will tell at its end.
    is_promised: AtomicBool,
}

impl Teller {
    pub(super) fn new(link: Arc<Link>, keys: &str, sender: &str) -> Self {
        Self {
            link,
            keys: keys.to_owned(),
            sender: sender.to_owned(),
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
    pub(super) fn told(&self) {
        let moment = u64::try_from(MOMENT.as_micros()).unwrap_or(u64::MAX);
        self.quiet_until
            .store(self.micros() + moment, Ordering::Release);
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
    /// Tells others once the present moment is over, however many ask for it.
    pub(super) fn tell_after(self: &Arc<Self>, quiet: Duration) {
        if !self.is_promised.swap(true, Ordering::AcqRel) {
            tokio::spawn(tell_later(Promise(Arc::downgrade(self)), quiet));
        }
    }

    /// It is a hint: should it be lost, the sweep of other processes finds the runs.
    async fn tell(&self) {
        self.told();
        let mut tell = redis::cmd("PUBLISH");
        tell.arg(format!("{}wake", self.keys)).arg(&self.sender);
        if let Err(error) = self.link.send(&tell).await {
            tracing::debug!(error = %crate::plain::Clean(&error), "could not notify other processes of new runs");
        }
    }
}

/// Is taken back when this is dropped, be it that the runtime ends before somebody was told.
struct Promise(Weak<Teller>);

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(teller) = self.0.upgrade() {
            teller.is_promised.store(false, Ordering::Release);
        }
    }
}

async fn tell_later(promise: Promise, quiet: Duration) {
    pause(quiet).await;
    let teller = promise.0.upgrade();
    drop(promise);
    if let Some(teller) = teller {
        teller.tell().await;
    }
}
