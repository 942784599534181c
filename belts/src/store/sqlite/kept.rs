//! Values in SQLite as they are kept, and others in their place.

use rusqlite::{Connection, params};

use super::{
    error::Fault,
    names::{Dictionary, SharedNames},
    tx::Tx,
};
use crate::store::{StoredEvent, StoredEvents, Substitute, ValueOf};

/// Events by their numbers, from behind one of them.
pub(super) fn events(
    connection: &Connection,
    names: &SharedNames,
    after: i64,
    limit: usize,
) -> Result<StoredEvents, Fault> {
    let mut dictionary = Dictionary::new(connection, names);
    let mut statement = connection.prepare_cached(
        "SELECT number, id, event_type, correlation_key, payload FROM events WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![after, most])?;
    let (mut events, mut last) = (Vec::new(), after);
    while let Some(row) = found.next()? {
        last = row.get(0)?;
        let id: String = row.get(1)?;
        let key: Option<String> = row.get(3)?;
        let payload: Vec<u8> = row.get(4)?;
        let event = StoredEvent::new(id, dictionary.name(row.get(2)?)?, payload);
        events.push(event.with_correlation_key(key.map(Into::into)));
    }
    let next = (events.len() == limit).then(|| last.to_string());
    Ok(StoredEvents::new(events).with_next(next))
}

impl Tx<'_> {
    /// Puts values in the place of others that are there; how many.
    pub(super) fn substitute(&mut self, values: &[Substitute]) -> Result<usize, Fault> {
        let mut substituted = 0;
        for Substitute { of, from, to } in values {
            substituted += match of {
                ValueOf::Event(id) => self.execute(
                    "UPDATE events SET payload = ?3 WHERE id = ?1 AND payload = ?2",
                    params![&**id, &**from, &**to],
                )?,
                ValueOf::Result(run_id) => self.execute(
                    "UPDATE runs SET result = ?3, undo_result = CASE WHEN undo_result = ?2 THEN ?3 ELSE undo_result END
                     WHERE id = ?1 AND result = ?2",
                    params![&**run_id, &**from, &**to],
                )?,
                ValueOf::Entry { run_id, seq } => self.execute(
                    "UPDATE steps SET value = ?4 WHERE run = (SELECT number FROM runs WHERE id = ?1) AND seq = ?2 AND value = ?3",
                    params![&**run_id, seq, &**from, &**to],
                )?,
            };
        }
        Ok(substituted)
    }
}
