//! Runs in memory whose time is limited.

use std::sync::Arc;

use super::tables::{Run, Tables};
use crate::store::{
    Expired, Register, RunStatus, Timestamp,
    parts::{Deadlines, limits_since},
};

impl Tables {
    /// Keeps how much time runs of a new session's functions have.
    pub(super) fn limit(&mut self, request: &Register) {
        for wanted in request.wanted() {
            match request.limits_of(&wanted.function_id) {
                Some(limits) => self.limits.insert(wanted.function_id, limits.clone()),
                None => self.limits.remove(&wanted.function_id),
            };
        }
    }

    /// The times of a new run whose event asks for `due_at`, if its function has limits.
    pub(super) fn deadlines(
        &self,
        function: usize,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Option<Deadlines> {
        let limits = self.limits.get(&self.functions[function].id)?;
        let since = limits_since(due_at, now, self.seen);
        Some(Deadlines::new(limits, since))
    }

    /// Lets a run be found when its time is over.
    pub(super) fn keep_time(&mut self, number: i64) {
        if let Some(next) = self.runs.get(&number).and_then(Run::time_is_over_at) {
            self.times.insert((next, number));
        }
    }

    /// The end of [`keep_time`](Self::keep_time), before the run starts, ends or goes.
    pub(super) fn drop_time(&mut self, number: i64) {
        if let Some(next) = self.runs.get(&number).and_then(Run::time_is_over_at) {
            self.times.remove(&(next, number));
        }
    }

    /// Ends runs whose time is over; whether there were any.
    pub(super) fn expire(&mut self, now: Timestamp, most: usize) -> (Expired, bool) {
        let mut ended = Vec::new();
        while ended.len() < most
            && let Some((next, number)) = self.times.first().copied()
            && next <= now
        {
            self.times.pop_first();
            let Some(run) = self.runs.get_mut(&number) else {
                continue;
            };
            let has_started = run.started_at.is_some();
            run.result = run
                .deadlines
                .map(|deadlines| deadlines.cause(has_started, now));
            ended.push(Arc::clone(&run.id));
            self.finish(number, RunStatus::Cancelled, now);
        }
        let any = !ended.is_empty();
        let next = self.times.first().map(|(next, _)| *next);
        (Expired::new(ended).with_next(next, now), any)
    }
}

impl Run {
    fn time_is_over_at(&self) -> Option<Timestamp> {
        // What was decided is not decided again.
        let deadlines = self.deadlines.filter(|_| self.undoing.is_none())?;
        deadlines.next(self.started_at.is_some())
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.time_is_over_at().is_some_and(|next| next <= now)
    }
}
