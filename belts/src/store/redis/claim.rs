//! Which runs a worker gets, with their journals in the same answer.

use std::sync::Arc;

use super::{
    Fault, Redis,
    publish::most,
    reply::{self, Row},
    rows,
    script::{self, Call},
    set_aside::Unreadable,
    waits::arrivals,
};
use crate::{
    error::{Error, Result},
    store::{
        Claim, Claimed, ClaimedRun, Lease, Mark, Routing, SetAside, Timestamp, Undoing,
        UnknownType, WorkerId,
    },
};

/// The part of a token that nobody can foresee; a new one for each claim.
const CHANCE: u32 = 29;

impl Redis {
    /// Claims runs. Nothing is sent again: an earlier attempt may have leased runs of which nobody would hear.
    pub(super) async fn claim_runs(&self, request: &Claim) -> Result<Claimed> {
        let worker = request.capacity.worker;
        loop {
            let call = self.claim_call(request);
            let answer = self.inner.link.run_once(&call).await;
            let answer = match self.read(answer)? {
                list @ redis::Value::Array(_) => {
                    let (mut claimed, unreadable, wakes) = self.read(claimed(list, worker))?;
                    if wakes {
                        self.wake();
                    }
                    self.set_aside(request.now, unreadable, &mut claimed)
                        .await?;
                    return Ok(claimed);
                }
                word => self.read(reply::raw(word))?,
            };
            match &*answer {
                b"unknown" => return Err(Error::unknown_session(worker)),
                // The session of another had so many runs that their release takes several calls.
                b"again" => {}
                // Another client of the same session has begun a round of which this one had not heard.
                round => self.join_round(self.read(reply::number(round))?),
            }
        }
    }

    fn claim_call(&self, request: &Claim) -> Call {
        let capacity = &request.capacity;
        let mut call = self.call(&script::CLAIM);
        call.arg(request.now.as_millis())
            .arg(&self.inner.sender)
            .arg(capacity.worker.0)
            .arg(self.round())
            .arg(most(capacity.limit))
            .arg(request.max_bytes)
            .arg(fastrand::u32(..1 << CHANCE))
            .optional(request.only.as_deref())
            .arg(capacity.functions.len());
        for function in capacity.functions.iter() {
            call.arg(&*function.function_id).arg(most(function.limit));
            match &function.event_types {
                Some(types) => {
                    call.arg(types.len());
                    for event_type in types.iter() {
                        call.arg(&**event_type);
                    }
                }
                None => {
                    call.arg("");
                }
            }
            match &function.lanes {
                Some(lanes) => {
                    call.arg(lanes.len());
                    for lane in lanes.iter() {
                        call.arg(&*lane.pool).arg(lane.limit);
                    }
                }
                None => {
                    call.arg("");
                }
            }
        }
        call
    }
}

/// What a claim brings, what of it cannot be read, and whether runs were made due that others may want.
fn claimed(
    answer: redis::Value,
    worker: WorkerId,
) -> Result<(Claimed, Vec<Unreadable>, bool), Fault> {
    let mut row = Row::of(answer)?;
    let (mut claimed, mut unreadable) = (Claimed::default(), Vec::new());
    let mut runs = row.row()?;
    while !runs.is_empty() {
        match claimed_run(runs.row()?, worker)? {
            Ok(run) => claimed.runs.push(run),
            Err(run) => unreadable.push(run),
        }
    }
    claimed.next_due = row.time()?;
    let mut unknown = row.row()?;
    while !unknown.is_empty() {
        claimed.unknown_functions.push(unknown.text()?);
    }
    let mut unknown = row.row()?;
    while !unknown.is_empty() {
        claimed
            .unknown_types
            .push(UnknownType::new(unknown.text()?, unknown.text()?));
    }
    let mut lost = row.row()?;
    while !lost.is_empty() {
        let mut lost = lost.row()?;
        claimed
            .set_aside
            .push(SetAside::new(lost.text()?, lost.text()?, lost.text()?));
    }
    let wakes = !row.raw()?.is_empty();
    Ok((claimed, unreadable, wakes))
}

/// A leased run; or what there is of it where it cannot be read.
fn claimed_run(mut row: Row, worker: WorkerId) -> Result<Result<ClaimedRun, Unreadable>, Fault> {
    let lease = Lease::new(row.number()?, worker, row.number()?);
    let (run_id, function_id) = (row.raw()?, row.raw()?);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
    let (run_id, function_id) = (text(&run_id), text(&function_id));
    let mut run = ClaimedRun {
        lease,
        run_id,
        function_id,
        event_id: Arc::default(),
        event_type: Arc::default(),
        payload: Arc::default(),
        failed_attempts: 0,
        retries: None,
        traceparent: None,
        started_at: Timestamp::default(),
        crashes: 0,
        parent: None,
        generation: 0,
        routing: Routing::Not,
        undoing: None,
        journal: Vec::new(),
        arrivals: Vec::new(),
    };
    Ok(match fill(&mut run, row) {
        Ok(()) => Ok(run),
        Err(fault) => Err(Unreadable::new(run, fault)),
    })
}

fn fill(run: &mut ClaimedRun, mut row: Row) -> Result<(), Fault> {
    run.event_id = row.text()?;
    let event = row.optional_raw()?;
    run.failed_attempts = row.optional_number()?.unwrap_or(0);
    run.retries = row.optional_number()?;
    run.started_at = row.time()?.ok_or(Fault::Reply("time"))?;
    let journal = row.row()?;
    run.crashes = reply::count(&row.value())?.try_into().unwrap_or(u32::MAX);
    if !row.raw()?.is_empty() {
        return Err(Fault::Reply(
            "event or journal of the kind that belts writes",
        ));
    }
    let parent = row.optional_raw()?;
    run.parent = parent.map(|text| rows::decode_parent(&text)).transpose()?;
    run.generation = row.optional_number()?.unwrap_or(0);
    let undo = row.optional_raw()?;
    let flow = row.optional_raw()?;
    let flow = flow.as_deref().map(String::from_utf8_lossy);
    run.routing = Mark::routing_of(flow.as_deref());
    let event = rows::decode_event(&event.ok_or(Fault::Reply("event"))?)?;
    run.event_type = event.event_type;
    run.payload = event.payload;
    run.traceparent = event.traceparent;
    let (journal, result) = rows::decode_journal(journal)?;
    run.journal = journal;
    if let Some(undo) = undo {
        let result = result.map(Arc::from);
        run.undoing = Some(Undoing::new(rows::status_of(&undo)?, result));
    }
    if let list @ redis::Value::Array(_) = row.value() {
        run.arrivals = arrivals(Row::of(list)?)?;
    }
    Ok(())
}
