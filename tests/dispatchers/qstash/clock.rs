//! A clock that runs faster than the machine's, for the worker and for the service alike.

use std::time::Duration;

use belts::{Clock, Timestamp};
use belts_qstash_mock::{Mock, Settings};
use tokio::time::Instant;

/// How much faster.
pub(crate) const SPEED: u32 = 100;
/// Where it begins, in milliseconds since 1970.
const START: i64 = 1_800_000_000_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct FastClock {
    began: Instant,
}

impl FastClock {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    fn millis(self) -> i64 {
        let passed = (self.began.elapsed() * SPEED).as_millis();
        START + i64::try_from(passed).unwrap()
    }

    /// A mock of the service that lives by this clock.
    pub(crate) fn service(self) -> Settings {
        let speed = f64::from(SPEED);
        let clock = move || u64::try_from(self.millis()).unwrap();
        Mock::settings().speed(speed).clock(clock)
    }
}

#[async_trait::async_trait]
impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is a clock, and real time passes on it"
    )]
    async fn sleep_until(&self, deadline: Timestamp) {
        while self.now() < deadline {
            let left = deadline.since(self.now()) / SPEED;
            tokio::time::sleep(left.max(Duration::from_millis(1))).await;
        }
    }
}
