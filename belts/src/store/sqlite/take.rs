//! Leasing one run: its row and its journal are read in the same transaction, and what cannot be read is set aside.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::{
    arrivals::{self, Candidate, least_bytes},
    columns::{bytes, lossy, small, text},
    error::Fault,
    rows::{self, status_number},
    tx::Tx,
};
use crate::{
    codec,
    error::Error,
    store::{
        Claim, ClaimedRun, Entry, Lease, Mark, RunStatus, SetAside, StepState, Timestamp,
        parts::{Crashes, next_token, progress},
    },
};

/// A run that a newer version may be able to read waits so long for it.
const PUT_OFF: Duration = Duration::from_secs(60);

/// The bytes that a claim may bring yet. The first run has room whatever its size.
pub(super) struct Room {
    left: usize,
    first: bool,
}

impl Room {
    /// What is left for what need not come with this claim.
    fn rest(&mut self) -> &mut usize {
        &mut self.left
    }

    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            left: max_bytes,
            first: true,
        }
    }

    fn has(&self, bytes: usize) -> bool {
        self.first || bytes <= self.left
    }

    fn fill(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.first = false;
    }
}

/// What became of a run that was to be leased.
pub(super) enum Taken {
    Run(Box<ClaimedRun>),
    SetAside(SetAside),
    NoRoom,
    Gone,
}

