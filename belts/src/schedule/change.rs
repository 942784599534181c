//! A schedule that goes on by another plan.

use super::{
    kept::{Kept, Queued},
    plan::{IN_TIME, Outcome, Plan},
    spec::{Missed, Schedule},
    times::Times,
};
use crate::clock::Timestamp;

impl Plan<'_> {
    /// Has a schedule go on as `to` says, at the times of this plan; whether runs are to start now.
    ///
    /// Where only what becomes of ticks has changed, they count as before. Otherwise they count from now on, and what has passed by the
    /// `old` times waits for its run, even if its jitter is not over. While its function is paused nothing is lost either: what was held
    /// counts by this plan once it is resumed.
    pub(crate) fn change(
        &self,
        kept: &mut Kept,
        to: &Schedule,
        old: Option<&Times>,
        held: bool,
        now: Timestamp,
    ) -> bool {
        let is_same = kept.schedule.when == to.when;
        let is_left = !is_same && !held && kept.paused_at.is_none();
        let carried = is_left && self.carry(kept, old, now);
        kept.schedule = to.clone();
        if is_same || held {
            self.correct(kept);
        } else {
            self.begin(kept, now);
        }
        carried
    }

    /// Has what has passed by the old times wait for its run; whether anything does.
    fn carry(&self, kept: &mut Kept, old: Option<&Times>, now: Timestamp) -> bool {
        let mut outcome = Outcome::default();
        let mut passed = Vec::new();
        let mut in_time = true;
        if let Some(times) = old {
            let old = Plan { times, ..*self };
            (passed, in_time) = old.due(kept, now, &mut outcome);
        } else if let Some(next) = kept.next {
            // Nobody here can count them.
            in_time = now.since(next) <= IN_TIME.saturating_add(kept.schedule.jitter);
        }
        if let Some(next) = kept.next.filter(|next| *next <= now) {
            if in_time || kept.schedule.missed != Missed::Skip {
                let missed = std::mem::take(&mut kept.untold);
                let scheduled_at = next;
                passed.push(Queued {
                    scheduled_at,
                    missed,
                });
            } else {
                outcome.missed += 1;
                kept.untold = kept.untold.saturating_add(1);
            }
        }
        let carried = !passed.is_empty();
        for tick in passed {
            kept.queue(tick, now);
        }
        kept.counts.missed += u64::from(outcome.missed);
        carried
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn hour(hour: u32) -> Timestamp {
        Timestamp::from_millis(0).after(HOUR * hour)
    }

    fn hourly() -> Schedule {
        Schedule::every(HOUR)
    }

    fn kept(schedule: &Schedule, at: Timestamp) -> Kept {
        let mut kept = Kept::new(schedule.clone(), true, None, at);
        let times = schedule.times().expect("a length");
        plan(&times).begin(&mut kept, at);
        kept
    }

    fn plan(times: &Times) -> Plan<'_> {
        Plan {
            name: "report",
            function_id: "report",
            times,
        }
    }

    fn changed(kept: &mut Kept, to: &Schedule, held: bool, now: Timestamp) -> bool {
        let old = kept.schedule.times().expect("a length");
        let new = to.times().expect("a length");
        plan(&new).change(kept, to, Some(&old), held, now)
    }

    fn queued(kept: &Kept) -> Vec<(Timestamp, u32)> {
        let queue = kept.queue.iter();
        queue.map(|tick| (tick.scheduled_at, tick.missed)).collect()
    }

    #[test]
    fn what_has_passed_waits_for_its_run_as_missed_says() {
        let daily = Schedule::every(HOUR * 24);
        for (missed, wanted) in [
            (Missed::Latest, vec![(hour(4), 3)]),
            (Missed::Skip, vec![]),
            (
                Missed::All,
                vec![(hour(1), 0), (hour(2), 0), (hour(3), 0), (hour(4), 0)],
            ),
        ] {
            let mut kept = kept(&hourly().missed(missed), hour(0));
            let carried = changed(&mut kept, &daily, false, hour(4).after(HOUR / 2));
            assert_eq!(carried, !wanted.is_empty(), "{missed}");
            assert_eq!(queued(&kept), wanted, "{missed}");
            assert_eq!(kept.next, Some(hour(24)));
            let told: u32 = kept.queue.iter().map(|tick| tick.missed + 1).sum();
            assert_eq!(told + kept.untold, 4, "{missed}");
        }
    }

    #[test]
    fn a_tick_whose_jitter_is_not_over_waits_too() {
        let old = hourly().jitter(HOUR / 2).missed(Missed::Skip);
        let times = old.times().expect("a length");
        let mut kept = kept(&old, hour(0));
        assert!(plan(&times).starts_at(&kept, hour(1)) > hour(1).after(Duration::from_millis(1)));
        let carried = changed(&mut kept, &Schedule::every(HOUR * 24), false, hour(1));
        assert!(carried);
        assert_eq!(queued(&kept), [(hour(1), 0)]);
    }

    #[test]
    fn another_jitter_leaves_the_ticks_as_they_are() {
        let old = hourly().jitter(HOUR / 2);
        let mut kept = kept(&old, hour(0));
        let carried = changed(&mut kept, &hourly(), false, hour(1));
        assert!(!carried && queued(&kept).is_empty());
        assert_eq!((kept.next, kept.taken), (Some(hour(1)), hour(0)));
    }

    #[test]
    fn what_is_held_with_its_function_counts_by_the_new_plan_later() {
        let mut kept = kept(&hourly(), hour(0));
        let two = Schedule::every(HOUR * 2);
        assert!(!changed(&mut kept, &two, true, hour(5)));
        assert!(queued(&kept).is_empty());
        assert_eq!(kept.next, Some(hour(2)));
        let times = two.times().expect("a length");
        let outcome = plan(&times).look(&mut kept, hour(5), false);
        assert_eq!(outcome.starts.len(), 1);
        let start = &outcome.starts[0];
        assert_eq!((start.scheduled_at, start.missed), (hour(4), 1));
    }

    #[test]
    fn by_a_plan_that_cannot_be_followed_here_the_next_tick_counts() {
        let daily = Schedule::every(HOUR * 24);
        let times = daily.times().expect("a length");
        let mut kept = kept(&hourly(), hour(0));
        assert!(plan(&times).change(&mut kept, &daily, None, false, hour(4)));
        assert_eq!(queued(&kept), [(hour(1), 0)]);
        let mut kept = super::tests::kept(&hourly().missed(Missed::Skip), hour(0));
        assert!(!plan(&times).change(&mut kept, &daily, None, false, hour(4)));
        assert_eq!(kept.untold, 1);
    }
}
