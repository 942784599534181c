//! A clock that stands still until a test moves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::clock::{Clock, Timestamp};

/// 2025-01-01T00:00:00Z, the default start.
const START_MILLIS: i64 = 1_735_689_600_000;

/// A clock that stands still until it is moved. Clones are the same clock.
///
/// Whatever sleeps on it wakes when the time has passed, however it passed. With
/// [`skip_sleeps`](Self::skip_sleeps) a sleep moves the clock itself and returns at once; timeouts never do.
///
/// ```
/// use belts::{Clock, testing::ManualClock};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = ManualClock::default();
/// let start = clock.now();
/// let sleeper = tokio::spawn({
///     let clock = clock.clone();
///     async move { clock.sleep_until(start.after(Duration::from_secs(60))).await }
/// });
/// clock.advance(Duration::from_secs(60));
/// sleeper.await.expect("the time has come");
/// assert_eq!(clock.now().since(start), Duration::from_secs(60));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    now: watch::Sender<Timestamp>,
    skips: AtomicBool,
    /// How many journeys are in progress, for which it skips sleeps in any case.
    journeys: AtomicUsize,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: impl Into<Timestamp>) -> Self {
        let shared = Shared {
            now: watch::Sender::new(start.into()),
            skips: AtomicBool::new(false),
            journeys: AtomicUsize::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes sleeps move the clock to their end and return at once. Timeouts still wait for
    /// [`advance`](Self::advance).
    ///
    /// ```
    /// use belts::{Clock, testing::ManualClock};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let clock = ManualClock::default().skip_sleeps(true);
    /// let tomorrow = clock.now().after(Duration::from_secs(24 * 60 * 60));
    /// clock.sleep_until(tomorrow).await;
    /// assert_eq!(clock.now(), tomorrow);
    /// # }
    /// ```
    #[must_use]
    pub fn skip_sleeps(self, skip: bool) -> Self {
        self.shared.skips.store(skip, Ordering::Release);
        self
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        *self.shared.now.borrow()
    }

    /// Moves the clock forward and wakes everything that has slept long enough.
    pub fn advance(&self, by: Duration) {
        self.shared.now.send_modify(|now| *now = now.after(by));
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, now: impl Into<Timestamp>) {
        self.shared.now.send_replace(now.into());
    }

    fn skips(&self) -> bool {
        self.shared.skips.load(Ordering::Acquire)
            || self.shared.journeys.load(Ordering::Acquire) > 0
    }

    /// Lets sleeps be skipped until the guard is dropped.
    pub(crate) fn journey(&self) -> Journey {
        self.shared.journeys.fetch_add(1, Ordering::AcqRel);
        // Current sleepers check again.
        self.shared.now.send_modify(|_| {});
        Journey(self.clone())
    }

    async fn reach(&self, deadline: Timestamp) {
        // The sender lives as long as this clock, so the wait cannot fail.
        let _ = self
            .shared
            .now
            .subscribe()
            .wait_for(|now| *now >= deadline)
            .await;
    }
}

impl Default for ManualClock {
    /// A clock that stands at 2025-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(START_MILLIS))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        if self.skips() {
            self.skip_to(deadline);
            // Sleeping in a loop gives others a turn.
            tokio::task::yield_now().await;
        } else {
            self.reach(deadline).await;
        }
    }

    async fn expire_at(&self, deadline: Timestamp) {
        self.reach(deadline).await;
    }

    fn is_manual(&self) -> bool {
        true
    }

    fn skip_to(&self, moment: Timestamp) -> bool {
        self.skips()
            && self.shared.now.send_if_modified(|now| {
                let jumps = *now < moment;
                *now = moment.max(*now);
                jumps
            })
    }
}

/// A period that is driven through: the clock skips sleeps as long as this lives.
#[derive(Debug)]
pub(crate) struct Journey(ManualClock);

impl Drop for Journey {
    fn drop(&mut self) {
        self.0.shared.journeys.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_time_limit_never_moves_the_clock() {
        let clock = ManualClock::default().skip_sleeps(true);
        let start = clock.now();
        let limit = clock.expire_at(start.after(Duration::from_secs(1)));
        tokio::pin!(limit);
        assert!(futures_poll_once(limit.as_mut()).await.is_none());
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(1));
        limit.await;
    }

    #[tokio::test]
    async fn a_clock_set_back_wakes_nobody_early() {
        let clock = ManualClock::default();
        let start = clock.now();
        let sleep = clock.sleep_until(start.after(Duration::from_secs(10)));
        tokio::pin!(sleep);
        assert!(futures_poll_once(sleep.as_mut()).await.is_none());
        clock.set(start.before(Duration::from_secs(100)));
        clock.advance(Duration::from_secs(105));
        assert!(futures_poll_once(sleep.as_mut()).await.is_none());
        clock.advance(Duration::from_secs(5));
        sleep.await;
    }

    async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
