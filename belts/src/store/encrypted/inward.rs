//! What comes from the store: opened, as far as the keys are here. What is not sealed was written without encryption.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Held,
    entry::{self, secret_key},
    twins,
};
use crate::{
    codec::sealed::{in_event, key_of},
    error::Result,
    seal::{Place, Sealer},
    store::{Arrival, ClaimedRun, ENDED, Entry, Lease, RunRecord, StepState, StoredEvent},
};

/// Opens a run that was claimed. What it returns are its open waits, if they wait under other keys than publishers now use: as they
/// are to be written instead.
pub(super) fn run(
    sealer: &Sealer,
    held: &Held,
    run: &mut ClaimedRun,
) -> Result<Vec<(Lease, Entry)>> {
    let place = Place::Event {
        id: &run.event_id,
        event_type: &run.event_type,
    };
    let opened = sealer.open(place, &run.payload);
    let is_from_before = match &opened {
        Some(opened) => opened.label.as_deref() == Some(twins::FROM_BEFORE),
        None => key_of(&run.payload).is_none(),
    };
    if let Some(opened) = opened {
        run.payload = opened.value;
    }
    if let Some(error) = run
        .undoing
        .as_mut()
        .and_then(|undoing| undoing.error.as_mut())
    {
        let place = Place::Result {
            run_id: &run.run_id,
        };
        open(sealer, place, error);
    }
    if is_from_before {
        held.note_from_before(run.lease);
    }
    let twins = twins::hide(&mut run.journal);
    let mut moved = Vec::new();
    for written in &mut run.journal {
        held.note(run.lease, written);
        let stored = written.wait.as_mut().and_then(secret_key).cloned();
        entry::open(sealer, &run.run_id, written);
        let own = written.seq;
        let lanes = twins.iter().filter(|(seq, _)| *seq == own);
        let lanes: Vec<&Arc<str>> = lanes.map(|(_, lane)| lane).chain(&stored).collect();
        if lacks_a_lane(sealer, written, &lanes, is_from_before) {
            let twins = twins::of(sealer, &run.run_id, written, is_from_before)?;
            let mut again = written.clone();
            entry::seal(sealer, &run.run_id, &mut again)?;
            moved.push((run.lease, again));
            moved.extend(twins.into_iter().map(|twin| (run.lease, twin)));
        }
    }
    arrivals(sealer, held, run.lease, &mut run.arrivals);
    Ok(moved)
}

/// Whether an entry waits, and not under all keys under which it is to look: they may have changed, and a rerun may have dropped twins.
fn lacks_a_lane(
    sealer: &Sealer,
    waiting: &mut Entry,
    lanes: &[&Arc<str>],
    is_from_before: bool,
) -> bool {
    if waiting.state != StepState::Waiting || key_of(&waiting.value).is_some() {
        return false;
    }
    let Some(key) = waiting.wait.as_mut().and_then(secret_key) else {
        return false;
    };
    let plain = is_from_before.then(|| Arc::clone(key));
    let hashes = sealer.earlier_hashes(key).chain([sealer.hashed(key)]);
    let mut wanted = hashes.chain(plain);
    wanted.any(|wanted| !lanes.contains(&&wanted))
}

/// Whether an entry waits, and under no key by which events are published now. `stored` is the key that it is stored with, and
/// `has_twin` tells whether a twin has another.
pub(super) fn is_elsewhere(
    sealer: &Sealer,
    waiting: &mut Entry,
    stored: Option<Arc<str>>,
    has_twin: impl FnOnce(&Arc<str>) -> bool,
) -> bool {
    if waiting.state != StepState::Waiting || key_of(&waiting.value).is_some() {
        return false;
    }
    let key = waiting.wait.as_mut().and_then(secret_key);
    match (stored, key.map(|key| sealer.hashed(key))) {
        (Some(stored), Some(hashed)) => stored != hashed && !has_twin(&hashed),
        _ => false,
    }
}

/// Opens what has arrived for a run.
pub(super) fn arrivals(sealer: &Sealer, held: &Held, lease: Lease, arrivals: &mut Vec<Arrival>) {
    twins::merge(arrivals);
    for arrival in arrivals {
        if &*arrival.event_type == ENDED {
            if let Some(child) = held.child(lease, arrival.seq)
                && let Some(told) = told(&arrival.payload, |result| {
                    let place = Place::Result { run_id: &child };
                    Some(sealer.open(place, result)?.value)
                })
            {
                arrival.payload = told;
            }
            continue;
        }
        let place = Place::Event {
            id: &arrival.event_id,
            event_type: &arrival.event_type,
        };
        open(sealer, place, &mut arrival.payload);
    }
}

/// Opens the record of a run.
pub(super) fn record(sealer: &Sealer, record: &mut RunRecord) {
    let place = Place::Event {
        id: &record.event_id,
        event_type: &record.event_type,
    };
    open(sealer, place, &mut record.payload);
    if let Some(result) = &mut record.result {
        let place = Place::Result {
            run_id: &record.run_id,
        };
        open(sealer, place, result);
    }
}

/// Opens an event that is one of a run.
pub(super) fn stored(sealer: &Sealer, event: &mut StoredEvent) {
    let place = Place::Event {
        id: &event.id,
        event_type: &event.event_type,
    };
    open(sealer, place, &mut event.payload);
}

fn open(sealer: &Sealer, place: Place<'_>, value: &mut Arc<[u8]>) {
    if let Some(opened) = sealer.open(place, value) {
        *value = opened.value;
    }
}

/// What is told of the end of a run, with another result in place of a sealed one.
pub(super) fn told(
    payload: &[u8],
    change: impl FnOnce(&[u8]) -> Option<Arc<[u8]>>,
) -> Option<Arc<[u8]>> {
    #[derive(Deserialize)]
    struct Told<'a> {
        status: &'a str,
        #[serde(borrow)]
        result: &'a RawValue,
    }

    in_event(payload)?;
    let told: Told<'_> = serde_json::from_slice(payload).ok()?;
    let result = change(told.result.get().as_bytes())?;
    let parts: [&[u8]; 5] = [
        b"{\"status\":\"",
        told.status.as_bytes(),
        b"\",\"result\":",
        &result,
        b"}",
    ];
    Some(parts.concat().into())
}
