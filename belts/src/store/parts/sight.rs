//! When an event becomes visible to waits, and what that means for the order of events.

use std::{collections::HashMap, time::Duration};

use crate::store::Timestamp;

/// When an event was published, and when it becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Sight {
    /// Its number in the order in which the store was told of events.
    pub(in crate::store) number: i64,
    pub(in crate::store) published_at: Timestamp,
    /// The time of a delayed event.
    pub(in crate::store) due_at: Option<Timestamp>,
}

impl Sight {
    pub(in crate::store) fn visible_at(&self) -> Timestamp {
        self.due_at.unwrap_or(self.published_at)
    }

    /// The same of an event that started a run: it was published before the run began, whatever its publisher's clock said.
    pub(in crate::store) fn of_run(self, started_at: Option<Timestamp>) -> Self {
        let published_at = started_at.map_or(self.published_at, |at| at.min(self.published_at));
        Self {
            published_at,
            ..self
        }
    }

    /// Whether it became visible before `start` did, or is it. The order of publishing decides where no time is needed, since clocks
    /// differ.
    pub(in crate::store) fn precedes(&self, start: &Self) -> bool {
        if self.number == start.number {
            return true;
        }
        if self.due_at.is_some() || start.due_at.is_some() {
            return self.visible_at() < start.visible_at();
        }
        self.number < start.number
    }
}

/// How far clocks may differ: that of a publisher from those of other publishers, and from that of the last worker that was heard of.
const TRUSTED: Duration = Duration::from_secs(60);

/// Who looks among the events of a lane for those that became visible from `time` on, and goes backwards from the last, need go no
/// further than to the first that became visible before this.
pub(in crate::store) fn long_before(time: Timestamp) -> Timestamp {
    time.before(TRUSTED)
}

/// Up to when delayed events are shown before a plain one is: `now` is the publisher's clock, and `seen` the latest time at which a
/// worker was heard of. What fell due before the plain one should have its place before it, and no clock should show it too early.
pub(in crate::store) fn shown_by(now: Timestamp, seen: Option<Timestamp>) -> Timestamp {
    seen.map_or(now, |seen| now.min(seen.after(TRUSTED)))
}

/// Puts events in the order in which they became visible: plain ones as they were published, and delayed ones among them by time.
/// They come in the order of their numbers.
pub(in crate::store) fn order_by_sight<T>(events: &mut [T], sight: impl Fn(&T) -> Sight) {
    let mut latest = Timestamp::from_millis(i64::MIN);
    let keys: HashMap<i64, Timestamp> = events
        .iter()
        .map(&sight)
        .map(|sight| {
            if sight.due_at.is_none() {
                latest = latest.max(sight.published_at);
            }
            (sight.number, sight.due_at.unwrap_or(latest))
        })
        .collect();
    events.sort_by_key(|event| keys[&sight(event).number]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(number: i64, published_at: i64) -> Sight {
        let published_at = Timestamp::from_millis(published_at);
        Sight {
            number,
            published_at,
            due_at: None,
        }
    }

    fn delayed(number: i64, due_at: i64) -> Sight {
        Sight {
            due_at: Some(Timestamp::from_millis(due_at)),
            ..plain(number, 0)
        }
    }

    #[test]
    fn clocks_do_not_change_the_order_of_plain_events() {
        let mut events = [plain(1, 50), delayed(2, 60), plain(3, 40), plain(4, 70)];
        order_by_sight(&mut events, |event| *event);
        assert_eq!(events.map(|event| event.number), [1, 3, 2, 4]);
        assert!(plain(1, 50).precedes(&plain(3, 40)));
        assert!(!plain(3, 40).precedes(&plain(1, 50)));
    }

    #[test]
    fn a_delayed_event_counts_from_its_time() {
        assert!(delayed(1, 10).precedes(&plain(2, 20)));
        assert!(!delayed(1, 30).precedes(&plain(2, 20)));
        assert!(!plain(3, 15).precedes(&delayed(1, 10)));
        assert!(delayed(1, 10).precedes(&delayed(1, 10)));
    }
}
