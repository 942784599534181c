//! Which runs a worker gets, in memory.

use std::sync::Arc;

use super::tables::Tables;
use crate::{
    error::Result,
    store::{Budget, Claim, Claimed, ClaimedRun, MAX_UNKNOWN_FUNCTIONS, Timestamp, WorkerId},
};

impl Tables {
    pub(super) fn claim(&mut self, request: &Claim) -> Result<Claimed> {
        let (capacity, now) = (&request.capacity, request.now);
        self.revive(capacity.worker, now)?;
        self.release_expired(now);
        let numbers = match &request.only {
            Some(run_id) => self.choose_named(run_id, request).into_iter().collect(),
            None => self.choose_due(request),
        };
        let runs = numbers
            .into_iter()
            .filter_map(|number| self.claim_one(number, capacity.worker, now))
            .collect();
        let named = |id: &Arc<str>| {
            capacity
                .functions
                .iter()
                .any(|function| function.function_id == *id)
        };
        let next_due = capacity
            .functions
            .iter()
            .filter_map(|function| self.function_ids.get(&function.function_id))
            .filter_map(|function| self.functions[*function].due.first())
            .map(|(due_at, _)| *due_at)
            .min();
        let unknown_functions = self
            .functions
            .iter()
            .filter(|function| {
                function
                    .due
                    .first()
                    .is_some_and(|(due_at, _)| *due_at <= now)
                    && !named(&function.id)
            })
            .map(|function| Arc::clone(&function.id))
            .take(MAX_UNKNOWN_FUNCTIONS)
            .collect();
        Ok(Claimed {
            runs,
            next_due,
            unknown_functions,
        })
    }

    fn choose_named(&self, run_id: &Arc<str>, request: &Claim) -> Option<i64> {
        let number = *self.run_ids.get(run_id)?;
        let run = self.runs.get(&number)?;
        let driven = run.worker.is_some();
        let free = Budget::new(&request.capacity).take(&self.functions[run.function].id);
        (free && !driven && !run.status.is_finished()).then_some(number)
    }

    fn choose_due(&self, request: &Claim) -> Vec<i64> {
        let capacity = &request.capacity;
        let mut due: Vec<(Timestamp, i64)> = Vec::new();
        for function in capacity.functions.iter() {
            if let Some(number) = self.function_ids.get(&function.function_id) {
                let ready = self.functions[*number]
                    .due
                    .iter()
                    .take_while(|(due_at, _)| *due_at <= request.now);
                due.extend(ready.take(function.limit.min(capacity.limit)));
            }
        }
        due.sort_unstable();
        due.truncate(capacity.limit);
        due.into_iter().map(|(_, number)| number).collect()
    }

    fn claim_one(&mut self, number: i64, worker: WorkerId, now: Timestamp) -> Option<ClaimedRun> {
        let lease = self.lease(number, worker, now)?;
        let run = &self.runs[&number];
        Some(ClaimedRun {
            lease,
            run_id: Arc::clone(&run.id),
            function_id: Arc::clone(&self.functions[run.function].id),
            event_id: Arc::clone(&run.event.id),
            event_type: Arc::clone(&run.event.event_type),
            payload: Arc::clone(&run.event.payload),
            failed_attempts: run.failed_attempts,
            retries: run.retries,
            traceparent: run.event.traceparent.clone(),
            started_at: run.started_at.unwrap_or(now),
            journal: run.journal.clone(),
        })
    }
}
