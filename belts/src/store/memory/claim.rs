//! Which runs a worker gets, in memory.

use std::{cmp::Reverse, collections::BinaryHeap, iter::Peekable, sync::Arc, vec::IntoIter};

use super::{
    lines::Places,
    tables::{Run, Tables},
};
use crate::{
    error::Result,
    store::{
        Claim, Claimed, ClaimedRun, FunctionCapacity, Timestamp, UnknownType, WorkerId,
        parts::{Budget, MAX_UNKNOWN_FUNCTIONS},
    },
};

/// A function, how many runs of it may be taken, and those that are due.
type Queue<'a> = (
    &'a FunctionCapacity,
    usize,
    Peekable<IntoIter<(Timestamp, i64)>>,
);

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
        for function in capacity.functions.iter() {
            self.hear_of_limits(function);
        }
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
            .filter_map(|function| self.next_due(function, now))
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

    fn next_due(&self, capacity: &FunctionCapacity, now: Timestamp) -> Option<Timestamp> {
        if self.paused.contains_key(&capacity.function_id) {
            return None;
        }
        let number = *self.function_ids.get(&capacity.function_id)?;
        if capacity.lanes.is_some() {
            return self.next_in_lines(capacity, number, now);
        }
        let function = &self.functions[number];
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
        let mut functions = request.capacity.functions.iter();
        let capacity = functions.find(|asked| asked.function_id == *function)?;
        let has_place = !run.counts() || Places::of(self).have_room(run, capacity);
        (free && !driven && !over && has_place && !run.status.is_finished()).then_some(number)
    }

    /// The functions take turns, each with the run that is due the longest; within a turn the longest due goes first. And how much
    /// more may come with these.
    fn choose_due(&self, request: &Claim) -> (Vec<i64>, usize) {
        let capacity = &request.capacity;
        let has_lanes = capacity.functions.iter().any(|it| it.lanes.is_some());
        let mut places = has_lanes.then(|| Places::of(self));
        let mut queues: Vec<Queue<'_>> = Vec::new();
        for function in capacity.functions.iter() {
            if let Some(number) = self.function_ids.get(&function.function_id)
                && !self.paused.contains_key(&function.function_id)
            {
                let most = function.limit.min(capacity.limit);
                let due = if function.lanes.is_some() {
                    self.due_in_lines(function, *number, request.now)
                } else {
                    self.functions[*number]
                        .due(request.now, most, |event_type| function.reads(event_type))
                };
                queues.push((function, most, due.into_iter().peekable()));
            }
        }
        let mut turns = BinaryHeap::new();
        for (index, (_, most, due)) in queues.iter_mut().enumerate() {
            turns.extend(
                due.peek()
                    .filter(|_| *most > 0)
                    .map(|run| Reverse((0, *run, index))),
            );
        }
        let mut chosen = Vec::new();
        let mut left = request.max_bytes;
        while chosen.len() < capacity.limit
            && let Some(Reverse((mut turn, (due_at, number), index))) = turns.pop()
        {
            let run = &self.runs[&number];
            let (function, most, due) = &mut queues[index];
            let mut full = false;
            if let Some(places) = places.as_mut().filter(|_| function.lanes.is_some()) {
                full = !places.have_room(run, function);
            }
            if !full && !run.is_over(request.now) {
                let bytes = self.bytes(number);
                if bytes > left && !chosen.is_empty() {
                    break;
                }
                left = left.saturating_sub(bytes);
                chosen.push((due_at, number));
                if let Some(places) = &mut places {
                    places.take(run);
                }
            }
            // Whoever is not taken for want of a place has had no turn.
            turn += usize::from(!full);
            due.next();
            turns.extend(
                due.peek()
                    .filter(|_| turn < *most)
                    .map(|run| Reverse((turn, *run, index))),
            );
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
        self.serve(number, now);
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
