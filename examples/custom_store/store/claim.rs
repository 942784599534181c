//! Which runs a worker gets.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use belts::{
    Timestamp,
    store::{
        Claim, Claimed, ClaimedRun, FunctionCapacity, Lease, Undoing, UnknownType,
        parts::{Budget, MAX_UNKNOWN_FUNCTIONS, progress},
    },
};
use redb::ReadableTable as _;

use super::{fault::Fault, rows::Run, tables::Tables};

impl Tables<'_> {
    pub(crate) fn claim(&mut self, request: &Claim) -> Result<Claimed, Fault> {
        self.revive(request.capacity.worker, request.now)?;
        self.release_expired(request.now)?;
        let mut claimed = Claimed::default();
        match &request.only {
            Some(run_id) => self.take_named(run_id, request, &mut claimed)?,
            None => self.take_due(request, &mut claimed)?,
        }
        let mut next_due = None;
        for function in request.capacity.functions.iter() {
            next_due = [next_due, self.next_due(function)?]
                .into_iter()
                .flatten()
                .min();
        }
        claimed.next_due = next_due;
        self.name_unknown(request, &mut claimed)?;
        Ok(claimed)
    }

    fn take_named(
        &mut self,
        run_id: &str,
        request: &Claim,
        claimed: &mut Claimed,
    ) -> Result<(), Fault> {
        let Some((number, run)) = self.run_named(run_id)? else {
            return Ok(());
        };
        if self.is_paused(&run.function_id)? {
            return Ok(());
        }
        let able = Budget::new(&request.capacity).take(&run.function_id, &run.event_type);
        if able && run.worker.is_none() && !run.status.is_finished() && !run.is_over(request.now) {
            // One run at least, however large it is.
            let mut room = request.max_bytes;
            self.take(number, run, request, &mut room, claimed)?;
        }
        Ok(())
    }

    /// The functions take turns, each with the run that is due the longest; within a turn the longest due goes first.
    fn take_due(&mut self, request: &Claim, claimed: &mut Claimed) -> Result<(), Fault> {
        let capacity = &request.capacity;
        let mut turns = BinaryHeap::new();
        for function in capacity.functions.iter() {
            let most = function.limit.min(capacity.limit);
            let due = self.due_runs(&function.function_id, request.now, most, |event_type| {
                function.reads(event_type)
            })?;
            turns.extend(due.into_iter().enumerate().map(Reverse));
        }
        let mut room = request.max_bytes;
        let mut order = Vec::new();
        while claimed.runs.len() < capacity.limit
            && let Some(Reverse((_, (due_at, number)))) = turns.pop()
        {
            let run = match self.run(number) {
                Ok(Some(run)) if run.is_over(request.now) => continue,
                Ok(Some(run)) if run.due_at == Some(Timestamp::from_millis(due_at)) => run,
                Err(Fault::Row(error)) => {
                    let aside = self.set_aside_row(number, due_at, &error, request.now)?;
                    claimed.set_aside.extend(aside);
                    continue;
                }
                Err(fault) => return Err(fault),
                // It was put off while its row could not be read, and since then somebody could.
                Ok(_) => {
                    self.remove_due(number, due_at)?;
                    continue;
                }
            };
            let before = claimed.runs.len();
            if !self.take(number, run, request, &mut room, claimed)? {
                break;
            }
            order.extend((claimed.runs.len() > before).then_some((due_at, number)));
        }
        let mut runs: Vec<_> = order.into_iter().zip(claimed.runs.drain(..)).collect();
        runs.sort_by_key(|(due, _)| *due);
        claimed.runs = runs.into_iter().map(|(_, run)| run).collect();
        Ok(())
    }

    /// Leases a run, if there is room for it, or sets it aside.
    fn take(
        &mut self,
        number: i64,
        mut run: Run,
        request: &Claim,
        room: &mut usize,
        claimed: &mut Claimed,
    ) -> Result<bool, Fault> {
        let journal = match self.journal(number) {
            Ok(journal) => journal,
            Err(Fault::Row(error)) => {
                let aside = self.set_aside_journal(number, run, &error, request.now)?;
                claimed.set_aside.push(aside);
                return Ok(true);
            }
            Err(fault) => return Err(fault),
        };
        let payload = self.payload(&run.event_id)?;
        let entries = journal.iter();
        let bytes: usize = entries
            .map(|entry| entry.path.len() + entry.value.len())
            .sum();
        let bytes = bytes + payload.len();
        if bytes > *room && !claimed.runs.is_empty() {
            return Ok(false);
        }
        *room = room.saturating_sub(bytes);
        let (worker, now) = (request.capacity.worker, request.now);
        run.lease(worker, self.build_of(worker)?, now);
        let undoing = match run.undoing {
            Some(status) => Some(Undoing::new(status, self.result(number)?)),
            None => None,
        };
        self.put_run(number, &run)?;
        let crashes = run
            .crashes
            .consecutive(progress(run.failed_attempts, &journal));
        let event = self.event(&run.event_id)?;
        let mut taken = ClaimedRun::new(
            Lease::new(number, worker, run.token),
            run.id,
            run.function_id,
            (run.event_id, run.event_type, payload),
            run.started_at.unwrap_or(now),
        )
        .with_failed_attempts(run.failed_attempts)
        .with_retries(run.retries)
        .with_crashes(crashes)
        .with_undoing(undoing)
        .with_journal(journal);
        taken.traceparent = event.and_then(|event| event.traceparent);
        claimed.runs.push(taken);
        Ok(true)
    }

    /// The runs of a function that are due, of the event types that pass, the longest due first and no more than `most`; none while it
    /// is paused.
    pub(crate) fn due_runs(
        &self,
        function: &str,
        now: Timestamp,
        most: usize,
        passes: impl Fn(&str) -> bool,
    ) -> Result<Vec<(i64, i64)>, Fault> {
        let mut due = Vec::new();
        if self.is_paused(function)? {
            return Ok(due);
        }
        for event_type in self.waiting_types(function)? {
            if passes(&event_type) {
                let first = (function, &*event_type, i64::MIN, i64::MIN);
                let last = (function, &*event_type, now.as_millis(), i64::MAX);
                for row in self.due.range(first..=last)?.take(most) {
                    let (_, _, due_at, number) = row?.0.value();
                    due.push((due_at, number));
                }
            }
        }
        due.sort_unstable();
        due.truncate(most);
        Ok(due)
    }

    fn next_due(&self, capacity: &FunctionCapacity) -> Result<Option<Timestamp>, Fault> {
        let mut next = None;
        if self.is_paused(&capacity.function_id)? {
            return Ok(next);
        }
        for event_type in self.waiting_types(&capacity.function_id)? {
            if capacity.reads(&event_type) {
                let first = self.first_due(&capacity.function_id, &event_type)?;
                next = [next, first].into_iter().flatten().min();
            }
        }
        Ok(next)
    }

    fn first_due(&self, function: &str, event_type: &str) -> Result<Option<Timestamp>, Fault> {
        let first = (function, event_type, i64::MIN, i64::MIN);
        let last = (function, event_type, i64::MAX, i64::MAX);
        let row = self.due.range(first..=last)?.next().transpose()?;
        Ok(row.map(|(key, _)| Timestamp::from_millis(key.value().2)))
    }

    /// Names due runs that the worker does not know what to do with, so that it can warn.
    fn name_unknown(&self, request: &Claim, claimed: &mut Claimed) -> Result<(), Fault> {
        for function in self.waiting_functions()? {
            if self.is_paused(&function)? {
                continue;
            }
            let known = request
                .capacity
                .functions
                .iter()
                .find(|known| *known.function_id == *function);
            let due = |event_type: &str| -> Result<bool, Fault> {
                let first = self.first_due(&function, event_type)?;
                Ok(first.is_some_and(|due_at| due_at <= request.now))
            };
            for event_type in self.waiting_types(&function)? {
                match known {
                    Some(known) if !known.reads(&event_type) && due(&event_type)? => claimed
                        .unknown_types
                        .push(UnknownType::new(Arc::clone(&function), event_type)),
                    None if due(&event_type)? => {
                        claimed.unknown_functions.push(Arc::clone(&function));
                        break;
                    }
                    _ => {}
                }
            }
        }
        claimed.unknown_functions.truncate(MAX_UNKNOWN_FUNCTIONS);
        claimed.unknown_types.truncate(MAX_UNKNOWN_FUNCTIONS);
        Ok(())
    }

    /// The functions with runs that wait. One step in the index for each, however many runs it has.
    pub(crate) fn waiting_functions(&self) -> Result<Vec<Arc<str>>, Fault> {
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut from = String::new();
        while let Some(row) = self.due.range((&*from, "", i64::MIN, i64::MIN)..)?.next() {
            let function = Arc::from(row?.0.value().0);
            from = after(&function);
            found.push(function);
        }
        Ok(found)
    }

    /// The event types of the runs of a function that wait.
    pub(crate) fn waiting_types(&self, function: &str) -> Result<Vec<Arc<str>>, Fault> {
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut from = String::new();
        while let Some(row) = self
            .due
            .range((function, &*from, i64::MIN, i64::MIN)..)?
            .next()
        {
            let (key, _) = row?;
            let (of, event_type, ..) = key.value();
            if of != function {
                break;
            }
            from = after(event_type);
            found.push(event_type.into());
        }
        Ok(found)
    }
}

/// The text that comes next after this one.
fn after(text: &str) -> String {
    format!("{text}\0")
}
