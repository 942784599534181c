//! Which runs a worker gets, and the loading of their journals in the same transaction.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::{
    error::Fault,
    rows::{self, FIRST_FINISHED, bytes, small, text},
    tx::Tx,
};
use crate::{
    error::Error,
    store::{
        Budget, Claim, Claimed, ClaimedRun, Entry, Lease, MAX_UNKNOWN_FUNCTIONS, RunStatus,
        Timestamp, WorkerId,
    },
};

/// The first waiting run of a function.
struct Head {
    function: i64,
    due_at: Timestamp,
}

impl Tx<'_> {
    /// Claims runs; `dead` are sessions whose processes are known to have ended.
    pub(super) fn claim(
        &mut self,
        request: &Claim,
        dead: &[WorkerId],
    ) -> Result<Result<Claimed, Error>, Fault> {
        let (worker, now) = (request.capacity.worker, request.now);
        if let Err(unknown) = self.revive(worker, now)? {
            return Ok(Err(unknown));
        }
        for worker in dead {
            self.end_session(*worker, now)?;
        }
        self.release_expired(now)?;
        let heads = self.heads()?;
        let mut next_due = None;
        let numbers = match &request.only {
            Some(run_id) => self.choose_named(run_id, request)?.into_iter().collect(),
            None => self.choose_due(&heads, request, &mut next_due)?,
        };
        let mut runs = Vec::with_capacity(numbers.len());
        for number in numbers {
            runs.extend(self.claim_one(number, worker, now)?);
        }
        if request.only.is_some() {
            let heads = self.heads()?;
            for head in &heads {
                if self.is_named(head, request)? {
                    next_due = earlier(next_due, Some(head.due_at));
                }
            }
        }
        let mut unknown_functions = Vec::new();
        for head in heads.iter().filter(|head| head.due_at <= now) {
            if unknown_functions.len() < MAX_UNKNOWN_FUNCTIONS && !self.is_named(head, request)? {
                unknown_functions.push(self.names.name(head.function)?);
            }
        }
        Ok(Ok(Claimed {
            runs,
            next_due,
            unknown_functions,
            ..Claimed::default()
        }))
    }

    /// The first waiting run of every function: one step in the index for each function that has any.
    fn heads(&self) -> Result<Vec<Head>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT function, due_at FROM runs WHERE due_at IS NOT NULL AND function > ?1
             ORDER BY function, due_at LIMIT 1",
        )?;
        let mut heads: Vec<Head> = Vec::new();
        let mut function = i64::MIN;
        while let Some(head) = statement
            .query_row(params![function], |row| {
                Ok(Head {
                    function: row.get(0)?,
                    due_at: Timestamp::from_millis(row.get(1)?),
                })
            })
            .optional()?
        {
            function = head.function;
            heads.push(head);
        }
        Ok(heads)
    }

    fn is_named(&mut self, head: &Head, request: &Claim) -> Result<bool, Fault> {
        let name = self.names.name(head.function)?;
        Ok(request
            .capacity
            .functions
            .iter()
            .any(|function| function.function_id == name))
    }

    /// The runs that have been due longest, within the limits; `next_due` becomes that of the first one left.
    fn choose_due(
        &mut self,
        heads: &[Head],
        request: &Claim,
        next_due: &mut Option<Timestamp>,
    ) -> Result<Vec<i64>, Fault> {
        let capacity = &request.capacity;
        let mut chosen: Vec<(i64, i64)> = Vec::new();
        for head in heads {
            let name = self.names.name(head.function)?;
            let Some(function) = capacity
                .functions
                .iter()
                .find(|function| function.function_id == name)
            else {
                continue;
            };
            let most = function.limit.min(capacity.limit);
            if head.due_at > request.now || most == 0 {
                *next_due = earlier(*next_due, Some(head.due_at));
                continue;
            }
            // One more than can be taken, to know when the next is due.
            let mut statement = self.connection.prepare_cached(
                "SELECT due_at, number FROM runs WHERE function = ?1 AND due_at IS NOT NULL
                 ORDER BY due_at, number LIMIT ?2",
            )?;
            let mut found = statement.query(params![
                head.function,
                i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)
            ])?;
            let mut taken = 0;
            while let Some(row) = found.next()? {
                let due_at: i64 = row.get(0)?;
                if taken == most || due_at > request.now.as_millis() {
                    *next_due = earlier(*next_due, Some(Timestamp::from_millis(due_at)));
                    break;
                }
                taken += 1;
                chosen.push((due_at, row.get(1)?));
            }
        }
        chosen.sort_unstable();
        if let Some((due_at, _)) = chosen.get(capacity.limit) {
            *next_due = earlier(*next_due, Some(Timestamp::from_millis(*due_at)));
        }
        chosen.truncate(capacity.limit);
        Ok(chosen.into_iter().map(|(_, number)| number).collect())
    }

    fn choose_named(&mut self, run_id: &Arc<str>, request: &Claim) -> Result<Option<i64>, Fault> {
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT runs.number, function, event_type FROM runs JOIN events ON events.number = runs.event
                 WHERE runs.id = ?1 AND status < ?2 AND worker IS NULL",
            )?
            .query_row(params![&**run_id, FIRST_FINISHED], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((number, function, event_type)) = found else {
            return Ok(None);
        };
        let function = self.names.name(function)?;
        let event_type = self.names.name(event_type)?;
        Ok(Budget::new(&request.capacity)
            .take(&function, &event_type)
            .then_some(number))
    }

    fn claim_one(
        &mut self,
        number: i64,
        worker: WorkerId,
        now: Timestamp,
    ) -> Result<Option<ClaimedRun>, Fault> {
        self.execute(
            "UPDATE runs SET status = ?2, due_at = NULL, worker = ?3, token = token + 1,
                 started_at = coalesce(started_at, ?4)
             WHERE number = ?1",
            params![
                number,
                rows::status_number(RunStatus::Running),
                worker.0,
                now.as_millis()
            ],
        )?;
        let mut statement = self.connection.prepare_cached(
            "SELECT token, runs.id, function, events.id, event_type, payload, failed_attempts, retries, started_at,
                 traceparent
             FROM runs JOIN events ON events.number = runs.event WHERE runs.number = ?1",
        )?;
        let mut found = statement.query(params![number])?;
        let Some(row) = found.next()? else {
            return Ok(None);
        };
        let retries: Option<i64> = row.get(7)?;
        Ok(Some(ClaimedRun {
            lease: Lease {
                run: number,
                worker,
                token: row.get(0)?,
            },
            run_id: text(row, 1)?,
            function_id: self.names.name(row.get(2)?)?,
            event_id: text(row, 3)?,
            event_type: self.names.name(row.get(4)?)?,
            payload: bytes(row, 5)?,
            failed_attempts: small(row, 6)?,
            retries: retries
                .map(u32::try_from)
                .transpose()
                .map_err(|_| Fault::Row("number of retries"))?,
            traceparent: row.get(9)?,
            started_at: Timestamp::from_millis(row.get(8)?),
            crashes: 0,
            journal: self.journal(number)?,
        }))
    }

    fn journal(&mut self, number: i64) -> Result<Vec<Entry>, Fault> {
        let mut statement = self.connection.prepare_cached(rows::JOURNAL)?;
        let mut found = statement.query(params![number])?;
        let mut journal = Vec::new();
        while let Some(row) = found.next()? {
            journal.push(rows::entry(row, &mut self.names)?);
        }
        Ok(journal)
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
