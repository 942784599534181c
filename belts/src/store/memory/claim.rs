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
    /// Claims; whether runs were made due that others may want.
    pub(super) fn claim(&mut self, request: &Claim) -> (Result<Claimed>, bool) {
        let (capacity, now) = (&request.capacity, request.now);
        if let Err(error) = self.revive(capacity.worker, now) {
            return (Err(error), false);
        }
        self.release_expired(now);
        let arrived = self.show_due(now, now);
        (Ok(self.claimed(request)), arrived)
    }

    fn claimed(&mut self, request: &Claim) -> Claimed {
        let (capacity, now) = (&request.capacity, request.now);
        let (numbers, mut room) = match &request.only {
            Some(run_id) => self.choose_named(run_id, request),
            None => self.choose_due(request),
        };
        let runs = numbers
            .into_iter()
            .filter_map(|number| self.claim_one(number, capacity.worker, now, &mut room))
            .collect();
        let delayed = self.waits.delayed.first_key_value();
        let next_due = capacity
            .functions
            .iter()
            .filter_map(|function| self.next_due(function))
            .chain(delayed.map(|((due_at, _), _)| *due_at))
            .min();
        Claimed {
            runs,
            next_due,
            unknown_functions: self.unknown_functions(request),
            unknown_types: self.unknown_types(request),
            set_aside: Vec::new(),
        }
    }

    fn next_due(&self, capacity: &FunctionCapacity) -> Option<Timestamp> {
        if self.paused.contains_key(&capacity.function_id) {
            return None;
        }
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
                !named(&function.id)
                    && !self.paused.contains_key(&function.id)
                    && !function.due(request.now, 1, |_| true).is_empty()
            })
            .map(|function| Arc::clone(&function.id))
            .take(MAX_UNKNOWN_FUNCTIONS)
            .collect()
    }

    fn unknown_types(&self, request: &Claim) -> Vec<UnknownType> {
        let mut unknown = Vec::new();
        for capacity in request.capacity.functions.iter() {
            if self.paused.contains_key(&capacity.function_id) {
                continue;
            }
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

    /// The run of that name if it can be claimed, and how much more may come with it.
    fn choose_named(&self, run_id: &Arc<str>, request: &Claim) -> (Vec<i64>, usize) {
        let named = self.named(run_id, request);
        let bytes = named.map_or(0, |number| self.bytes(number));
        (
            named.into_iter().collect(),
            request.max_bytes.saturating_sub(bytes),
        )
    }

    fn named(&self, run_id: &Arc<str>, request: &Claim) -> Option<i64> {
        let number = *self.run_ids.get(run_id)?;
        let run = self.runs.get(&number)?;
        let driven = run.worker.is_some();
        let function = &self.functions[run.function].id;
        if self.paused.contains_key(function) {
            return None;
        }
        let free = Budget::new(&request.capacity).take(function, &run.event.event_type);
        let over = run.is_over(request.now);
        (free && !driven && !over && !run.status.is_finished()).then_some(number)
    }

    /// The functions take turns, each with the run that is due the longest; within a turn the longest due goes first. And how much
    /// more may come with these.
    fn choose_due(&self, request: &Claim) -> (Vec<i64>, usize) {
        let capacity = &request.capacity;
        let mut turns = BinaryHeap::new();
        for function in capacity.functions.iter() {
            if self.paused.contains_key(&function.function_id) {
                continue;
            }
            if let Some(number) = self.function_ids.get(&function.function_id) {
                let most = function.limit.min(capacity.limit);
                let due = self.functions[*number]
                    .due(request.now, most, |event_type| function.reads(event_type));
                turns.extend(due.into_iter().enumerate().map(Reverse));
            }
        }
        let mut chosen = Vec::new();
        let mut left = request.max_bytes;
        while chosen.len() < capacity.limit
            && let Some(Reverse((_, (due_at, number)))) = turns.pop()
        {
            if self.runs[&number].is_over(request.now) {
                continue;
            }
            let bytes = self.bytes(number);
            if bytes > left && !chosen.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            chosen.push((due_at, number));
        }
        chosen.sort_unstable();
        (chosen.into_iter().map(|(_, number)| number).collect(), left)
    }

    /// How large a run is in a claim, nearly.
    fn bytes(&self, number: i64) -> usize {
        let run = &self.runs[&number];
        run.bytes() + self.first_arrivals_bytes(run)
    }

    fn claim_one(
        &mut self,
        number: i64,
        worker: WorkerId,
        now: Timestamp,
        room: &mut usize,
    ) -> Option<ClaimedRun> {
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
            parent: run.parent.clone(),
            generation: run.generation,
            routing: run.routing(),
            undoing: run.undoing.clone(),
            journal: run.journal.clone(),
            arrivals: self.arrivals(run, room),
        })
    }
}

impl Run {
    /// How large its event and its journal are.
    fn bytes(&self) -> usize {
        let entries = self.journal.iter();
        let journal: usize = entries
            .map(|entry| entry.path.len() + entry.value.len())
            .sum();
        self.event.payload.len() + journal
    }
}
