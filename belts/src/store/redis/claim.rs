//! Which runs a worker gets, with their journals in the same answer.

use super::{
    Fault, Redis,
    publish::most,
    reply::{self, Row},
    rows,
    script::{self, Call},
};
use crate::{
    error::Result,
    store::{Claim, Claimed, ClaimedRun, Lease, WorkerId, unknown_session},
};

impl Redis {
    /// Claims runs. Nothing is sent again: an earlier attempt may have leased runs of which nobody would hear.
    pub(super) async fn claim_runs(&self, request: &Claim) -> Result<Claimed> {
        let worker = request.capacity.worker;
        loop {
            let call = self.claim_call(request);
            let answer = self.inner.link.run_once(&call).await;
            let answer = match self.read(answer)? {
                list @ redis::Value::Array(_) => return self.read(claimed(list, worker)),
                word => self.read(reply::raw(word))?,
            };
            match &*answer {
                b"unknown" => return Err(unknown_session(worker)),
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
            .optional(request.only.as_deref())
            .arg(capacity.functions.len());
        for function in capacity.functions.iter() {
            call.arg(&*function.function_id).arg(most(function.limit));
        }
        call
    }
}

fn claimed(answer: redis::Value, worker: WorkerId) -> Result<Claimed, Fault> {
    let mut row = Row::of(answer)?;
    let mut claimed = Claimed::default();
    let mut runs = row.row()?;
    while !runs.is_empty() {
        claimed.runs.push(claimed_run(runs.row()?, worker)?);
    }
    claimed.next_due = row.time()?;
    let mut unknown = row.row()?;
    while !unknown.is_empty() {
        claimed.unknown_functions.push(unknown.text()?);
    }
    Ok(claimed)
}

fn claimed_run(mut row: Row, worker: WorkerId) -> Result<ClaimedRun, Fault> {
    let lease = Lease {
        run: row.number()?,
        worker,
        token: row.number()?,
    };
    let (run_id, function_id, event_id) = (row.text()?, row.text()?, row.text()?);
    let event = rows::decode_event(&row.raw()?)?;
    Ok(ClaimedRun {
        lease,
        run_id,
        function_id,
        event_id,
        event_type: event.event_type,
        payload: event.payload,
        failed_attempts: row.optional_number()?.unwrap_or(0),
        retries: row.optional_number()?,
        traceparent: event.traceparent,
        started_at: row.time()?.ok_or(Fault::Reply("time"))?,
        crashes: 0,
        journal: rows::decode_journal(row.row()?)?,
    })
}
