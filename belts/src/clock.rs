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
/// As text it is by RFC 3339, whose years have four digits: what lies beyond, as a sleep of ten thousand years, is shown as the
/// last moment that can be said, and what lies before the year 0 as the first.
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

/// The first moment that RFC 3339 can say: the beginning of the year 0.
const FIRST: i64 = -62_167_219_200_000;
/// The last moment that RFC 3339 and jiff can say in any time zone, at the end of the year 9999.
const LAST: i64 = 253_402_207_200_000;

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

    /// The last moment that anybody can wait for.
    #[cfg(feature = "postgres")]
    pub(crate) const LATEST: Self = Self(LAST);

    /// Whether it is so far away that nobody can wait for it.
    pub(crate) fn is_never(self) -> bool {
        self.0 >= LAST
    }

    /// The nearest moment that RFC 3339 can say.
    pub(crate) fn clamped(self) -> Self {
        Self(self.0.clamp(FIRST, LAST))
    }

    /// Reads a moment by RFC 3339; one that is a little too late or too early for us is the last or the first there is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Some(Self(time.as_millisecond()).clamped());
        }
        // A whole date and time, which only its offset or its hour puts beyond the range.
        let (year, _) = text.split_once('-').filter(|(year, _)| year.len() == 4)?;
        let nearer = match year {
            "9999" => format!("9998{}", &text[4..]),
            "0000" => format!("0004{}", &text[4..]),
            _ => return None,
        };
        nearer.parse::<jiff::Timestamp>().ok()?;
        Some(Self(if year == "9999" { LAST } else { FIRST }))
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
        let time = jiff::Timestamp::from_millisecond(self.clamped().0);
        fmt::Display::fmt(&time.map_err(|_| fmt::Error)?, f)
    }
}

/// Tells the time and waits for it. The worker asks nothing else for the time.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Returns at `deadline` or after it; at once if it has passed.
    async fn sleep_until(&self, deadline: Timestamp);

    /// Returns when a time limit that ends at `deadline` has run out. A clock that skips sleeps does not skip this.
    async fn expire_at(&self, deadline: Timestamp) {
        self.sleep_until(deadline).await;
    }

    /// Whether a test moves it: then the waits of a run are where its driver sees them.
    #[doc(hidden)]
    fn is_manual(&self) -> bool {
        false
    }

    /// Moves a clock that skips sleeps to a moment; whether it had not come yet.
    #[doc(hidden)]
    fn skip_to(&self, _moment: Timestamp) -> bool {
        false
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

/// A duration such as `90s`, `24h` or `1h30m`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    Duration::try_from(span.to_duration(days).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sleep of `Duration::MAX` was shown as `9223372036854775807 ms`, which nothing that reads times could read.
    #[test]
    fn every_moment_is_shown_as_one_that_can_be_read() {
        let extremes = [i64::MIN, -1, 0, 1, i64::MAX];
        let bounds = [FIRST, LAST].map(|bound| [bound - 1, bound, bound + 1]);
        for millis in extremes.into_iter().chain(bounds.into_iter().flatten()) {
            let time = Timestamp::from_millis(millis);
            let text = time.to_string();
            assert_eq!(Timestamp::parse(&text), Some(time.clamped()), "{text}");
            assert!(text.ends_with('Z') && !text.starts_with('-'), "{text}");
            assert_eq!(
                text.split_once('-').map(|(year, _)| year.len()),
                Some(4),
                "{text}"
            );
        }
        assert_eq!(
            Timestamp::from_millis(LAST).to_string(),
            "9999-12-30T22:00:00Z"
        );
        assert_eq!(
            Timestamp::from_millis(FIRST).to_string(),
            "0000-01-01T00:00:00Z"
        );
    }

    #[test]
    fn what_others_say_at_the_ends_of_time_is_read_as_the_end() {
        for (text, millis) in [
            ("9999-12-31T23:59:59.999Z", Some(LAST)),
            ("9999-12-31T23:59:59-23:00", Some(LAST)),
            ("0000-01-01T00:00:00+14:00", Some(FIRST)),
            ("2030-01-31T12:00:00Z", Some(1_896_091_200_000)),
            ("9999-13-31T23:59:59Z", None),
            ("9223372036854775807 ms", None),
            ("tomorrow", None),
        ] {
            assert_eq!(
                Timestamp::parse(text).map(Timestamp::as_millis),
                millis,
                "{text}"
            );
        }
    }
}
