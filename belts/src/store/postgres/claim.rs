//! Which runs a worker gets: the question in one round trip, and the reading of its many-coloured answer.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::postgres::{PgBindIterExt as _, PgRow};
use tokio::time::Instant;

use super::{
    database::Database,
    error::Fault,
    rows::{Columns, Entries, EntryPlaces},
    sql::Parameters,
    text::to_column,
};
use crate::store::{Claim, Claimed, ClaimedRun, Lease, WorkerId};

/// How often the processes of others are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A process whose lock is missing for so long is dead; one that lives takes it again on a new connection.
const GRACE: Duration = Duration::from_secs(5);

/// A claim that meets another in the wrong order is rolled back by the server, and tried again so many times.
const MAX_TIMES: u32 = 5;

/// When the processes of others were last looked for.
#[derive(Debug, Default)]
pub(super) struct LastLook(Mutex<Option<Instant>>);

impl LastLook {
    /// Whether it is time to look again.
    fn is_over(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = last.is_none_or(|last| last.elapsed() >= LOOK_EVERY);
        if over {
            *last = Some(Instant::now());
        }
        over
    }
}

impl Database {
    /// Claims runs; `None` where the session is not known. This is never sent twice: what the first one leased comes back by
    /// `release`.
    pub(super) async fn claim(&self, request: &Claim) -> Result<Option<Claimed>, Fault> {
        let mut times = 0;
        loop {
            times += 1;
            match self.claim_once(request).await {
                // It was rolled back: nothing was leased.
                Err(fault) if fault.is_of_the_moment() && times < MAX_TIMES => {}
                result => return result,
            }
        }
    }

    async fn claim_once(&self, request: &Claim) -> Result<Option<Claimed>, Fault> {
        let capacity = &request.capacity;
        let functions = || capacity.functions.iter();
        let parameters = Parameters::default()
            .bind(&self.store)
            .bind(self.next_call())
            .bind(capacity.worker.0)
            .bind(request.now.as_millis())
            .bind(number(capacity.limit))
            .bind(
                functions()
                    .map(|function| to_column(&function.function_id))
                    .bind_iter(),
            )
            .bind(
                functions()
                    .map(|function| number(function.limit))
                    .bind_iter(),
            )
            .bind(request.only.as_deref().map(to_column))
            .bind(self.last_look.is_over())
            .bind(i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX));
        let rows = self.rows(&self.sql.claim, parameters).await?;
        let (claimed, given_back) = read(&rows, capacity.worker)?;
        self.wake_if(given_back > 0);
        Ok(claimed)
    }
}

pub(super) fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Where the fields of a step stand in its row.
const STEP: EntryPlaces = EntryPlaces {
    seq: 6,
    attempts: 7,
    due_at: 3,
    started_at: 4,
    finished_at: 5,
    path: 8,
    kind: 9,
    state: 10,
    type_name: 11,
    value: 12,
};

/// Reads the rows of a claim, and how many runs of others became due by it.
fn read(rows: &[PgRow], worker: WorkerId) -> Result<(Option<Claimed>, i64), Fault> {
    let mut claimed = Claimed::default();
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut entries = Entries::default();
    let mut given_back = None;
    // The run of the last step: mostly the next step's as well.
    let mut last = (0, 0);
    for row in rows {
        let columns = Columns(row);
        match columns.get(0)? {
            0 => {
                given_back = Some(columns.get(1)?);
                claimed.next_due = columns.maybe_time(3)?;
            }
            1 => claimed.unknown_functions.push(columns.text(8)?),
            2 => {
                let run = run(columns, worker)?;
                places.insert(run.lease.run, claimed.runs.len());
                claimed.runs.push(run);
            }
            3 => {
                let number = columns.get(1)?;
                if last.0 != number {
                    let place = places.get(&number).ok_or(Fault::Row("run of a step"))?;
                    last = (number, *place);
                }
                claimed.runs[last.1]
                    .journal
                    .push(entries.read(columns, &STEP)?);
            }
            _ => return Err(Fault::Row("part of a claim")),
        }
    }
    for run in &mut claimed.runs {
        // They come from an index, so mostly there is nothing to do.
        run.journal.sort_by_key(|entry| entry.seq);
    }
    Ok((given_back.map(|_| claimed), given_back.unwrap_or(0)))
}

fn run(columns: Columns<'_>, worker: WorkerId) -> Result<ClaimedRun, Fault> {
    let retries: Option<i32> = columns.get(7)?;
    Ok(ClaimedRun {
        lease: Lease {
            run: columns.get(1)?,
            worker,
            token: columns.get(2)?,
        },
        run_id: columns.text(8)?,
        function_id: columns.text(9)?,
        event_id: columns.text(10)?,
        event_type: columns.text(11)?,
        payload: columns.bytes(12)?,
        failed_attempts: columns.count(6)?,
        retries: retries.map(i32::cast_unsigned),
        traceparent: columns.maybe_text(13)?,
        started_at: columns.time(4)?,
        crashes: 0,
        journal: Vec::new(),
    })
}
