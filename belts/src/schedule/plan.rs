//! What follows for a schedule from its plan, the time, and whether the run of its last tick goes on.
//!
//! No IO, no clock, no chance: the worker asks, and writes what comes out.

use std::{sync::Arc, time::Duration};

use super::{
    kept::{Kept, LastTick, MOST, Queued},
    spec::{Missed, Overlap},
    times::Times,
};
use crate::{
    clock::Timestamp,
    id::{digest, stable_id},
};

/// A tick that is dealt with no later than this, and before the next one, was not missed: a deploy or a restart takes that long.
pub(crate) const IN_TIME: Duration = Duration::from_secs(60);

/// How soon it is looked again whether a run has ended for which ticks wait, and how late at most.
const SOON: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(60);

/// A clock that is further ahead than this, or was, is wrong.
pub(crate) const AHEAD: Duration = Duration::from_secs(60);

/// A run that a tick starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) run_id: String,
    pub(crate) scheduled_at: Timestamp,
    pub(crate) previous: Option<Timestamp>,
    pub(crate) missed: u32,
    /// How long after its time, with the jitter, it starts.
    pub(crate) late: Duration,
}

/// What a look at a schedule has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) starts: Vec<Start>,
    /// The run of the tick before is to be cancelled.
    pub(crate) cancels: bool,
    /// Ticks that were missed for good.
    pub(crate) missed: u32,
    /// Ticks that started nothing, since the run of the last one goes on.
    pub(crate) skipped: u32,
}

/// The id of the run of a tick: the same whichever worker starts it.
pub(crate) fn run_id(function_id: &str, name: &str, scheduled_at: Timestamp) -> String {
    stable_id(&[
        "tick",
        function_id,
        name,
        &scheduled_at.as_millis().to_string(),
    ])
}

/// A schedule under a name, with its times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) name: &'a str,
    pub(crate) function_id: &'a str,
    pub(crate) times: &'a Times,
}

