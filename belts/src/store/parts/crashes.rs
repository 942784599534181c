//! How often workers died while they drove a run.

use serde::{Deserialize, Serialize};

use crate::store::Entry;

/// How often in a row a worker died while it drove a run, and how much of the run was recorded at the last of these times.
///
/// ```
/// use belts::store::parts::Crashes;
/// let crashes = Crashes::default().with_crash_at(2).with_crash_at(2);
/// assert_eq!(crashes.consecutive(2), 2);
/// assert_eq!(crashes.consecutive(3), 0, "something was recorded since");
/// assert_eq!(crashes.with_crash_at(3).consecutive(3), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Crashes {
    /// The number of crashes.
    pub count: u32,
    /// The run's [`progress`] at the last of them.
    pub progress: u64,
}

impl Crashes {
    /// This many crashes, the last at this progress.
    pub fn new(count: u32, progress: u64) -> Self {
        Self { count, progress }
    }

    /// With one more crash, at this progress.
    #[must_use]
    pub fn with_crash_at(self, progress: u64) -> Self {
        Self::new(self.consecutive(progress) + 1, progress)
    }

    /// The crashes in a row, as a claim reports them: none if something was recorded since the last.
    pub fn consecutive(self, progress: u64) -> u32 {
        if progress > self.progress {
            0
        } else {
            self.count
        }
    }
}

/// How much of a run is recorded: grows with every entry and every failed attempt.
///
/// ```
/// use belts::store::parts::progress;
/// assert_eq!(progress(2, &[]), 2);
/// ```
pub fn progress(failed_attempts: u32, journal: &[Entry]) -> u64 {
    let steps = journal.iter().map(|entry| 1 + u64::from(entry.attempts));
    u64::from(failed_attempts) + steps.sum::<u64>()
}
