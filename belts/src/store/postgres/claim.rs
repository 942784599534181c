//! Which runs a worker gets: the question in one round trip, and the reading of its many-coloured answer.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use sqlx::postgres::{PgBindIterExt as _, PgRow};

use super::{
    arrivals::{ArrivalPlaces, arrival},
    database::Database,
    error::Fault,
    rows::{Columns, Entries, EntryPlaces, parent},
    set_aside::Unreadable,
    sql::{Parameters, number},
    text::to_column,
};
use crate::store::{
    Claim, Claimed, ClaimedRun, Entry, FunctionCapacity, Lease, Routing, UnknownType, WorkerId,
    parts::{Crashes, progress},
};

/// A process whose lock is missing for so long is dead; one that lives takes it again on a new connection.
const GRACE: Duration = Duration::from_secs(5);

/// What meets another in the wrong order is rolled back by the server, and tried again so many times.
const MAX_TIMES: u32 = 5;

impl Database {
    /// Claims runs; `None` where the session is not known. This is never sent twice: what the first one leased comes back by
    /// `release`.
    pub(super) async fn claim(&self, request: &Claim) -> Result<Option<Claimed>, Fault> {
        let claim = || self.rows(&self.sql.claim, self.parameters(request));
        let rows = self.again(claim).await?;
        // From here on it is committed, so what fails is not tried again: the worker gives back what it was not told of.
        let (answer, unreadable) = read(&rows, request.capacity.worker)?;
        let Some((mut claimed, given_back)) = answer else {
            return Ok(None);
        };
        self.wake_if(given_back > 0);
        self.tell_undoing(&mut claimed.runs).await?;
        claimed.set_aside = self.set_aside(request, unreadable).await?;
        if !claimed.set_aside.is_empty() {
            // Those that fail take others along, which may be among these.
            let leases: Vec<Lease> = claimed.runs.iter().map(|run| run.lease).collect();
            let revoked = self.revoked(&leases).await?;
            claimed.runs.retain(|run| !revoked.contains(&run.lease));
        }
        Ok(Some(claimed))
    }

    /// Sends what was rolled back: it has written nothing.
    pub(super) async fn again<T, W>(&self, write: impl Fn() -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        let mut times = 0;
        loop {
            times += 1;
            match write().await {
                Err(fault) if fault.is_of_the_moment() && times < MAX_TIMES => {}
                result => return result,
            }
        }
    }

    fn parameters(&self, request: &Claim) -> Parameters {
        let capacity = &request.capacity;
        let functions = || capacity.functions.iter();
        let ids = || functions().map(|function| to_column(&function.function_id));
        let with_lines = || {
            let functions = functions().filter(|function| function.lanes.is_some());
            functions.map(|function| to_column(&function.function_id))
        };
        Parameters::default()
            .bind(&self.store)
            .bind(self.next_call())
            .bind(capacity.worker.0)
            .bind(request.now.as_millis())
            .bind(number(capacity.limit))
            .bind(number(request.max_bytes))
            .bind(ids().bind_iter())
            .bind(
                functions()
                    .map(|function| number(function.limit))
                    .bind_iter(),
            )
            .bind(read_types(functions()).map(|(id, _)| id).bind_iter())
            .bind(read_types(functions()).map(|(_, name)| name).bind_iter())
            .bind(request.only.as_deref().map(to_column))
            .bind(self.last_look.is_over())
            .bind(i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX))
            .bind(with_lines().bind_iter())
            .bind(lane_limits(functions()).map(|(id, ..)| id).bind_iter())
            .bind(
                lane_limits(functions())
                    .map(|(_, pool, _)| pool)
                    .bind_iter(),
            )
            .bind(
                lane_limits(functions())
                    .map(|(.., limit)| limit)
                    .bind_iter(),
            )
    }
}

/// Each function with each event type that is read for it. One that reads none has the empty type, which no event has.
fn read_types<'a>(
    functions: impl Iterator<Item = &'a FunctionCapacity>,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    functions.flat_map(|function| {
        let types = function.event_types.as_deref();
        let none = types.is_some_and(<[_]>::is_empty).then_some("");
        let names = types.unwrap_or_default().iter().map(|name| &**name);
        names
            .chain(none)
            .map(|name| (to_column(&function.function_id), to_column(name)))
    })
}

/// Each function with each pool that it limits, and how many runs of it may be driven.
fn lane_limits<'a>(
    functions: impl Iterator<Item = &'a FunctionCapacity>,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>, i64)> {
    functions.flat_map(|function| {
        let lanes = function.lanes.iter().flat_map(|lanes| lanes.iter());
        lanes.map(|lane| {
            let pool = to_column(&lane.pool);
            (
                to_column(&function.function_id),
                pool,
                i64::from(lane.limit),
            )
        })
    })
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
    wait: 13,
    wait_places: 14,
};

/// Where those of an arrival stand.
const ARRIVAL: ArrivalPlaces = ArrivalPlaces {
    seq: 6,
    place: 3,
    event_id: 8,
    event_type: 9,
    payload: 12,
};

/// A run as it comes, with its progress at the last crash, and what cannot be read of it.
struct Coming {
    run: ClaimedRun,
    crashed_at: u64,
    fault: Option<Fault>,
}

