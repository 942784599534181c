//! Publishing: the event and the runs that it starts.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::{columns::lossy, error::Fault, rows::status_number, tx::Tx};
use crate::store::{
    Lease, NewEvent, Parent, Publish, PublishedEvent, PublishedRun, RunStatus, Target, Timestamp,
    WorkerId,
    parts::{Budget, Deadlines, due_by, new_id, next_token, shown_by},
};

/// In place of the place of an event that starts a single function.
const NO_PLACE: i64 = -1;

/// In place of the place of a delayed event that gets one when it falls due.
const NOT_YET: i64 = 0;

/// What a new run begins with.
struct NewRun<'a> {
    id: &'a str,
    function: i64,
    event_type: i64,
    event: i64,
    retries: Option<u32>,
    due_at: Timestamp,
    deadlines: Option<Deadlines>,
    parent: Option<&'a Parent>,
}

impl Tx<'_> {
    pub(super) fn publish(&mut self, request: &Publish) -> Result<Vec<PublishedEvent>, Fault> {
        let mut claim = match &request.claim {
            Some(capacity) if self.is_alive(capacity.worker, request.now)? => {
                Some((capacity.worker, Budget::new(capacity)))
            }
            _ => None,
        };
        let mut published = Vec::with_capacity(request.events.len());
        for event in &request.events {
            let answer = self.publish_one(event, request.now, claim.as_mut())?;
            self.wakes |= !answer.duplicate && answer.runs.iter().any(|run| run.lease.is_none());
            published.push(answer);
        }
        Ok(published)
    }

    pub(super) fn publish_one(
        &mut self,
        event: &NewEvent,
        now: Timestamp,
        mut claim: Option<&mut (WorkerId, Budget)>,
    ) -> Result<PublishedEvent, Fault> {
        if let Some(there) = self.run_is_there(event)? {
            return Ok(there);
        }
        let event_type = self.names.number(&event.event_type)?;
        let functions = self.targets(event_type, &event.target)?;
        let place = self.place_of(event, event_type, now)?;
        let is_idle = functions.is_empty().then_some(1);
        let stays = place.is_some_and(|place| place >= 0);
        let inserted = self.execute(
            "INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload, traceparent, digest,
                 visible_at, place, spent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
            params![
                &*event.id,
                event_type,
                now.as_millis(),
                event.correlation_key.as_deref(),
                is_idle.filter(|_| !stays),
                &*event.payload,
                event.traceparent.as_deref(),
                &event.digest.0,
                (event.due_at > now).then_some(event.due_at.as_millis()),
                place,
                is_idle.filter(|_| stays),
            ],
        )?;
        if inserted == 0 {
            return self.duplicate(event);
        }
        let number = self.connection.last_insert_rowid();
        let due_at = self.due_by(event.due_at, now)?;
        if place.is_some_and(|place| place > 0) {
            self.wake_waiting(event_type, event.correlation_key.as_deref(), due_at)?;
        }
        let run_id = match &event.target {
            Target::Function { run_id, .. } => run_id.as_ref(),
            Target::Subscribers { .. } => None,
        };
        let mut runs = Vec::with_capacity(functions.len());
        for function in functions {
            let function_id = self.names.name(function)?;
            let claim = claim.as_deref_mut().filter(|_| event.due_at <= now);
            // Flow options are asked first.
            let claim = claim.filter(|_| event.flow_of(&function_id).is_none());
            let worker = match claim {
                Some((worker, budget)) if !self.is_paused(function)? => budget
                    .take(&function_id, &event.event_type)
                    .then_some(*worker),
                _ => None,
            };
            let run_id = run_id.map_or_else(new_id, Arc::clone);
            let run = NewRun {
                id: &run_id,
                function,
                event_type,
                event: number,
                retries: event.retries,
                due_at,
                deadlines: self.deadlines(function, event.due_at, now)?,
                parent: event.parent.as_ref(),
            };
            let lease = self.insert_run(&run, worker, now)?;
            runs.push(PublishedRun {
                routed: None,
                run_id,
                function_id,
                lease,
            });
        }
        for run in &mut runs {
            self.flow_into(event, now, run)?;
        }
        runs.sort_by(|a, b| a.function_id.cmp(&b.function_id));
        Ok(PublishedEvent {
            event_id: Arc::clone(&event.id),
            duplicate: false,
            conflict: false,
            runs,
        })
    }

    /// The place of an event among those that waits may find, as the table has it.
    fn place_of(
        &mut self,
        event: &NewEvent,
        event_type: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, Fault> {
        if let Target::Function { .. } = event.target {
            return Ok(Some(NO_PLACE));
        }
        self.look()?;
        if !self.awaited()?.has_type(event_type) {
            return Ok(None);
        }
        if event.due_at > now {
            return Ok(Some(NOT_YET));
        }
        if self.is_there(&event.id)? {
            return Ok(None);
        }
        // What fell due before it has its place before it.
        let shown_by = shown_by(now, self.seen()?);
        let due_at = self.due_by(now, now)?;
        self.show_all_due(shown_by, due_at)?;
        self.next_place().map(Some)
    }

    fn is_there(&self, event: &str) -> Result<bool, Fault> {
        let found = self
            .connection
            .prepare_cached("SELECT 1 FROM events WHERE id = ?1")?
            .query_row(params![event], |_| Ok(()))
            .optional()?;
        Ok(found.is_some())
    }

    /// When a run is due, by the clock of the workers where it is due at once.
    pub(super) fn due_by(&mut self, due_at: Timestamp, now: Timestamp) -> Result<Timestamp, Fault> {
        if due_at > now {
            return Ok(due_at);
        }
        Ok(due_by(due_at, now, self.seen()?))
    }

    fn insert_run(
        &mut self,
        run: &NewRun<'_>,
        worker: Option<WorkerId>,
        now: Timestamp,
    ) -> Result<Option<Lease>, Fault> {
        let looks_back = self.awaited()?.has_function(run.function).then_some(1);
        // The number of a removed run may be used again. A token that cannot be foreseen keeps its late writes out.
        let token = next_token(0);
        let status = if worker.is_some() {
            RunStatus::Running
        } else {
            RunStatus::Pending
        };
        self.execute(
            "INSERT INTO runs (id, function, event, status, due_at, worker, token, failed_attempts, retries, started_at,
                 event_type, looks_back, parent, depth, attached, build)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13, ?14, (SELECT build FROM workers WHERE id = ?6))",
            params![
                run.id,
                run.function,
                run.event,
                status_number(status),
                worker.is_none().then_some(run.due_at.as_millis()),
                worker.map(|worker| worker.0),
                token,
                run.retries,
                worker.map(|_| now.as_millis()),
                run.event_type,
                looks_back,
                run.parent.map(|parent| &*parent.run_id),
                run.parent.map(|parent| parent.depth),
                run.parent.filter(|parent| parent.attached).map(|_| 1),
            ],
        )?;
        let number = self.connection.last_insert_rowid();
        if let Some(deadlines) = run.deadlines {
            self.keep_deadlines(number, deadlines)?;
        }
        Ok(worker.map(|worker| Lease::new(number, worker, token)))
    }

    fn targets(&mut self, event_type: i64, target: &Target) -> Result<Vec<i64>, Fault> {
        match target {
            Target::Function { function_id, .. } => Ok(vec![self.names.number(function_id)?]),
            Target::Subscribers { except } => {
                let all = self.subscribers(event_type)?;
                let mut kept = all.to_vec();
                for function_id in except {
                    if let Some(left_out) = self.names.find(function_id)? {
                        kept.retain(|function| *function != left_out);
                    }
                }
                Ok(kept)
            }
        }
    }

    /// The answer for an event that targets a run which another event has started.
    fn run_is_there(&mut self, event: &NewEvent) -> Result<Option<PublishedEvent>, Fault> {
        let Target::Function {
            run_id: Some(run_id),
            ..
        } = &event.target
        else {
            return Ok(None);
        };
        let found: Option<(i64, Arc<str>)> = self
            .connection
            .prepare_cached(
                "SELECT runs.function, events.id FROM runs JOIN events ON events.number = runs.event
                 WHERE runs.id = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE id = ?2)",
            )?
            .query_row(params![&**run_id, &*event.id], |row| Ok((row.get(0)?, lossy(row, 1)?)))
            .optional()?;
        let Some((function, event_id)) = found else {
            return Ok(None);
        };
        let function_id = self.names.name_or_unknown(function)?;
        let run = PublishedRun::new(Arc::clone(run_id), function_id);
        Ok(Some(PublishedEvent {
            event_id,
            duplicate: true,
            conflict: false,
            runs: vec![run],
        }))
    }

    fn duplicate(&mut self, event: &NewEvent) -> Result<PublishedEvent, Fault> {
        let (number, digest): (i64, Option<Vec<u8>>) = self
            .connection
            .prepare_cached("SELECT number, digest FROM events WHERE id = ?1")?
            .query_row(params![&*event.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Those of earlier versions have no digest.
        let conflict = digest.is_some_and(|digest| digest != event.digest.0);
        let mut runs = if conflict {
            Vec::new()
        } else {
            self.runs_of(number)?
        };
        runs.sort_by(|a, b| a.function_id.cmp(&b.function_id));
        Ok(PublishedEvent {
            event_id: Arc::clone(&event.id),
            duplicate: true,
            conflict,
            runs,
        })
    }

    fn runs_of(&mut self, event: i64) -> Result<Vec<PublishedRun>, Fault> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, function FROM runs WHERE event = ?1
                 UNION ALL SELECT runs.id, function FROM run_events JOIN runs ON runs.number = run WHERE run_events.event = ?1",
            )?;
        let mut rows = statement.query(params![event])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(PublishedRun::new(
                lossy(row, 0)?,
                self.names.name_or_unknown(row.get(1)?)?,
            ));
        }
        Ok(runs)
    }
}
