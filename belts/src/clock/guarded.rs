//! A clock of the user's whose panics end no loop of a worker.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt as _;

use super::{Clock, Timestamp};
use crate::{error::Error, panic};

/// Tells the last time that the clock told where it panics, and waits by the system's timer.
#[derive(Debug)]
pub(crate) struct Guarded<C> {
    clock: C,
    last: AtomicI64,
}

impl<C: Clock> Guarded<C> {
    pub(crate) fn new(clock: C) -> Self {
        let last = AtomicI64::new(0);
        Self { clock, last }
    }

    /// Waits in the clock's place, and never not at all: whoever waits in a loop would spin.
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other clock to wait by"
    )]
    async fn wait_instead(&self, deadline: Timestamp, error: &Error) {
        tracing::error!(error = %error.report(), "the clock panicked; the system's timer waits in its place");
        let left = deadline.since(self.now());
        tokio::time::sleep(left.max(Duration::from_millis(100))).await;
    }
}

#[async_trait]
impl<C: Clock> Clock for Guarded<C> {
    fn now(&self) -> Timestamp {
        match panic::quiet(|| self.clock.now()) {
            Some(now) => {
                self.last.store(now.as_millis(), Ordering::Relaxed);
                now
            }
            None => Timestamp::from_millis(self.last.load(Ordering::Relaxed)),
        }
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let slept = panic::catch("the clock", || Ok(self.clock.sleep_until(deadline)));
        let slept = match slept {
            Ok(sleep) => panic::catch_future(sleep.map(Ok)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = slept {
            self.wait_instead(deadline, &error).await;
        }
    }

    async fn expire_at(&self, deadline: Timestamp) {
        let expired = panic::catch("the clock", || Ok(self.clock.expire_at(deadline)));
        let expired = match expired {
            Ok(expiry) => panic::catch_future(expiry.map(Ok)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = expired {
            self.wait_instead(deadline, &error).await;
        }
    }

    fn is_manual(&self) -> bool {
        self.clock.is_manual()
    }

    fn skip_to(&self, moment: Timestamp) -> bool {
        self.clock.skip_to(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells the time once.
    #[derive(Debug, Default)]
    struct Broken(AtomicI64);

    #[async_trait]
    impl Clock for Broken {
        fn now(&self) -> Timestamp {
            assert_eq!(self.0.fetch_add(1, Ordering::Relaxed), 0, "the time is up");
            Timestamp::from_millis(1_000)
        }

        async fn sleep_until(&self, _: Timestamp) {
            panic!("no sleep");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_panics_stands_still_and_lets_nobody_spin() {
        let clock = Guarded::new(Broken::default());
        assert_eq!(
            [clock.now(), clock.now()],
            [Timestamp::from_millis(1_000); 2]
        );
        let begun = tokio::time::Instant::now();
        clock.sleep_until(Timestamp::from_millis(6_000)).await;
        clock.expire_at(Timestamp::from_millis(0)).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(5_100));
    }
}
