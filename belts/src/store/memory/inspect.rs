//! Looking at runs in memory, and what people do to them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    awaits::Horizons,
    lanes::EventRow,
    tables::{Run, Tables},
};
use crate::{
    error::{Error, Result},
    store::{
        EndedLately, Entry, FunctionRecord, Note, Purged, Rerun, RunFilter, RunPage, RunRecord,
        RunStatus, StepState, Timestamp, WorkerId, parts::Crashes,
    },
};

impl Tables {
    pub(super) fn record(&self, run_id: &str) -> Option<RunRecord> {
        let number = self.run_ids.get(run_id)?;
        let run = self.runs.get(number)?;
        Some(self.record_of(run).with_in_line(self.in_line(run)))
    }

    pub(super) fn journal(&self, run_id: &str) -> Vec<Entry> {
        let run = self
            .run_ids
            .get(run_id)
            .and_then(|number| self.runs.get(number));
        run.map(|run| run.journal.clone()).unwrap_or_default()
    }

    pub(super) fn list(&self, filter: &RunFilter) -> Result<RunPage> {
        let limit = filter.page_size();
        let below = filter.mark()?.unwrap_or(i64::MAX);
        let passes = |run: &Run| {
            filter
                .function_id
                .as_ref()
                .is_none_or(|id| *id == self.functions[run.function].id)
                && filter
                    .event_id
                    .as_ref()
                    .is_none_or(|id| *id == run.event.id)
                && filter.includes_time(run.finished_at.unwrap_or(run.event.sight.published_at))
                && filter
                    .due_by
                    .is_none_or(|time| run.due_at.is_some_and(|due_at| due_at <= time))
                && filter.tags.iter().all(|tag| run.tags.contains(tag))
                && (filter.statuses.is_empty() || filter.statuses.contains(&run.shown_status()))
        };
        let candidates: Box<dyn Iterator<Item = (&i64, &Run)>> = match &filter.parent {
            None => Box::new(self.runs.range(..below).rev()),
            Some(id) => {
                let started = self.started.get(id).into_iter();
                let started = started.flat_map(|started| started.range(..below).rev());
                Box::new(started.filter_map(|number| self.runs.get_key_value(number)))
            }
        };
        let looks = if filter.looks == 0 {
            usize::MAX
        } else {
            filter.looks
        };
        let mut page = RunPage::default();
        let mut last = None;
        for (looked, (number, run)) in candidates.enumerate() {
            if looked == looks {
                page.next = last;
                break;
            }
            if passes(run) {
                if page.runs.len() == limit {
                    page.next = last;
                    break;
                }
                page.runs.push(self.record_of(run).listed());
            }
            last = Some(number.to_string());
        }
        Ok(page)
    }

