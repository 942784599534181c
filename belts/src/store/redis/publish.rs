//! Publishing: the event and the runs that it starts.

use super::{
    Fault, Redis,
    flow::{add_flows, note_routed},
    reply::Row,
    rows,
    script::{self, Call},
};
use crate::{
    error::Result,
    store::{
        Capacity, FunctionCapacity, Lease, NewEvent, Publish, PublishedEvent, PublishedRun, Target,
        Timestamp, WorkerId, parts::new_id,
    },
};

/// What is made up for an event before it is sent, so that it is the same when it is sent again.
struct Draft {
    /// Known to nobody else: an event that is there with this ticket was written by an earlier attempt. It is the first
    /// token of the event's runs too, since numbers come again after the loss of all data, and tokens must not.
    ticket: u64,
    /// The beginning of the ids of its runs; each ends with the run's number.
    id: String,
}

impl Draft {
    fn new() -> Self {
        Self {
            ticket: new_ticket(),
            id: format!("{}-", &new_id()[..28]),
        }
    }
}

/// A new ticket of an event.
pub(super) fn new_ticket() -> u64 {
    fastrand::u64(0..1 << 48)
}

impl Redis {
    pub(super) async fn publish_events(&self, request: &Publish) -> Result<Vec<PublishedEvent>> {
        let drafts: Vec<Draft> = request.events.iter().map(|_| Draft::new()).collect();
        let quiet = self.inner.teller.quiet();
        let answer = self.run(|_| self.publish_call(request, &drafts, quiet.is_none()));
        let worker = request.claim.as_ref().map(|capacity| capacity.worker);
        let events = request.events.len();
        let (published, is_awaited) = self.read(published(answer.await?, worker, events))?;
        let leaves_runs = published
            .iter()
            .any(|event| !event.duplicate && event.runs.iter().any(|run| run.lease.is_none()));
        if leaves_runs || is_awaited {
            self.inner.left_runs(quiet);
        }
        Ok(published)
    }

    fn publish_call(&self, request: &Publish, drafts: &[Draft], tells: bool) -> Call {
        let mut call = self.call(&script::PUBLISH);
        call.arg(request.now.as_millis())
            .arg(self.sender_if(tells))
            .arg(&self.inner.ttl);
        let able = able(request);
        match &request.claim {
            Some(capacity) => {
                call.arg(capacity.worker.0).arg(self.round());
                add_capacity(&mut call, capacity, &able);
            }
            None => {
                call.arg("").arg(0).arg(0).arg(0);
            }
        }
        call.arg(request.events.len());
        for (event, draft) in request.events.iter().zip(drafts) {
            add_event(&mut call, event, draft, &able, request.now);
        }
        add_flows(&mut call, request);
        call
    }
}

/// The functions for which the worker can read any of the events.
fn able(request: &Publish) -> Vec<&FunctionCapacity> {
    let all = request.claim.iter().flat_map(|claim| &*claim.functions);
    let able = |function: &&FunctionCapacity| {
        let mut events = request.events.iter();
        // Flow options are asked first.
        let flows = |event: &NewEvent| event.flow_of(&function.function_id).is_some();
        events.any(|event| function.reads(&event.event_type)) && !request.events.iter().any(flows)
    };
    all.filter(able).collect()
}

/// The most runs in all, and the functions with the most runs of each.
fn add_capacity(call: &mut Call, capacity: &Capacity, able: &[&FunctionCapacity]) {
    call.arg(most(capacity.limit)).arg(able.len());
    for function in able {
        call.arg(&*function.function_id).arg(most(function.limit));
    }
}

/// A limit that Lua can count with.
pub(super) fn most(limit: usize) -> usize {
    limit.min(1 << 30)
}

/// What every event that starts runs begins with.
fn add_head(call: &mut Call, event: &NewEvent, ticket: u64) {
    call.arg(&*event.id)
        .arg(&*event.event_type)
        .arg(event.due_at.as_millis());
    match event.retries {
        Some(retries) => call.arg(retries),
        None => call.arg(""),
    };
    call.arg(ticket);
}

fn add_parent(call: &mut Call, event: &NewEvent) {
    match &event.parent {
        Some(parent) => call.arg(rows::parent_text(parent)),
        None => call.arg(""),
    };
}

/// An event by which a run starts another one, for a function and with the id of the new run.
pub(super) fn add_start(call: &mut Call, event: &NewEvent, ticket: u64, now: Timestamp) {
    let (function_id, run_id) = match &event.target {
        Target::Function {
            function_id,
            run_id: Some(run_id),
        } => (&**function_id, &**run_id),
        _ => ("", ""),
    };
    add_head(call, event, ticket);
    call.arg(rows::encode_event(event, now))
        .arg(function_id)
        .arg(run_id);
    add_parent(call, event);
}

fn add_event(
    call: &mut Call,
    event: &NewEvent,
    draft: &Draft,
    able: &[&FunctionCapacity],
    now: Timestamp,
) {
    add_head(call, event, draft.ticket);
    call.arg(&draft.id).arg(rows::encode_event(event, now));
    add_parent(call, event);
    let unread = || {
        able.iter()
            .filter(|function| !function.reads(&event.event_type))
    };
    call.arg(unread().count());
    for function in unread() {
        call.arg(&*function.function_id);
    }
    match &event.target {
        Target::Subscribers { except } => {
            call.arg("type").arg(except.len());
            for function in except {
                call.arg(&**function);
            }
        }
        Target::Function {
            function_id,
            run_id,
        } => {
            call.arg("function").arg(&**function_id);
            call.optional(run_id.as_deref());
        }
    }
}

/// What became of so many events, and whether a run waits for one of them.
fn published(
    answer: redis::Value,
    worker: Option<WorkerId>,
    events: usize,
) -> Result<(Vec<PublishedEvent>, bool), Fault> {
    let mut answers = Row::of(answer)?;
    let mut published = Vec::with_capacity(events);
    for _ in 0..events {
        published.push(published_event(answers.row()?, worker)?);
    }
    let mut routed = answers.row()?;
    while !routed.is_empty() {
        note_routed(&mut published, routed.row()?)?;
    }
    Ok((published, !answers.is_empty()))
}

fn published_event(mut row: Row, worker: Option<WorkerId>) -> Result<PublishedEvent, Fault> {
    let word = row.raw()?;
    let (duplicate, conflict) = (word != b"0", word == b"2");
    let event_id = row.text()?;
    let mut runs = Vec::new();
    while !row.is_empty() {
        let (run_id, function_id) = (row.text()?, row.text()?);
        let run = row.number()?;
        let token = row.optional_number()?;
        let lease = worker
            .zip(token)
            .map(|(worker, token)| Lease::new(run, worker, token));
        runs.push(PublishedRun {
            routed: None,
            run_id,
            function_id,
            lease,
        });
    }
    runs.sort_unstable_by(|a, b| a.function_id.cmp(&b.function_id));
    Ok(PublishedEvent {
        event_id,
        duplicate,
        conflict,
        runs,
    })
}
