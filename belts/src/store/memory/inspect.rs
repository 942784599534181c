//! Looking at runs in memory, and what people do to them.

use std::sync::Arc;

use super::tables::{Run, Tables};
use crate::{
    error::Result,
    store::{
        Entry, RunFilter, RunPage, RunRecord, RunStatus, StepState, Timestamp, page_limit,
        page_mark,
    },
};

impl Tables {
    pub(super) fn record(&self, run_id: &str) -> Option<RunRecord> {
        let number = self.run_ids.get(run_id)?;
        Some(self.record_of(self.runs.get(number)?))
    }

    pub(super) fn journal(&self, run_id: &str) -> Vec<Entry> {
        let run = self
            .run_ids
            .get(run_id)
            .and_then(|number| self.runs.get(number));
        run.map(|run| run.journal.clone()).unwrap_or_default()
    }

    pub(super) fn list(&self, filter: &RunFilter) -> Result<RunPage> {
        let limit = page_limit(filter);
        let below = page_mark(filter)?.unwrap_or(i64::MAX);
        let passes = |run: &Run| {
            filter
                .function_id
                .as_ref()
                .is_none_or(|id| *id == self.functions[run.function].id)
                && filter
                    .event_id
                    .as_ref()
                    .is_none_or(|id| *id == run.event.id)
                && filter.includes(run.finished_at.unwrap_or(run.event.published_at))
                && (filter.statuses.is_empty() || filter.statuses.contains(&run.status))
        };
        let mut found = self
            .runs
            .range(..below)
            .rev()
            .filter(|(_, run)| passes(run));
        let mut page = RunPage::default();
        let mut last = None;
        for (number, run) in found.by_ref().take(limit) {
            page.runs.push(self.record_of(run));
            last = Some(*number);
        }
        if found.next().is_some() {
            page.next = last.map(|number| number.to_string());
        }
        Ok(page)
    }

    pub(super) fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Vec<usize> {
        let count = |id| {
            let number = self.function_ids.get(id)?;
            let due = self.functions[*number].due.iter();
            Some(
                due.take_while(|(due_at, _)| *due_at <= now)
                    .take(most)
                    .count(),
            )
        };
        functions.iter().map(|id| count(id).unwrap_or(0)).collect()
    }

    pub(super) fn cancel(&mut self, run_id: &str, now: Timestamp) -> bool {
        let Some(number) = self.run_ids.get(run_id).copied() else {
            return false;
        };
        if self.runs[&number].status.is_finished() {
            return false;
        }
        self.finish(number, RunStatus::Cancelled, now);
        true
    }

    pub(super) fn rerun(&mut self, run_id: &str, from: Option<u32>, now: Timestamp) -> bool {
        let Some(number) = self.run_ids.get(run_id).copied() else {
            return false;
        };
        let Some(run) = self.runs.get_mut(&number) else {
            return false;
        };
        if !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
            return false;
        }
        run.journal.retain(|entry| {
            entry.state != StepState::Failed && from.is_none_or(|from| entry.seq < from)
        });
        run.failed_attempts = 0;
        run.result = None;
        let status = if run.started_at.is_some() {
            RunStatus::Suspended
        } else {
            RunStatus::Pending
        };
        self.enqueue(number, status, now);
        true
    }

    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let old: Vec<(i64, Arc<str>)> = self
            .finished
            .iter()
            .take_while(|(finished_at, _)| *finished_at < before)
            .take(limit)
            .map(|(_, number)| (*number, Arc::clone(&self.runs[number].event.id)))
            .collect();
        for (number, event_id) in &old {
            self.remove(*number);
            if self
                .events
                .get(event_id)
                .is_some_and(|event| event.runs.is_empty())
            {
                self.events.remove(event_id);
            }
        }
        // Events that started nothing are kept as long, so that their ids stay known.
        self.events
            .retain(|_, event| !event.runs.is_empty() || event.data.published_at >= before);
        old.len()
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
            run.status,
            run.event.published_at,
        );
        record.failed_attempts = run.failed_attempts;
        record.result.clone_from(&run.result);
        record.started_at = run.started_at;
        record.finished_at = run.finished_at;
        record.due_at = run.due_at;
        record
    }
}
