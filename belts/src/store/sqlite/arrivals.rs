//! Events that arrive for waits in SQLite: who is made due by one, and what a run is brought.

use rusqlite::{Connection, OptionalExtension as _, params, types::Value};

use super::{
    columns::{bytes, text},
    error::Fault,
    names::{Dictionary, SharedNames},
    tx::Tx,
};
use crate::store::{Arrival, Lease, Timestamp, parts::MAX_ARRIVED_BYTES};

/// How many delayed events a claim shows at most; the next one shows the rest.
const MAX_SHOWN: i64 = 256;

/// An event that has arrived for a wait.
pub(super) struct Candidate {
    seq: u32,
    place: i64,
    number: i64,
    event_type: i64,
    bytes: usize,
    /// The first of its wait: it is brought whatever its size.
    first: bool,
}

impl Tx<'_> {
    /// Makes the suspended runs due that wait for such an event.
    pub(super) fn wake_waiting(
        &mut self,
        event_type: i64,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let awaited: bool = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM waits WHERE event_type = ?1 AND correlation_key IS ?2)",
            )?
            .query_row(params![event_type, key], |row| row.get(0))?;
        if !awaited {
            return Ok(());
        }
        self.execute(
            // 2 is the status of a suspended run.
            "UPDATE runs SET due_at = ?3
             WHERE number IN (SELECT run FROM waits WHERE event_type = ?1 AND correlation_key IS ?2)
                 AND status = 2 AND worker IS NULL AND keeps_time IS NULL AND (due_at IS NULL OR due_at > ?3)",
            params![event_type, key, now.as_millis()],
        )?;
        // Those who drive a run that waits want to know as well.
        self.wakes = true;
        Ok(())
    }

    /// Shows all delayed events that fell due until then: what is recorded next is to find them.
    pub(super) fn show_all_due(&mut self, until: Timestamp, now: Timestamp) -> Result<(), Fault> {
        while self.show_due(until, now)? {}
        Ok(())
    }

    /// Shows the delayed events that fell due until then, in the order of their times; whether there may be more.
    pub(super) fn show_due(&mut self, until: Timestamp, now: Timestamp) -> Result<bool, Fault> {
        let due: Vec<(i64, i64, Option<String>)> = self
            .connection
            .prepare_cached(
                "SELECT number, event_type, correlation_key FROM events
                 WHERE place = 0 AND visible_at <= ?1 ORDER BY visible_at, number LIMIT ?2",
            )?
            .query_map(params![until.as_millis(), MAX_SHOWN], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let more = i64::try_from(due.len()).is_ok_and(|count| count == MAX_SHOWN);
        for (number, event_type, key) in due {
            let place = self.next_place()?;
            self.execute(
                "UPDATE events SET place = ?2 WHERE number = ?1",
                params![number, place],
            )?;
            self.wake_waiting(event_type, key.as_deref(), now)?;
        }
        Ok(more)
    }

    /// When the next delayed event that somebody may wait for becomes visible.
    pub(super) fn next_to_show(&self) -> Result<Option<Timestamp>, Fault> {
        let next = self
            .connection
            .prepare_cached(
                "SELECT visible_at FROM events WHERE place = 0 ORDER BY visible_at LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(next.map(Timestamp::from_millis))
    }

    /// Makes a run due at once that was suspended though something had arrived for it.
    pub(super) fn hurry(&mut self, run: i64, now: Timestamp) -> Result<(), Fault> {
        if self.awaited()?.is_empty() {
            return Ok(());
        }
        let hurried = self.execute(
            // SQLite enters the index with the first of the two conditions on places.
            "UPDATE runs SET due_at = min(coalesce(due_at, ?2), ?2) WHERE number = ?1 AND EXISTS (
                 SELECT 1 FROM waits JOIN events ON events.event_type = waits.event_type
                     AND events.correlation_key IS waits.correlation_key
                 WHERE waits.run = ?1 AND place > cursor AND place > 0 AND events.number <> runs.event)",
            params![run, now.as_millis()],
        )?;
        self.wakes |= hurried > 0;
        Ok(())
    }
}

/// What has arrived for the open waits of a run: by `seq`, then by place, of each wait the earliest. The event that started the run
/// is none of it.
pub(super) fn candidates(connection: &Connection, run: i64) -> Result<Vec<Candidate>, Fault> {
    let waits: Vec<(u32, i64, Value, i64)> = connection
        .prepare_cached("SELECT seq, event_type, correlation_key, cursor FROM waits WHERE run = ?1 ORDER BY seq")?
        .query_map(params![run], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut behind = connection.prepare_cached(
        // SQLite enters the index with the first of the two conditions on places.
        "SELECT place, number, length(payload) FROM events
         WHERE event_type = ?1 AND correlation_key IS ?2 AND place > ?3 AND place > 0
             AND number <> (SELECT event FROM runs WHERE number = ?5)
         ORDER BY place LIMIT ?4",
    )?;
    let most = i64::try_from(Arrival::MOST).unwrap_or(i64::MAX);
    let mut all = Vec::new();
    for of_entry in waits.chunk_by(|a, b| a.0 == b.0) {
        let mut found = Vec::new();
        for (seq, event_type, key, cursor) in of_entry {
            let mut rows = behind.query(params![event_type, key, cursor, most, run])?;
            while let Some(row) = rows.next()? {
                found.push(Candidate {
                    seq: *seq,
                    place: row.get(0)?,
                    number: row.get(1)?,
                    event_type: *event_type,
                    bytes: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX),
                    first: false,
                });
            }
        }
        found.sort_unstable_by_key(|candidate| candidate.place);
        found.truncate(Arrival::MOST);
        if let Some(first) = found.first_mut() {
            first.first = true;
        }
        all.append(&mut found);
    }
    Ok(all)
}

/// The bytes that the first of each wait take.
pub(super) fn least_bytes(candidates: &[Candidate]) -> usize {
    let first = candidates.iter().filter(|candidate| candidate.first);
    first.map(|candidate| candidate.bytes).sum()
}

/// Reads the first of each wait, and more of it as far as there is room.
pub(super) fn read(
    connection: &Connection,
    names: &mut Dictionary<'_>,
    candidates: &[Candidate],
    room: &mut usize,
) -> Result<Vec<Arrival>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT id, payload FROM events WHERE number = ?1")?;
    let mut arrivals = Vec::new();
    for of_entry in candidates.chunk_by(|a, b| a.seq == b.seq) {
        for candidate in of_entry {
            if !candidate.first {
                let Some(left) = room.checked_sub(candidate.bytes) else {
                    break;
                };
                *room = left;
            }
            let mut rows = statement.query(params![candidate.number])?;
            let row = rows.next()?.ok_or(Fault::Row("event"))?;
            arrivals.push(Arrival {
                seq: candidate.seq,
                place: candidate.place,
                event_id: text(row, 0)?,
                event_type: names.name(candidate.event_type)?,
                payload: bytes(row, 1)?,
            });
        }
    }
    Ok(arrivals)
}

/// What has arrived for runs whose leases hold.
pub(super) fn arrived(
    connection: &Connection,
    names: &SharedNames,
    leases: &[Lease],
) -> Result<Vec<(Lease, Vec<Arrival>)>, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut room = MAX_ARRIVED_BYTES;
    let mut all = Vec::new();
    for lease in leases {
        if !super::commit::holds(connection, lease)? {
            continue;
        }
        let candidates = candidates(connection, lease.run)?;
        let arrivals = read(connection, &mut dictionary, &candidates, &mut room)?;
        if !arrivals.is_empty() {
            all.push((*lease, arrivals));
        }
    }
    Ok(all)
}
