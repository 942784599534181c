//! By when a run must have started and ended, and what is said of one that has not.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    codec,
    error::{Error, ErrorKind},
    store::{Limits, Timestamp, parts::SESSION_RETENTION},
};

/// Since when the limits of a new run count whose event asks for `due_at`: since then, since the publish, or since a worker was heard
/// of, whichever is latest, so that a clock that is wrong gives too much time and never too little. `now` is the publisher's clock, and
/// `seen` the latest time at which a worker was heard of; it counts within a day.
///
/// ```
/// use belts::{Timestamp, store::parts::limits_since};
/// let [early, late, later] = [1_000, 9_000, 20_000].map(Timestamp::from_millis);
/// assert_eq!(limits_since(early, late, Some(early)), late, "the workers were down");
/// assert_eq!(limits_since(early, early, Some(late)), late, "the publisher is behind");
/// assert_eq!(limits_since(later, early, Some(late)), later, "it is delayed");
/// ```
pub fn limits_since(due_at: Timestamp, now: Timestamp, seen: Option<Timestamp>) -> Timestamp {
    let since = due_at.max(now);
    match seen {
        Some(seen) if seen.since(since) <= SESSION_RETENTION => since.max(seen),
        _ => since,
    }
}

/// The times by which a run must have been claimed and must have ended.
///
/// ```
/// use std::time::Duration;
/// use belts::{Timestamp, store::{Limits, parts::Deadlines}};
/// let [now, later] = [0, 3_600_000].map(Timestamp::from_millis);
/// let limits = Limits::new("ship-order").with_start_within(Duration::from_secs(3_600));
/// let deadlines = Deadlines::new(&limits, now);
/// assert_eq!(deadlines.next(false), Some(later));
/// assert_eq!(deadlines.next(true), None, "it has started");
/// assert!(deadlines.is_over(false, later) && !deadlines.is_over(false, now));
/// let cause = deadlines.cause(false, later);
/// assert!(String::from_utf8_lossy(&cause).contains("it had not started within 1h"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deadlines {
    /// Since when they count: see [`limits_since`]; or when the run was rerun.
    pub since: Timestamp,
    /// By when it must have been claimed.
    pub start_by: Option<Timestamp>,
    /// By when it must have ended.
    pub finish_by: Option<Timestamp>,
}

impl Deadlines {
    /// Those of a run of this function, which count from `since`.
    pub fn new(limits: &Limits, since: Timestamp) -> Self {
        let since = since.clamped();
        let by = |within: Option<Duration>| within.map(|within| since.after(within).clamped());
        Self {
            since,
            start_by: by(limits.start_within),
            finish_by: by(limits.finish_within),
        }
    }

    /// Those that a store has kept.
    pub fn kept(
        since: Timestamp,
        start_by: Option<Timestamp>,
        finish_by: Option<Timestamp>,
    ) -> Self {
        Self {
            since,
            start_by,
            finish_by,
        }
    }

    /// When the time of the run is over, whether it `has_started` or not.
    pub fn next(&self, has_started: bool) -> Option<Timestamp> {
        let start_by = self.start_by.filter(|_| !has_started);
        start_by.into_iter().chain(self.finish_by).min()
    }

    /// Whether the time of the run is over.
    pub fn is_over(&self, has_started: bool, now: Timestamp) -> bool {
        self.next(has_started).is_some_and(|next| next <= now)
    }

    /// Why a run was cancelled whose time is over, as the envelope of a failure.
    pub fn cause(&self, has_started: bool, now: Timestamp) -> Arc<[u8]> {
        let start_by = self
            .start_by
            .filter(|start_by| !has_started && *start_by <= now);
        let (what, by) = match start_by {
            Some(start_by) => ("started", start_by),
            None => ("finished", self.finish_by.unwrap_or(now)),
        };
        let within = in_words(by.since(self.since));
        let text = format!("it had not {what} within {within}");
        codec::envelope(&Error::new(ErrorKind::Cancelled, text))
    }

    /// Those of the same run when it is rerun at `now`.
    #[must_use]
    pub fn again(&self, now: Timestamp) -> Self {
        let anew = |by: Timestamp| now.after(by.since(self.since)).clamped();
        Self {
            since: now,
            start_by: self.start_by.map(anew),
            finish_by: self.finish_by.map(anew),
        }
    }
}

/// A duration as one would write it in an option: `2d`, `1h30m`.
pub(crate) fn in_words(duration: Duration) -> String {
    const UNITS: [(&str, u128); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let mut left = duration.as_millis();
    let mut words = String::new();
    for (unit, millis) in UNITS {
        let number = left / millis;
        left %= millis;
        if number > 0 {
            words.push_str(&number.to_string());
            words.push_str(unit);
        }
    }
    if words.is_empty() {
        words.push_str("0s");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_options() {
        for (millis, words) in [
            (0, "0s"),
            (250, "250ms"),
            (90_000, "1m30s"),
            (3_600_000, "1h"),
            (172_800_000, "2d"),
            (86_461_001, "1d1m1s1ms"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn a_rerun_has_as_much_time_again() {
        let at = Timestamp::from_millis;
        let deadlines = Deadlines::kept(at(10), Some(at(15)), Some(at(30))).again(at(100));
        let expected = Deadlines::kept(at(100), Some(at(105)), Some(at(120)));
        assert_eq!(deadlines, expected);
    }
}
