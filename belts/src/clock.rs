//! Where the time comes from: the system, or a test that moves it by hand.

mod guarded;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub(crate) use guarded::Guarded;

/// A moment, in whole milliseconds since the Unix epoch; the unit of every time in a store.
///
/// ```
/// use belts::Timestamp;
/// use std::time::{Duration, SystemTime};
/// let moment = Timestamp::from_millis(1_500);
/// assert_eq!(moment.to_system_time(), SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
/// assert_eq!(moment.to_string(), "1970-01-01T00:00:01.5Z");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same moment for the standard library, and for crates that convert from it.
    pub fn to_system_time(self) -> SystemTime {
        let distance = Duration::from_millis(self.0.unsigned_abs());
        if self.0 >= 0 {
            SystemTime::UNIX_EPOCH + distance
        } else {
            SystemTime::UNIX_EPOCH - distance
        }
    }

    /// This moment and `duration`, rounded up to the next millisecond; the far end of time if that overflows.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_up(duration)))
    }

    /// This moment less `duration`, rounded up.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_up(duration)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis_up(duration: Duration) -> i64 {
    let whole =
        duration.as_millis() + u128::from(!duration.subsec_nanos().is_multiple_of(1_000_000));
    i64::try_from(whole).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
            Err(before) => Self(-i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        time.to_system_time()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => fmt::Display::fmt(&time, f),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Tells the time and waits for it. The worker asks nothing else for the time.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns at `deadline` or after it; at once if it has passed.
    async fn sleep_until(&self, deadline: Timestamp);

    /// Returns when a time limit that ends at `deadline` has run out. A clock that skips sleeps does not skip this.
    async fn expire_at(&self, deadline: Timestamp) {
        self.sleep_until(deadline).await;
    }
}

/// The system's clock and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system's time"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn expire_at(&self, deadline: Timestamp) {
        // A time limit is a stretch of time: a wall clock that is set back does not make it longer.
        tokio::time::sleep(deadline.since(self.now())).await;
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        // The wall clock may jump, so a long wait looks at it again once a minute.
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(60))).await;
        }
    }
}
