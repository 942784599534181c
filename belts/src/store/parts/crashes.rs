//! How often workers died with a run in hand.

use serde::{Deserialize, Serialize};

use crate::store::Entry;

/// How often in a row a worker died with a run in hand, and how much of the run was recorded at the last of these times.
///
/// ```
/// use belts::store::parts::Crashes;
/// let crashes = Crashes::default().and_one_more(2).and_one_more(2);
/// assert_eq!(crashes.in_a_row(2), 2);
/// assert_eq!(crashes.in_a_row(3), 0, "something was recorded since");
/// assert_eq!(crashes.and_one_more(3).in_a_row(3), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Crashes {
    /// How often.
    pub count: u32,
    /// The run's [`progress`] then.
    pub progress: u64,
}

impl Crashes {
    /// So many crashes, the last at this progress.
    pub fn new(count: u32, progress: u64) -> Self {
        Self { count, progress }
    }

    /// Counts a crash at this progress.
    #[must_use]
    pub fn and_one_more(self, progress: u64) -> Self {
        Self::new(self.in_a_row(progress) + 1, progress)
    }

    /// What a claim tells of them when the run's progress is this: none if something was recorded since the last.
    pub fn in_a_row(self, progress: u64) -> u32 {
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
