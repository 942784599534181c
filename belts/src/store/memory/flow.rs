//! Flow options in memory.

use std::{convert::Infallible, sync::Arc};

use super::tables::{Run, Tables};
use crate::store::{
    Flow, Mark, PublishedRun, Route, Routed, Routing, RunStatus, StoredEvent, Timestamp,
    parts::flow::{Kept, Open, Routable, Rows, apply},
};

/// What flow options read and write at a time.
struct Flowing<'a> {
    tables: &'a mut Tables,
    now: Timestamp,
}

impl Tables {
    /// Applies flow options to a claimed run; what became of it, and whether that is anybody's business.
    pub(super) fn route(&mut self, request: &Route) -> (Routed, bool) {
        if !self.holds(&request.lease) {
            return (Routed::LeaseLost, false);
        }
        let number = request.lease.run;
        (self.apply_flow(number, &request.flow, request.now), true)
    }

    /// Applies flow options to a new run.
    pub(super) fn flow_into(
        &mut self,
        number: i64,
        flow: &Flow,
        now: Timestamp,
        published: &mut PublishedRun,
    ) {
        let delayed = self.runs[&number].event.sight.due_at.is_some();
        if delayed && (flow.debounce.is_some() || flow.batch.is_some()) {
            return;
        }
        match self.apply_flow(number, flow, now) {
            Routed::Starts => {}
            routed => {
                if let Routed::Joined { run_id } = &routed {
                    published.run_id = Arc::clone(run_id);
                }
                published.routed = Some(routed);
            }
        }
    }

    fn apply_flow(&mut self, number: i64, flow: &Flow, now: Timestamp) -> Routed {
        let run = &self.runs[&number];
        // By the clock of whoever asks, which is that of its periods, unless it is delayed.
        let at = run.due_at.map_or(now, |due_at| due_at.max(now));
        let routable = Routable {
            number,
            run_id: Arc::clone(&run.id),
            function_id: Arc::clone(&self.functions[run.function].id),
            event: run.event.sight.number,
            routing: run.routing(),
            at,
            is_delayed: at > now,
        };
        let mut rows = Flowing { tables: self, now };
        let Ok(routed) = apply(&mut rows, &routable, flow);
        routed
    }

    /// Lets the next run of a singleton go on, once none of it is left before it.
    pub(super) fn next_single(&mut self, id: &Arc<str>, now: Timestamp) -> bool {
        let numbers = self.singles.get(id).cloned().unwrap_or_default();
        let mut unfinished = numbers.iter().copied().filter(|number| {
            let run = self.runs.get(number);
            run.is_some_and(|run| !run.status.is_finished())
        });
        let Some(next) = unfinished.next() else {
            return false;
        };
        // The first in line is the first of all: those before it have ended.
        let waits = |run: &Run| {
            let is_held = run.worker.is_none() && run.started_at.is_none();
            run.mark == Some(Mark::Queues) && run.due_at.is_none() && is_held
        };
        let goes_on = self.runs.get(&next).is_some_and(waits);
        if goes_on {
            self.enqueue(next, RunStatus::Suspended, now);
        }
        goes_on
    }

    /// Forgets that a run is one of a singleton, and lets the next go on.
    pub(super) fn leave_single(&mut self, number: i64, id: &Arc<str>, now: Timestamp) -> bool {
        if let Some(numbers) = self.singles.get_mut(id) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.singles.remove(id);
            }
        }
        self.next_single(id, now)
    }

    /// The events of a run, in the order of publishing.
    pub(super) fn batch(&self, run_id: &str) -> Vec<StoredEvent> {
        let number = self.run_ids.get(run_id);
        let Some(run) = number.and_then(|number| self.runs.get(number)) else {
            return Vec::new();
        };
        let mut events: Vec<_> = std::iter::once(&run.event).chain(&run.joined).collect();
        events.sort_unstable_by_key(|event| event.sight.number);
        let stored = events.into_iter().map(|event| {
            StoredEvent::new(
                Arc::clone(&event.id),
                Arc::clone(&event.event_type),
                Arc::clone(&event.payload),
            )
            .with_correlation_key(event.key.clone())
        });
        stored.collect()
    }

    /// Forgets keys that say nothing any more.
    pub(super) fn purge_kept(&mut self, before: Timestamp) {
        let (runs, ids) = (&self.runs, &self.run_ids);
        let lives = |id: &Arc<str>| {
            let run = ids.get(id).and_then(|number| runs.get(number));
            run.is_some_and(|run| !run.status.is_finished())
        };
        self.kept
            .retain(|_, kept| kept.until >= before || kept.run_id.as_ref().is_some_and(lives));
    }
}