/// What a claim has brought, and how many runs of others became due by it; `None` where the session is not known.
type Answer = Option<(Claimed, i64)>;

/// Reads the rows of a claim. A run that cannot be read stands apart, and stops nobody.
fn read(rows: &[PgRow], worker: WorkerId) -> Result<(Answer, Vec<Unreadable>), Fault> {
    let mut claimed = Claimed::default();
    let mut coming: Vec<Coming> = Vec::new();
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
                let run = Coming::read(columns, worker)?;
                places.insert(run.run.lease.run, coming.len());
                coming.push(run);
            }
            3 => {
                let number = columns.get(1)?;
                if last.0 != number {
                    let place = places.get(&number).ok_or(Fault::Row("run of a step"))?;
                    last = (number, *place);
                }
                coming[last.1].add(entries.read(columns, &STEP));
            }
            4 => claimed
                .unknown_types
                .push(UnknownType::new(columns.text(8)?, columns.text(9)?)),
            5 => {
                let place = places.get(&columns.get(1)?);
                let place = place.ok_or(Fault::Row("run of an arrival"))?;
                coming[*place]
                    .run
                    .arrivals
                    .push(arrival(columns, &ARRIVAL)?);
            }
            6 => {
                let place = places.get(&columns.get(1)?);
                let place = place.ok_or(Fault::Row("parent of a run"))?;
                coming[*place].add_family(columns)?;
            }
            _ => return Err(Fault::Row("part of a claim")),
        }
    }
    let mut unreadable = Vec::new();
    for coming in coming {
        match coming.finish() {
            Ok(run) => claimed.runs.push(run),
            Err(run) => unreadable.push(run),
        }
    }
    Ok((given_back.map(|runs| (claimed, runs)), unreadable))
}

/// How far flow options have been applied to a run.
fn routing(told: Option<&[i64]>) -> Routing {
    match told {
        None | Some([]) => Routing::Not,
        Some([1, ..]) => Routing::Held,
        Some(_) => Routing::Done,
    }
}

impl Coming {
    fn read(columns: Columns<'_>, worker: WorkerId) -> Result<Self, Fault> {
        let retries: Option<i32> = columns.get(7)?;
        let (crashed_at, crashes): (Option<i64>, Option<i64>) = (columns.get(3)?, columns.get(5)?);
        let mut run = ClaimedRun {
            lease: Lease::new(columns.get(1)?, worker, columns.get(2)?),
            run_id: columns.text(8)?,
            function_id: columns.text(9)?,
            event_id: Arc::default(),
            event_type: Arc::default(),
            payload: Arc::default(),
            failed_attempts: columns.count(6)?,
            retries: retries.map(i32::cast_unsigned),
            traceparent: None,
            started_at: columns.time(4)?,
            crashes: crashes
                .and_then(|crashes| u32::try_from(crashes).ok())
                .unwrap_or(0),
            parent: None,
            generation: 0,
            routing: routing(columns.get::<Option<Vec<i64>>>(14)?.as_deref()),
            undoing: None,
            journal: Vec::new(),
            arrivals: Vec::new(),
        };
        let fault = read_event(columns, &mut run).err();
        let crashed_at = crashed_at.and_then(|progress| u64::try_from(progress).ok());
        Ok(Self {
            run,
            crashed_at: crashed_at.unwrap_or(0),
            fault,
        })
    }

    fn add_family(&mut self, columns: Columns<'_>) -> Result<(), Fault> {
        if let Some(run_id) = columns.maybe_text(8)? {
            let attached: Option<i32> = columns.get(7)?;
            let attached = attached.map(|attached| attached != 0);
            self.run.parent = Some(parent(run_id, columns.get(6)?, attached));
        }
        let generation: Option<i64> = columns.get(3)?;
        let generation = generation.and_then(|generation| u32::try_from(generation).ok());
        self.run.generation = generation.unwrap_or(0);
        Ok(())
    }

    fn add(&mut self, entry: Result<Entry, Fault>) {
        match entry {
            Ok(entry) => self.run.journal.push(entry),
            Err(fault) => drop(self.fault.get_or_insert(fault)),
        }
    }

    fn finish(mut self) -> Result<ClaimedRun, Unreadable> {
        let run = &mut self.run;
        if let Some(fault) = self.fault {
            return Err(Unreadable::new(self.run, fault));
        }
        // They come from an index, so mostly there is nothing to do.
        run.journal.sort_by_key(|entry| entry.seq);
        let now = progress(run.failed_attempts, &run.journal);
        run.crashes = Crashes::new(run.crashes, self.crashed_at).consecutive(now);
        Ok(self.run)
    }
}

fn read_event(columns: Columns<'_>, run: &mut ClaimedRun) -> Result<(), Fault> {
    let id: Option<&str> = columns.get(10)?;
    if id.is_none() {
        return Err(Fault::Row("event: it is gone"));
    }
    run.event_id = columns.text(10)?;
    run.event_type = columns.text(11)?;
    run.payload = columns.bytes(12)?;
    run.traceparent = columns.maybe_text(13)?;
    Ok(())
}