impl Plan<'_> {
    /// When a tick is to start its run: its jitter follows from the tick, and does not reach the next one.
    pub(crate) fn starts_at(&self, kept: &Kept, tick: Timestamp) -> Timestamp {
        let most = millis(kept.schedule.jitter);
        if most == 0 {
            return tick;
        }
        let gap = self
            .times
            .after(tick)
            .map_or(u64::MAX, |next| millis(next.since(tick)));
        let text = format!("{}\n{}\n{}", self.function_id, self.name, tick.as_millis());
        tick.after(Duration::from_millis(digest(&text) % most.min(gap)))
    }

    /// When it is to be looked at again.
    pub(crate) fn due_at(&self, kept: &Kept, now: Timestamp) -> Option<Timestamp> {
        // Whoever has written it may have died before it cancelled that run.
        let cancels = kept.gives_way.as_ref().map(|_| now.after(SOON));
        if kept.paused_at.is_some() {
            return cancels;
        }
        let next = kept.next.map(|next| self.starts_at(kept, next));
        let waits = kept.queue.front().map(|first| {
            let waited = now.since(first.scheduled_at);
            now.after((waited / 4).clamp(SOON, LATE))
        });
        next.into_iter().chain(waits).chain(cancels).min()
    }

    /// Has the ticks count from now on.
    pub(crate) fn begin(&self, kept: &mut Kept, now: Timestamp) {
        (kept.taken, kept.seen) = (now, now);
        kept.next = self.times.after(now);
    }

    /// Names the next tick by this plan, where another one was written down: the rules of time zones change; whether it was so.
    pub(crate) fn correct(&self, kept: &mut Kept) -> bool {
        let next = self.times.after(kept.taken);
        let differs = kept.paused_at.is_none() && kept.next != next;
        if differs {
            kept.next = next;
        }
        differs
    }

    /// Counts anew from now if a clock that was far ahead has written it last; whether it was so.
    pub(crate) fn set_back(&self, kept: &mut Kept, now: Timestamp) -> bool {
        let ahead = kept.seen > now.after(AHEAD);
        if ahead {
            self.begin(kept, now);
            // What was done for a time that is still to come says nothing about the time until then.
            kept.covered = kept.covered.filter(|covered| *covered <= now);
        }
        ahead
    }

    /// Deals with what is due. `busy` says whether the run of the last tick goes on.
    pub(crate) fn look(&self, kept: &mut Kept, now: Timestamp, busy: bool) -> Outcome {
        let mut outcome = Outcome::default();
        if kept.paused_at.is_some() {
            return outcome;
        }
        kept.seen = now;
        let (due, in_time) = self.due(kept, now, &mut outcome);
        let made_up = due.len() > 1 || !in_time;
        let mut busy = busy;
        for tick in due {
            self.take(kept, tick, now, made_up, &mut busy, &mut outcome);
        }
        if !busy && let Some(first) = kept.queue.pop_front() {
            self.start(kept, first, now, &mut outcome);
        }
        kept.counts.missed += u64::from(outcome.missed);
        kept.counts.skipped += u64::from(outcome.skipped);
        outcome
    }

    /// The ticks that are to start runs, and whether the last of them was not missed.
    pub(super) fn due(
        &self,
        kept: &mut Kept,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> (Vec<Queued>, bool) {
        let Some(next) = kept.next else {
            return (Vec::new(), true);
        };
        if self.starts_at(kept, next) > now {
            return (Vec::new(), true);
        }
        let mut passed = self.times.between(kept.taken, now, MOST);
        // Of the last one the jitter may not be over.
        if let Some(last) = passed.last.back().copied()
            && self.starts_at(kept, last) > now
        {
            passed.last.pop_back();
            passed.count -= 1;
        }
        let Some(last) = passed.last.back().copied() else {
            // Its jitter is not over; or another tick was written down, by other rules of its zone.
            kept.next = self.times.after(kept.taken);
            return (Vec::new(), true);
        };
        kept.taken = last;
        kept.next = self.times.after(last);
        let in_time = now.since(self.starts_at(kept, last)) <= IN_TIME;
        let runs = match kept.schedule.missed {
            Missed::All => passed.last.len(),
            Missed::Latest => 1,
            Missed::Skip => usize::from(in_time),
        };
        let fallen_out = u32::try_from(passed.count - runs).unwrap_or(u32::MAX);
        outcome.missed = fallen_out;
        kept.untold = kept.untold.saturating_add(fallen_out);
        if fallen_out > 0 && runs == 0 {
            kept.pass_over(last, now, missed(fallen_out));
        }
        let first = passed.last.len() - runs;
        let mut due = Vec::with_capacity(runs);
        for scheduled_at in passed.last.into_iter().skip(first) {
            due.push(Queued {
                scheduled_at,
                missed: std::mem::take(&mut kept.untold),
            });
        }
        (due, in_time)
    }

    fn take(
        &self,
        kept: &mut Kept,
        tick: Queued,
        now: Timestamp,
        made_up: bool,
        busy: &mut bool,
        outcome: &mut Outcome,
    ) {
        let waits = *busy || !kept.queue.is_empty();
        let all = kept.schedule.missed == Missed::All && made_up;
        match kept.schedule.overlap {
            Overlap::Allow => self.start(kept, tick, now, outcome),
            Overlap::Skip if waits && !all => {
                let run = kept.last.as_ref().map_or("", |last| &*last.run_id);
                let reason = format!("overlap: the run `{run}` of the tick before had not ended");
                // The next run is told of what this one would have been.
                kept.untold = kept.untold.saturating_add(tick.missed);
                kept.pass_over(tick.scheduled_at, now, reason);
                outcome.skipped += 1;
            }
            overlap => {
                if overlap == Overlap::Cancel && *busy && outcome.starts.is_empty() {
                    outcome.cancels = true;
                    kept.gives_way = kept.last.as_ref().map(|last| Arc::clone(&last.run_id));
                    *busy = false;
                }
                outcome.skipped += kept.queue(tick, now);
                if !*busy && let Some(first) = kept.queue.pop_front() {
                    self.start(kept, first, now, outcome);
                    *busy = true;
                }
            }
        }
    }

    fn start(&self, kept: &mut Kept, tick: Queued, now: Timestamp, outcome: &mut Outcome) {
        let run_id = run_id(self.function_id, self.name, tick.scheduled_at);
        outcome.starts.push(Start {
            run_id: run_id.clone(),
            scheduled_at: tick.scheduled_at,
            previous: kept.cover(tick.scheduled_at),
            missed: tick.missed,
            late: now.since(self.starts_at(kept, tick.scheduled_at)),
        });
        kept.counts.started += 1;
        kept.last = Some(LastTick {
            scheduled_at: tick.scheduled_at,
            run_id: run_id.into(),
            started_at: now,
        });
    }
}

fn missed(count: u32) -> String {
    match count {
        1 => "missed: no worker was there at its time".to_owned(),
        _ => format!(
            "missed: no worker was there at its time, nor at that of the {} before",
            count - 1
        ),
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