impl Run {
    pub(super) fn routing(&self) -> Routing {
        self.mark.as_ref().map_or(Routing::Not, Mark::routing)
    }
}

impl Rows for Flowing<'_> {
    type Fault = Infallible;

    fn kept(&mut self, id: &str) -> Result<Option<Kept>, Infallible> {
        Ok(self.tables.kept.get(id).cloned())
    }

    fn keep(&mut self, id: &str, kept: &Kept) -> Result<(), Infallible> {
        self.tables.kept.insert(id.into(), kept.clone());
        Ok(())
    }

    fn open(&mut self, run_id: &str) -> Result<Option<Open>, Infallible> {
        let number = self.tables.run_ids.get(run_id).copied();
        let run = number.and_then(|number| Some((number, self.tables.runs.get(&number)?)));
        let takes_more = |run: &Run| {
            let held = matches!(run.mark, Some(Mark::Debounced | Mark::Batched));
            held && run.started_at.is_none() && run.worker.is_none() && !run.status.is_finished()
        };
        let open = run.map(|(number, run)| Open {
            number,
            event: run.event.sight.number,
            takes_more: takes_more(run),
        });
        Ok(open)
    }

    fn singles(
        &mut self,
        id: &str,
        but: i64,
        all: bool,
    ) -> Result<Vec<(i64, Arc<str>)>, Infallible> {
        let numbers = self.tables.singles.get(id).cloned().unwrap_or_default();
        let runs = numbers.into_iter().filter(|number| *number != but);
        let live = runs.filter_map(|number| {
            let run = self.tables.runs.get(&number)?;
            (!run.status.is_finished()).then(|| (number, Arc::clone(&run.id)))
        });
        let most = if all { usize::MAX } else { 1 };
        Ok(live.take(most).collect())
    }

    fn set_single(&mut self, number: i64, id: &str) -> Result<(), Infallible> {
        let id: Arc<str> = id.into();
        if let Some(run) = self.tables.runs.get_mut(&number) {
            run.single = Some(Arc::clone(&id));
        }
        self.tables.singles.entry(id).or_default().insert(number);
        Ok(())
    }

    fn hold(
        &mut self,
        number: i64,
        mark: &Mark,
        due_at: Option<Timestamp>,
    ) -> Result<(), Infallible> {
        self.tables.drop_time(number);
        if let Some(run) = self.tables.detach(number) {
            run.mark = Some(mark.clone());
            run.started_at = None;
            run.status = if due_at.is_some() {
                RunStatus::Pending
            } else {
                RunStatus::Suspended
            };
        }
        if let Some(due_at) = due_at {
            self.tables.enqueue(number, RunStatus::Pending, due_at);
        }
        self.tables.keep_time(number);
        Ok(())
    }

    fn stand(&mut self, number: i64, flow: &Flow) -> Result<bool, Infallible> {
        Ok(self.tables.stand(number, flow, self.now))
    }

    fn mark(&mut self, number: i64, mark: &Mark) -> Result<(), Infallible> {
        if let Some(run) = self.tables.runs.get_mut(&number) {
            run.mark = Some(mark.clone());
        }
        Ok(())
    }

    fn skip(&mut self, number: i64, mark: &Mark, cause: Arc<[u8]>) -> Result<(), Infallible> {
        if let Some(run) = self.tables.runs.get_mut(&number) {
            run.mark = Some(mark.clone());
            run.result = Some(cause);
            run.started_at = None;
        }
        self.tables.end(number, RunStatus::Cancelled, self.now);
        Ok(())
    }

    fn cancel(&mut self, number: i64) -> Result<(), Infallible> {
        self.tables.cancel_number(number, self.now);
        Ok(())
    }

    fn drop_run(&mut self, number: i64) -> Result<(), Infallible> {
        self.tables.tell_end(number, self.now);
        self.tables.remove(number);
        Ok(())
    }

    fn join(&mut self, open: i64, number: i64) -> Result<(), Infallible> {
        let joining = self.tables.runs.get(&number);
        let Some(event) = joining.map(|run| Arc::clone(&run.event)) else {
            return Ok(());
        };
        if let Some(row) = self.tables.events.get_mut(&event.id) {
            row.runs.push(open);
        }
        if let Some(run) = self.tables.runs.get_mut(&open) {
            run.joined.push(event);
        }
        Ok(())
    }
}
