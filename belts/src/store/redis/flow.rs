//! Flow options in Redis: scripts apply them.

use std::sync::Arc;

use super::{
    Fault, Redis,
    reply::Row,
    rows,
    script::{self, Call},
};
use crate::{
    error::Result,
    store::{
        Flow, Mark, Publish, PublishedEvent, Route, Routed, StoredEvent, Timestamp,
        parts::flow::written,
    },
};

/// The flow options of the events of a request, each with the place of its event.
pub(super) fn add_flows(call: &mut Call, request: &Publish) {
    let collects = |flow: &Flow| flow.debounce.is_some() || flow.batch.is_some();
    let flows = || {
        let events = (1_usize..).zip(&request.events);
        events.flat_map(|(place, event)| {
            let delayed = event.due_at > request.now;
            let flows = event.flows.iter();
            let flows = flows.filter(move |(_, flow)| !(delayed && collects(flow)));
            flows.map(move |(function_id, flow)| (place, function_id, flow))
        })
    };
    call.arg(flows().count());
    for (place, function_id, flow) in flows() {
        let (written, _) = written(function_id, flow, str::to_owned);
        call.arg(place).arg(&**function_id).arg(written.to_string());
    }
}

/// Notes what became of a run that was published.
pub(super) fn note_routed(published: &mut [PublishedEvent], mut row: Row) -> Result<(), Fault> {
    let place: usize = row.number()?;
    let run_id = row.text()?;
    let routed = read_routed(row)?;
    let event = published
        .get_mut(place - 1)
        .ok_or(Fault::Reply("place of an event"))?;
    let run = event.runs.iter_mut().find(|run| run.run_id == run_id);
    if let (Some(run), Some(routed)) = (run, routed.filter(|routed| *routed != Routed::Starts)) {
        if let Routed::Joined { run_id } = &routed {
            run.run_id = Arc::clone(run_id);
        }
        run.routed = Some(routed);
    }
    Ok(())
}

/// What became of a run. One that is gone is of no answer.
fn read_routed(mut row: Row) -> Result<Option<Routed>, Fault> {
    let (word, more) = (row.text()?, row.text()?);
    let until = || more.parse().ok().map(Timestamp::from_millis);
    Ok(Some(match &*word {
        "starts" => Routed::Starts,
        "lost" => Routed::LeaseLost,
        "waits" => Routed::waits(until()),
        "joined" => Routed::joined(more),
        "gone" => return Ok(None),
        mark => match Mark::parse(mark) {
            Some(Mark::Skipped(skipped)) => Routed::Skipped(skipped),
            _ => return Err(Fault::Reply("what became of a run")),
        },
    }))
}

impl Redis {
    pub(super) async fn route_run(&self, request: &Route) -> Result<Routed> {
        let lease = &request.lease;
        let (flow, _) = written(&request.function_id, &request.flow, str::to_owned);
        let flow = flow.to_string();
        let answer = self.run(|_| {
            let mut call = self.call(&script::ROUTE);
            call.arg(request.now.as_millis())
                .arg(&self.inner.sender)
                .arg(&self.inner.ttl)
                .arg(lease.run)
                .arg(format!("{} {}", lease.worker.0, lease.token))
                .arg(&flow);
            call
        });
        let answer = answer.await?;
        let routed = self.read(Row::of(answer).and_then(read_routed))?;
        let routed = routed.unwrap_or(Routed::LeaseLost);
        if routed != Routed::Starts {
            self.wake();
        }
        Ok(routed)
    }

    pub(super) async fn read_batch(&self, run: &str) -> Result<Vec<StoredEvent>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::BATCH);
            call.arg(run);
            call
        });
        let answer = answer.await?;
        self.read(Row::of(answer).and_then(events))
    }
}

/// Events with their ids.
fn events(mut row: Row) -> Result<Vec<StoredEvent>, Fault> {
    let mut events = Vec::new();
    while !row.is_empty() {
        let id = row.text()?;
        let stored = rows::decode_event(&row.raw()?)?;
        let event = StoredEvent::new(id, stored.event_type, stored.payload);
        events.push(event.with_correlation_key(stored.correlation_key));
    }
    Ok(events)
}
