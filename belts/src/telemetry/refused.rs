//! Unauthorized requests: all are counted, and some are logged.
//!
//! Attempts to guess tokens must be visible, but must not fill the disk with log lines.

use std::sync::{Mutex, PoisonError};

use metrics::Counter;

use super::table;
use crate::clock::Timestamp;

/// The minimum time between two lines about one door, in milliseconds.
const SILENCE: i64 = 10_000;

/// What the request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Inspection,
    Delivery,
}

impl Door {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Inspection => "inspection",
            Self::Delivery => "delivery",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Refusals {
    inspection: Knocks,
    delivery: Knocks,
}

/// The refused requests of one door.
#[derive(Debug)]
struct Knocks {
    /// Of 401, 403 and 404.
    counters: [(u16, Counter); 3],
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// When the last line was written.
    at: Option<Timestamp>,
    /// How many were refused since, without a line.
    since: u64,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            inspection: Knocks::new(Door::Inspection),
            delivery: Knocks::new(Door::Delivery),
        }
    }

    /// Counts a request that was refused with this status. If it is time for a log line, returns how many had none since the last.
    pub(crate) fn count(&self, door: Door, status: u16, now: Timestamp) -> Option<u64> {
        match door {
            Door::Inspection => self.inspection.count(status, now),
            Door::Delivery => self.delivery.count(status, now),
        }
    }
}

impl Knocks {
    fn new(door: Door) -> Self {
        let counters = [401, 403, 404].map(|status: u16| {
            let counter = table::REFUSED.counter(&[door.as_str(), &status.to_string()]);
            (status, counter)
        });
        Self {
            counters,
            told: Mutex::default(),
        }
    }

    fn count(&self, status: u16, now: Timestamp) -> Option<u64> {
        let counter = self.counters.iter().find(|(counted, _)| *counted == status);
        if let Some((_, counter)) = counter {
            counter.increment(1);
        }
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .turn(now)
    }
}

impl Told {
    fn turn(&mut self, now: Timestamp) -> Option<u64> {
        // A clock that was set back must not silence it.
        let is_silent = self.at.is_some_and(|at| {
            let passed = now.as_millis().saturating_sub(at.as_millis());
            (0..SILENCE).contains(&passed)
        });
        if is_silent {
            self.since += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_many_had_none() {
        let mut told = Told::default();
        let mut at = |millis| told.turn(Timestamp::from_millis(millis));
        assert_eq!(at(5), Some(0));
        assert_eq!((at(5), at(5_000), at(10_004)), (None, None, None));
        assert_eq!(at(10_005), Some(3));
        assert_eq!(at(10_006), None);
        assert_eq!(at(-50), Some(1), "the clock was set back");
    }
}
