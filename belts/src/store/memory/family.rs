//! Runs in memory that other runs have started: how they begin, how their ends are told, and which end together.

use std::{collections::BTreeSet, sync::Arc};

use super::tables::{Run, Tables};
use crate::store::{
    Commit, ENDED, NewEvent, RunStatus, Target, Timestamp,
    parts::{ended, new_id},
};

impl Tables {
    /// Starts and cancels the runs that a commit names; whether that makes something due.
    pub(super) fn settle_others(&mut self, commit: &Commit, now: Timestamp) -> bool {
        let mut left = false;
        for event in &commit.starts {
            left |= self.start(event.clone(), now);
        }
        let Some(id) = self
            .runs
            .get(&commit.lease.run)
            .map(|run| Arc::clone(&run.id))
        else {
            return left;
        };
        for run_id in &commit.cancels {
            let number = self.run_ids.get(run_id).copied();
            let is_own = |run: &Run| {
                run.parent
                    .as_ref()
                    .is_some_and(|parent| parent.run_id == id)
            };
            let own = number.filter(|number| self.runs.get(number).is_some_and(is_own));
            left |= own.is_some_and(|number| self.cancel_number(number, now));
        }
        left
    }

    fn start(&mut self, event: NewEvent, now: Timestamp) -> bool {
        let there = match &event.target {
            Target::Function {
                run_id: Some(run_id),
                ..
            } => self.run_ids.get(run_id).copied(),
            _ => None,
        };
        if let Some(number) = there {
            let is_over = self
                .runs
                .get(&number)
                .is_some_and(|run| run.status.is_finished());
            // Whoever waits for it now may have missed it.
            return is_over && self.tell_end(number, now);
        }
        if !self.events.contains_key(&event.id) {
            self.publish_one(event, now, None);
        }
        true
    }

    /// Tells the end of a run that has a parent; whether somebody waits for it.
    pub(super) fn tell_end(&mut self, number: i64, now: Timestamp) -> bool {
        let Some(run) = self.runs.get(&number).filter(|run| run.parent.is_some()) else {
            return false;
        };
        let status = run.status.is_finished().then_some(run.status);
        let said = ended(status, run.result.as_deref().filter(|_| status.is_some()));
        let id = format!("{ENDED}:{}:{}", run.id, new_id());
        let event = NewEvent::new(id, ENDED, said, now).with_correlation_key(Arc::clone(&run.id));
        let published = self.publish_one(event, now, None);
        self.arrive(&published.event_id, now)
    }

    /// Takes back what was told of the end of a run, which goes on.
    pub(super) fn untell_end(&mut self, number: i64) {
        let Some(run) = self.runs.get(&number).filter(|run| run.parent.is_some()) else {
            return;
        };
        let id = Arc::clone(&run.id);
        let told = self
            .events
            .values()
            .filter(|row| &*row.data.event_type == ENDED);
        let told = told.filter(|row| row.data.key.as_ref() == Some(&id));
        let told: Vec<Arc<str>> = told.map(|row| Arc::clone(&row.data.id)).collect();
        for event in told {
            self.remove_event(&event);
        }
    }

    /// Cancels the runs that end with this one; whether somebody waits for one of them.
    pub(super) fn cancel_attached(&mut self, number: i64, now: Timestamp) -> bool {
        let Some(run) = self.runs.get(&number) else {
            return false;
        };
        if !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
            return false;
        }
        let started: BTreeSet<i64> = self.started.get(&run.id).cloned().unwrap_or_default();
        let mut awaited = false;
        for number in started {
            let is_attached = |run: &Run| run.parent.as_ref().is_some_and(|parent| parent.attached);
            if self.runs.get(&number).is_some_and(is_attached) {
                awaited |= self.cancel_number(number, now);
            }
        }
        awaited
    }

    /// Cancels a run that has not finished; whether that is anybody's business.
    fn cancel_number(&mut self, number: i64, now: Timestamp) -> bool {
        let goes_on = self
            .runs
            .get(&number)
            .is_some_and(|run| !run.status.is_finished());
        if goes_on {
            self.finish(number, RunStatus::Cancelled, now);
        }
        goes_on
    }
}
