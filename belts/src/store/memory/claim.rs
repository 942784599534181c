//! Which runs a worker gets, in memory.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use super::tables::{Run, Tables};
use crate::{
    error::Result,
    store::{
        Claim, Claimed, ClaimedRun, FunctionCapacity, Timestamp, UnknownType, WorkerId,
        parts::{Budget, MAX_UNKNOWN_FUNCTIONS},
    },
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
        let next_due = capacity
            .functions
            .iter()
            .filter_map(|function| self.next_due(function))
            .min();
        Ok(Claimed {
            runs,
            next_due,
            unknown_functions: self.unknown_functions(request),
            unknown_types: self.unknown_types(request),
            set_aside: Vec::new(),
        })
    }

    fn next_due(&self, capacity: &FunctionCapacity) -> Option<Timestamp> {
        let function = &self.functions[*self.function_ids.get(&capacity.function_id)?];
        let read = function
            .due
            .iter()
            .filter(|(event_type, _)| capacity.reads(event_type));
        read.filter_map(|(_, runs)| runs.first())
            .map(|(due_at, _)| *due_at)
            .min()
    }

    fn unknown_functions(&self, request: &Claim) -> Vec<Arc<str>> {
        let named = |id: &Arc<str>| {
            let mut functions = request.capacity.functions.iter();
            functions.any(|function| function.function_id == *id)
        };
        self.functions
            .iter()
            .filter(|function| {
                !named(&function.id) && !function.due(request.now, 1, |_| true).is_empty()
            })
            .map(|function| Arc::clone(&function.id))
            .take(MAX_UNKNOWN_FUNCTIONS)
            .collect()
    }

    fn unknown_types(&self, request: &Claim) -> Vec<UnknownType> {
        let mut unknown = Vec::new();
        for capacity in request.capacity.functions.iter() {
            let Some(number) = self.function_ids.get(&capacity.function_id) else {
                continue;
            };
            let due = self.functions[*number].due.iter();
            let unread = due.filter(|(event_type, runs)| {
                !capacity.reads(event_type)
                    && runs
                        .first()
                        .is_some_and(|(due_at, _)| *due_at <= request.now)
            });
            unknown.extend(unread.map(|(event_type, _)| {
                UnknownType::new(Arc::clone(&capacity.function_id), Arc::clone(event_type))
            }));
        }
        unknown.truncate(MAX_UNKNOWN_FUNCTIONS);
        unknown
    }

    fn choose_named(&self, run_id: &Arc<str>, request: &Claim) -> Option<i64> {
        let number = *self.run_ids.get(run_id)?;
        let run = self.runs.get(&number)?;
        let driven = run.worker.is_some();
        let function = &self.functions[run.function].id;
        let free = Budget::new(&request.capacity).take(function, &run.event.event_type);
        (free && !driven && !run.status.is_finished()).then_some(number)
    }

    /// The functions take turns, each with the run that is due the longest; within a turn the longest due goes first.
    fn choose_due(&self, request: &Claim) -> Vec<i64> {
        let capacity = &request.capacity;
        let mut turns = BinaryHeap::new();
        for function in capacity.functions.iter() {
            if let Some(number) = self.function_ids.get(&function.function_id) {
                let most = function.limit.min(capacity.limit);
                let due = self.functions[*number]
                    .due(request.now, most, |event_type| function.reads(event_type));
                turns.extend(due.into_iter().enumerate().map(Reverse));
            }
        }
        let mut chosen = Vec::new();
        let mut bytes = 0;
        while chosen.len() < capacity.limit
            && let Some(Reverse((_, (due_at, number)))) = turns.pop()
        {
            bytes += self.runs[&number].bytes();
            if bytes > request.max_bytes && !chosen.is_empty() {
                break;
            }
            chosen.push((due_at, number));
        }
        chosen.sort_unstable();
        chosen.into_iter().map(|(_, number)| number).collect()
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
            crashes: run.crashes.consecutive(run.progress()),
            journal: run.journal.clone(),
        })
    }
}

impl Run {
    /// How large it is in a claim, nearly.
    fn bytes(&self) -> usize {
        let entries = self.journal.iter();
        let journal: usize = entries
            .map(|entry| entry.path.len() + entry.value.len())
            .sum();
        self.event.payload.len() + journal
    }
}
