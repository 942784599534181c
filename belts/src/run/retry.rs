//! When a failed attempt is tried again.

use std::time::Duration;

use crate::clock::Timestamp;

/// The wait between attempts: its ceiling doubles from `first` up to `max`, and full jitter draws from zero to that.
///
/// "Full jitter" is the scheme of the AWS Architecture Blog's "Exponential Backoff and Jitter" (2015).
///
/// ```
/// use std::time::Duration;
/// let backoff = belts::Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(backoff.ceiling(1), Duration::from_secs(1));
/// assert_eq!(backoff.ceiling(4), Duration::from_secs(8));
/// assert_eq!(backoff.ceiling(40), Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first wait.
    pub first: Duration,
    /// The ceiling of every wait.
    pub max: Duration,
}

impl Backoff {
    /// Waits of up to `first`, doubling up to `max`.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// The longest wait after so many failed attempts.
    pub fn ceiling(&self, failed_attempts: u32) -> Duration {
        let doublings = failed_attempts.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }
}

impl Default for Backoff {
    /// 1 s to 60 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

/// How often and how soon to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    pub(crate) retries: u32,
    pub(crate) backoff: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 3,
            backoff: Backoff::default(),
        }
    }
}

impl RetryPolicy {
    pub(crate) fn new(retries: Option<u32>, backoff: Option<Backoff>) -> Self {
        let default = Self::default();
        Self {
            retries: retries.unwrap_or(default.retries),
            backoff: backoff.unwrap_or(default.backoff),
        }
    }

    /// When to try again after so many failed attempts, or `None` if that was the last. `random` lies in 0..1.
    pub(crate) fn next(
        &self,
        failed_attempts: u32,
        at_least: Option<Duration>,
        now: Timestamp,
        random: f64,
    ) -> Option<Timestamp> {
        (failed_attempts <= self.retries).then(|| {
            let ceiling = self.backoff.ceiling(failed_attempts);
            // The longest of all durations times one is more than a duration holds.
            let jittered = Duration::try_from_secs_f64(ceiling.as_secs_f64() * random);
            let jittered = jittered.unwrap_or(ceiling).min(ceiling);
            now.after(jittered.max(at_least.unwrap_or_default()))
        })
    }
}
