//! What a time that is over leaves first place to in a race: an event that came while nobody looked, for a wait in another arm, and an
//! earlier time.
//!
//! A process that was down over a deadline, or hears of an event and of the end of a time at once, would otherwise let the time win,
//! although the event came before it.

use std::sync::Arc;

use super::{
    races::{Arm, Sides},
    run::LiveRun,
    state::State,
};
use crate::clock::Timestamp;

/// How often a wait for which something has come may have its turn without deciding on it: one that nobody polls, or that is behind
/// another, holds nobody up.
const PATIENCE: u32 = 3;

/// How many sleeps that are over at once end in the order of their times.
const MOST_SLEEPS: usize = 8;

impl LiveRun {
    /// Returns once whatever came before in other arms has gone first: the caller's time is over, so its arm may win then. The caller
    /// need not count as under way. `resumed` is the time of a sleep of an earlier drive: the other arms may not be reached yet.
    pub(crate) async fn let_others_go_first(
        self: &Arc<Self>,
        arm: Option<&Arm>,
        resumed: Option<Timestamp>,
    ) {
        let Some(arm) = arm.filter(|arm| arm.is_contended()) else {
            return;
        };
        let _active = self.activate();
        if resumed.is_some() {
            tokio::task::yield_now().await;
        }
        let sides = arm.sides();
        self.let_events_go_first(&sides).await;
        if let Some(due_at) = resumed {
            // All of them get here in the same turn, and end one behind the other.
            let earlier = self.state().sleeps_before(due_at, &sides);
            for _ in 0..earlier {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Returns once waits in other arms have decided on what has come for them.
    async fn let_events_go_first(&self, sides: &Sides) {
        let (mut seen, mut patience) = (Vec::new(), PATIENCE);
        while patience > 0 {
            // The store knows of no wait that is still to be recorded, and a block goes on once the end of its wait is.
            if self.all_recorded().await {
                tokio::task::yield_now().await;
            }
            if !self.state().has_rivals(sides) {
                return;
            }
            self.look_for_arrivals().await;
            let come = self.state().come_for_rivals(sides);
            if come.is_empty() {
                return;
            }
            if come == seen {
                patience -= 1;
            } else {
                (seen, patience) = (come, PATIENCE);
            }
            tokio::task::yield_now().await;
        }
    }
}

impl State {
    /// Whether an event may come for another arm.
    fn has_rivals(&self, sides: &Sides) -> bool {
        let mut waits = self.waits.undecided(&self.journal);
        waits.any(|entry| sides.is_against(&entry.path))
    }

    /// How many recorded sleeps of other arms have an earlier time.
    fn sleeps_before(&self, due_at: Timestamp, sides: &Sides) -> usize {
        let sleeps = self.journal.sleeps();
        let earlier = sleeps.filter(|sleep| sleep.due_at < Some(due_at));
        let against = earlier.filter(|sleep| sides.is_against(&sleep.path));
        // Some may have been over long ago, in blocks that do something else by now.
        against.take(MOST_SLEEPS).count()
    }

    /// The next event of each wait of another arm for which there is one, by its `seq` and the event's place.
    fn come_for_rivals(&self, sides: &Sides) -> Vec<(u32, i64)> {
        let waits = self.waits.undecided(&self.journal);
        let against = waits.filter(|entry| sides.is_against(&entry.path));
        let come =
            against.filter_map(|entry| Some((entry.seq, self.waits.first(entry.seq)?.place)));
        come.collect()
    }
}
