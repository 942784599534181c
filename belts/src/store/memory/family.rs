//! Runs in memory that other runs have started: how they begin, how their ends are told, and which end together.

use std::{collections::BTreeSet, sync::Arc};

use super::tables::{Run, Tables};
use crate::store::{
    Commit, ENDED, NewEvent, RunStatus, Target, Timestamp,
    parts::{ended, ended_as, new_id},
};

impl Tables {
    /// Starts and cancels the runs that a commit names; whether that makes something due.
    pub(super) fn settle_others(&mut self, commit: &Commit, now: Timestamp) -> bool {
        let mut left = false;
        for event in &commit.starts {
            left |= self.start(event.clone(), now);
        }
        for run_id in &commit.watches {
            left |= self.watch(run_id, now);
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
        if let Target::Function {
            run_id: Some(run_id),
            ..
        } = &event.target
        {
            if let Some(number) = self.run_ids.get(run_id).copied() {
                return self.tell_again(number, now);
            }
            self.untell_end(&Arc::clone(run_id));
        }
        if !self.events.contains_key(&event.id) {
            self.publish_one(event, now, None);
        }
        true
    }

    fn watch(&mut self, run_id: &Arc<str>, now: Timestamp) -> bool {
        if let Some(number) = self.run_ids.get(run_id).copied() {
            return self.tell_again(number, now);
        }
        if self.told.contains_key(run_id) {
            return false;
        }
        self.tell(run_id, ended_as("gone", None), now)
    }

    /// Tells the end of a run again: whoever waits for it now may have missed it.
    fn tell_again(&mut self, number: i64, now: Timestamp) -> bool {
        let run = self.runs.get(&number);
        let is_over = run.is_some_and(|run| run.status.is_finished());
        is_over && self.tell_end(number, now)
    }

    /// Tells the end of a run that has a parent; whether somebody waits for it.
    pub(super) fn tell_end(&mut self, number: i64, now: Timestamp) -> bool {
        let Some(run) = self.runs.get(&number).filter(|run| run.parent.is_some()) else {
            return false;
        };
        let status = run.status.is_finished().then_some(run.status);
        let said = ended(status, run.result.as_deref().filter(|_| status.is_some()));
        let run_id = Arc::clone(&run.id);
        self.tell(&run_id, said, now)
    }

    fn tell(&mut self, run_id: &Arc<str>, said: Vec<u8>, now: Timestamp) -> bool {
        let id = format!("{ENDED}:{run_id}:{}", new_id());
        let event = NewEvent::new(id, ENDED, said, now).with_correlation_key(Arc::clone(run_id));
        let published = self.publish_one(event, now, None);
        let told = self.told.entry(Arc::clone(run_id)).or_default();
        told.push(Arc::clone(&published.event_id));
        self.arrive(&published.event_id, now)
    }

    /// Takes back what was told of the end of a run, which goes on.
    pub(super) fn untell_end(&mut self, run_id: &str) {
        for event in self.told.remove(run_id).unwrap_or_default() {
            self.remove_event(&event);
        }
    }

    /// Cancels the runs that end with this one; whether somebody waits for one of them.
    pub(super) fn cancel_attached(&mut self, number: i64, now: Timestamp) -> bool {
        let Some(run) = self.runs.get(&number) else {
            return false;
        };
        let has_stopped = matches!(run.status, RunStatus::Failed | RunStatus::Cancelled);
        if !has_stopped && run.undoing.is_none() {
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
    pub(super) fn cancel_number(&mut self, number: i64, now: Timestamp) -> bool {
        let goes_on = self.runs.get(&number).is_some_and(Run::may_be_cancelled);
        if goes_on {
            self.finish(number, RunStatus::Cancelled, now);
        }
        goes_on
    }
}