    /// How many runs ended lately.
    pub(super) fn ended(&self, since: Timestamp, most: usize) -> EndedLately {
        let ends = self.runs.values().filter_map(|run| {
            let at = run.finished_at.filter(|at| *at >= since)?;
            Some((&self.functions[run.function].id, run.shown_status(), at))
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by_key(|(_, _, at)| std::cmp::Reverse(*at));
        EndedLately::count(since, most, ends)
    }

    pub(super) fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Vec<usize> {
        let count = |id: &Arc<str>| {
            if self.paused.contains_key(id) {
                return None;
            }
            let number = self.function_ids.get(id)?;
            Some(self.functions[*number].due(now, most, |_| true).len())
        };
        functions.iter().map(|id| count(id).unwrap_or(0)).collect()
    }

    pub(super) fn cancel(&mut self, run_id: &str, now: Timestamp) -> bool {
        let Some(number) = self.run_ids.get(run_id).copied() else {
            return false;
        };
        self.cancel_number(number, now)
    }

    pub(super) fn rerun(&mut self, request: &Rerun) -> bool {
        let Rerun {
            run_id,
            from,
            reopen,
            undone,
            now,
        } = request;
        let Some(number) = self.run_ids.get(run_id).copied() else {
            return false;
        };
        let Some(run) = self.runs.get_mut(&number) else {
            return false;
        };
        if !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
            return false;
        }
        for entry in &mut run.journal {
            if reopen.contains(&entry.seq) {
                entry.state = StepState::Waiting;
                entry.value = Arc::default();
                (entry.due_at, entry.finished_at) = (None, None);
            }
        }
        run.journal.retain(|entry| {
            entry.state != StepState::Failed
                && from.is_none_or(|from| entry.seq < from)
                && !undone.contains(&entry.seq)
        });
        let has_parent = run.parent.is_some();
        run.failed_attempts = 0;
        run.generation += u32::from(request.begins_generation());
        run.result = None;
        run.crashes = Crashes::default();
        run.deadlines = run.deadlines.map(|deadlines| deadlines.again(*now));
        let status = if run.started_at.is_some() {
            RunStatus::Suspended
        } else {
            RunStatus::Pending
        };
        if has_parent {
            self.untell_end(run_id);
        }
        self.enqueue(number, status, *now);
        self.keep_time(number);
        self.open_waits(number, *now);
        true
    }

    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> Purged {
        let old: Vec<(i64, Arc<str>)> = self
            .finished
            .iter()
            .take_while(|(finished_at, _)| *finished_at < before)
            .take(limit)
            .map(|(_, number)| (*number, Arc::clone(&self.runs[number].event.id)))
            .collect();
        self.drop_unawaited();
        let horizons = self.horizons();
        for (number, event_id) in &old {
            self.remove(*number);
            let is_free = |event: &EventRow| {
                event.runs.is_empty() && !self.is_looked_back_to(&event.data, &horizons)
            };
            if self.events.get(event_id).is_some_and(is_free) {
                self.remove_event(event_id);
            }
        }
        self.purge_kept(before);
        self.tidy_lines(before);
        let idle = self.purge_idle(before, limit, &horizons);
        let left = self.finished.first();
        Purged::new(old.len())
            .with_events(idle)
            .with_more(left.is_some_and(|(finished_at, _)| *finished_at < before) || idle == limit)
    }

    /// Removes events that no run needs. They are kept as long as finished runs, so that their ids stay known.
    fn purge_idle(&mut self, before: Timestamp, limit: usize, horizons: &Horizons) -> usize {
        let idle: Vec<Arc<str>> = self
            .events
            .values()
            .filter(|event| event.runs.is_empty() && event.data.sight.published_at < before)
            .filter(|event| !self.is_looked_back_to(&event.data, horizons))
            .take(limit)
            .map(|event| Arc::clone(&event.data.id))
            .collect();
        for event in &idle {
            self.remove_event(event);
        }
        idle.len()
    }

    pub(super) fn function_records(&self, now: Timestamp, most: usize) -> Vec<FunctionRecord> {
        let living = self.living_functions(now);
        let mut unfinished = vec![0; self.functions.len()];
        for run in self.runs.values().filter(|run| !run.status.is_finished()) {
            unfinished[run.function] += 1;
        }
        let mut records: BTreeMap<Arc<str>, FunctionRecord> = BTreeMap::new();
        let mut record = |id: &Arc<str>, event_types: &[Arc<str>], unfinished| {
            let record = records.entry(Arc::clone(id)).or_insert_with(|| {
                FunctionRecord::new(Arc::clone(id))
                    .with_living(living.contains(id))
                    .with_paused_at(self.paused.get(id).copied())
            });
            record.event_types.extend_from_slice(event_types);
            record.unfinished += unfinished;
        };
        for subscription in &self.subscriptions {
            record(&subscription.function_id, &subscription.event_types, 0);
        }
        for id in &living {
            record(id, &[], 0);
        }
        for (function, unfinished) in self.functions.iter().zip(unfinished) {
            if unfinished > 0 {
                record(&function.id, &[], unfinished.min(most));
            }
        }
        for id in self.paused.keys() {
            record(id, &[], 0);
        }
        records.into_values().collect()
    }

    /// Pauses a function; whether it was not paused before.
    pub(super) fn pause(&mut self, function: &str, now: Timestamp) -> bool {
        if self.paused.contains_key(function) {
            return false;
        }
        self.paused.insert(function.into(), now);
        true
    }

    pub(super) fn forget(
        &mut self,
        function: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Purged> {
        if self.living_functions(now).contains(function) {
            return Err(Error::function_in_use(function));
        }
        // They are silent. Whoever comes back registers again, and wants it again.
        let having = self.sessions.iter().filter(|(_, session)| {
            let mut wanted = session.wants.subscriptions.iter();
            wanted.any(|subscription| *subscription.function_id == *function)
        });
        let having: Vec<WorkerId> = having.map(|(worker, _)| *worker).collect();
        for worker in having {
            self.replace_session(worker, now);
        }
        self.forget_wants(function, now);
        self.paused.remove(function);
        self.limits.remove(function);
        self.cancel_handled.remove(function);
        let unfinished = self.runs.iter().filter(|(_, run)| {
            !run.status.is_finished() && *self.functions[run.function].id == *function
        });
        let numbers: Vec<i64> = unfinished
            .map(|(number, _)| *number)
            .take(limit + 1)
            .collect();
        for number in numbers.iter().take(limit) {
            // Nobody has its code, to undo anything.
            self.end(*number, RunStatus::Cancelled, now);
        }
        Ok(Purged::new(numbers.len().min(limit)).with_more(numbers.len() > limit))
    }

    pub(super) fn note(&mut self, run_id: &str, note: Note) -> bool {
        let Some(number) = self.run_ids.get(run_id) else {
            return false;
        };
        let Some(run) = self.runs.get_mut(number) else {
            return false;
        };
        run.notes.push(note);
        let surplus = run.notes.len().saturating_sub(Note::MOST);
        run.notes.drain(..surplus);
        true
    }

    fn record_of(&self, run: &Run) -> RunRecord {
        let event = (
            Arc::clone(&run.event.id),
            Arc::clone(&run.event.event_type),
            Arc::clone(&run.event.payload),
        );
        let function_id = Arc::clone(&self.functions[run.function].id);
        let mut record = RunRecord::new(
            Arc::clone(&run.id),
            function_id,
            event,
            run.shown_status(),
            run.event.sight.published_at,
        );
        record.failed_attempts = run.failed_attempts;
        record.result.clone_from(&run.result);
        record.started_at = run.started_at;
        record.finished_at = run.finished_at;
        record.due_at = run.due_at;
        record.start_by = run.deadlines.and_then(|deadlines| deadlines.start_by);
        let finish_by = run.deadlines.and_then(|deadlines| deadlines.finish_by);
        record.finish_by = finish_by.filter(|_| run.undoing.is_none());
        record.parent.clone_from(&run.parent);
        record.mark.clone_from(&run.mark);
        record.tags = run.tags.iter().cloned().collect();
        record.notes.clone_from(&run.notes);
        record.build.clone_from(&run.build);
        record
    }
}
