//! The waits of runs in Redis: how an entry with a wait is written, and what has arrived.

use super::{
    Fault, Redis,
    reply::{self, Row},
    rows::{self, lease_text},
    script::{self, Call},
    wait_header::after_text,
};
use crate::{
    error::Result,
    store::{Arrival, Entry, Lease, StepKind, StepState, Wait, parts::MAX_ARRIVED_BYTES},
};

/// The most leases that one call looks at: others wait meanwhile.
const ARRIVED_BATCH: usize = 1_000;

/// Whether an entry opens, moves or closes a wait.
pub(super) fn concerns_waits(entry: &Entry) -> bool {
    entry.wait.is_some() || entry.kind == StepKind::Wait
}

/// An entry that waits, in two parts between which the script writes places; or one that does not wait, or no more.
pub(super) fn add_wait(call: &mut Call, entry: &Entry) {
    let wait = entry.wait.as_ref();
    let open = wait.filter(|_| entry.state == StepState::Waiting);
    let Some(Wait::Event { types, key }) = open else {
        call.arg(entry.seq)
            .arg(rows::encode_entry(entry))
            .arg("")
            .optional(None)
            .arg(0);
        return;
    };
    let bytes = rows::encode_entry(entry);
    let (head, tail) = around_places(&bytes);
    call.arg(entry.seq)
        .arg(head)
        .arg(tail)
        .optional(key.as_deref())
        .arg(types.len());
    for awaited in types.iter() {
        call.arg(&*awaited.event_type)
            .arg(after_text(awaited.after));
    }
}

/// What stands before the places of an entry that waits, and behind them: they are the last thing in its header.
fn around_places(entry: &[u8]) -> (&[u8], &[u8]) {
    let line = entry.iter().position(|byte| *byte == b'\n');
    let header = &entry[..line.unwrap_or(entry.len())];
    let end = header.iter().rposition(|byte| *byte == b']');
    let begin = header.iter().rposition(|byte| *byte == b'[');
    let (begin, end) = begin.zip(end).unwrap_or((header.len(), header.len()));
    (&entry[..(begin + 1).min(end)], &entry[end..])
}

impl Redis {
    pub(super) async fn arrived_for(&self, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>> {
        let mut arrived = Vec::new();
        let mut room = MAX_ARRIVED_BYTES;
        for leases in leases.chunks(ARRIVED_BATCH) {
            let answer = self.run(|_| {
                let mut call = self.call(&script::ARRIVED);
                call.arg(room);
                for lease in leases {
                    call.arg(lease.run).arg(lease_text(lease));
                }
                call
            });
            let found = self.read(arrived_of(answer.await?, leases))?;
            let bytes = |arrivals: &[Arrival]| -> usize {
                arrivals.iter().map(|arrival| arrival.payload.len()).sum()
            };
            let brought: usize = found.iter().map(|(_, arrivals)| bytes(arrivals)).sum();
            room = room.saturating_sub(brought);
            arrived.extend(found);
        }
        Ok(arrived)
    }
}

fn arrived_of(answer: redis::Value, leases: &[Lease]) -> Result<Vec<(Lease, Vec<Arrival>)>, Fault> {
    let mut row = Row::of(answer)?;
    let mut all = Vec::new();
    while !row.is_empty() {
        let lease = leases.get(reply::count(&row.value())?);
        let lease = lease.ok_or(Fault::Reply("place of a lease"))?;
        all.push((*lease, arrivals(row.row()?)?));
    }
    Ok(all)
}

/// Events that have arrived, by `seq`, then by place.
pub(super) fn arrivals(mut row: Row) -> Result<Vec<Arrival>, Fault> {
    let mut arrivals = Vec::new();
    while !row.is_empty() {
        let (seq, place, event_id) = (row.number()?, row.number()?, row.text()?);
        let event = rows::decode_event(&row.raw()?)?;
        arrivals.push(Arrival {
            seq,
            place,
            event_id,
            event_type: event.event_type,
            payload: event.payload,
        });
    }
    Ok(arrivals)
}