impl Tx<'_> {
    pub(super) fn take(
        &mut self,
        number: i64,
        request: &Claim,
        room: &mut Room,
    ) -> Result<Taken, Fault> {
        let read = match self.read_run(number, request, room) {
            Err(fault) if fault.is_of_the_row() => {
                return self.set_aside(number, &fault, request.now);
            }
            read => read?,
        };
        if let Taken::Run(run) = &read {
            self.execute(
                "UPDATE runs SET status = ?2, due_at = NULL, worker = ?3, token = ?4,
                     started_at = coalesce(started_at, ?5), keeps_time = NULL, line_at = NULL,
                     build = iif(started_at IS NULL, (SELECT build FROM workers WHERE id = ?3), build)
                 WHERE number = ?1",
                params![
                    number,
                    status_number(RunStatus::Running),
                    run.lease.worker.0,
                    run.lease.token,
                    request.now.as_millis()
                ],
            )?;
        }
        Ok(read)
    }

    fn read_run(&mut self, number: i64, request: &Claim, room: &mut Room) -> Result<Taken, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT token, runs.id, function, events.id, events.event_type, payload, failed_attempts, retries,
                 started_at, traceparent, status, crashes, crash_progress, parent, depth, attached, generation, flow
             FROM runs LEFT JOIN events ON events.number = runs.event
             WHERE runs.number = ?1 AND finished_at IS NULL AND (finish_by IS NULL OR finish_by > ?2)
                 AND (start_by IS NULL OR started_at IS NOT NULL OR start_by > ?2)",
        )?;
        let mut found = statement.query(params![number, request.now.as_millis()])?;
        let Some(row) = found.next()? else {
            return Ok(Taken::Gone);
        };
        rows::status(row.get(10)?)?;
        let payload = bytes(row, 5)?;
        if !room.has(payload.len()) {
            return Ok(Taken::NoRoom);
        }
        let Some((journal, size)) = self.journal(number, payload.len(), room)? else {
            return Ok(Taken::NoRoom);
        };
        let candidates = self.candidates(number, &journal)?;
        let size = size + least_bytes(&candidates);
        if !room.has(size) {
            return Ok(Taken::NoRoom);
        }
        let retries: Option<i64> = row.get(7)?;
        let started_at: Option<i64> = row.get(8)?;
        let failed_attempts = small(row, 6)?;
        let then = u64::try_from(row.get::<_, i64>(12)?).unwrap_or(0);
        let mut run = ClaimedRun {
            lease: Lease::new(number, request.capacity.worker, next_token(row.get(0)?)),
            run_id: text(row, 1)?,
            function_id: self.names.name(row.get(2)?)?,
            event_id: text(row, 3)?,
            event_type: self.names.name(row.get(4)?)?,
            payload,
            failed_attempts,
            retries: retries
                .map(u32::try_from)
                .transpose()
                .map_err(|_| Fault::Row("number of retries"))?,
            traceparent: row.get(9)?,
            started_at: started_at.map_or(request.now, Timestamp::from_millis),
            crashes: match small(row, 11)? {
                0 => 0,
                crashes => {
                    Crashes::new(crashes, then).consecutive(progress(failed_attempts, &journal))
                }
            },
            parent: rows::parent(row, 13)?,
            generation: small(row, 16)?,
            routing: Mark::routing_of(row.get::<_, Option<String>>(17)?.as_deref()),
            undoing: self.undoing(number, &journal)?,
            journal,
            arrivals: Vec::new(),
        };
        room.fill(size);
        run.arrivals = arrivals::read(self.connection, &mut self.names, &candidates, room.rest())?;
        Ok(Taken::Run(Box::new(run)))
    }

    /// What has arrived for a run, if it waits for anything.
    fn candidates(&mut self, number: i64, journal: &[Entry]) -> Result<Vec<Candidate>, Fault> {
        let waits = |entry: &Entry| entry.wait.is_some() && entry.state == StepState::Waiting;
        if !journal.iter().any(waits) {
            return Ok(Vec::new());
        }
        // Somebody opened them, perhaps another process of which this one has not heard.
        if self.awaited()?.is_empty() {
            self.recall.awaited = None;
        }
        arrivals::candidates(self.connection, number)
    }

    /// The journal, and how large it makes the run; `None` once it is known that there is no room for it.
    fn journal(
        &mut self,
        number: i64,
        payload: usize,
        room: &Room,
    ) -> Result<Option<(Vec<Entry>, usize)>, Fault> {
        let mut statement = self.connection.prepare_cached(rows::JOURNAL)?;
        let mut found = statement.query(params![number])?;
        let (mut journal, mut size) = (Vec::new(), payload);
        while let Some(row) = found.next()? {
            let entry = rows::entry(row, &mut self.names)?;
            size += entry.path.len() + entry.value.len();
            if !room.has(size) {
                return Ok(None);
            }
            journal.push(entry);
        }
        Ok(Some((journal, size)))
    }

    /// Keeps a run that cannot be read from stopping others.
    fn set_aside(&mut self, number: i64, fault: &Fault, now: Timestamp) -> Result<Taken, Fault> {
        let named = self
            .connection
            .prepare_cached("SELECT id, function FROM runs WHERE number = ?1")?
            .query_row(params![number], |row| Ok((lossy(row, 0)?, row.get(1)?)))
            .optional()?;
        let Some((run_id, function)) = named else {
            return Ok(Taken::Gone);
        };
        let newer = fault.may_be_of_a_newer_version();
        let hint = if newer {
            "; it may come from a newer version, whose workers can go on with the run"
        } else {
            ""
        };
        let reason = format!("the run cannot be read, since {fault}{hint}");
        let envelope = codec::envelope(&Error::unreadable(reason.as_str()));
        if newer {
            self.execute(
                // One without a time waits until something arrives.
                "UPDATE runs SET due_at = iif(due_at IS NULL AND line_at IS NULL, NULL, ?2), result = ?3,
                     keeps_time = iif(due_at IS NULL AND line_at IS NULL, keeps_time, 1)
                 WHERE number = ?1",
                params![number, now.after(PUT_OFF).as_millis(), &*envelope],
            )?;
        } else {
            self.keep_done(number)?;
            self.execute(
                "UPDATE runs SET status = ?2, due_at = NULL, finished_at = ?3, result = ?4 WHERE number = ?1",
                params![number, status_number(RunStatus::Failed), now.as_millis(), &*envelope],
            )?;
            self.close_waits(number)?;
            // Nearly always nothing is told, but this is rare enough.
            self.settle_end(number, RunStatus::Failed, true, now)?;
        }
        Ok(Taken::SetAside(SetAside::new(
            run_id,
            self.names.name_or_unknown(function)?,
            reason,
        )))
    }
}
