//! Values in Postgres as they are kept, and others in their place.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    database::Database,
    error::Fault,
    rows::Columns,
    sql::{Parameters, number},
    text::{from_column, to_column},
};
use crate::store::{StoredEvent, StoredEvents, Substitute, ValueOf};

impl Database {
    /// Events by their numbers, from behind one of them.
    pub(super) async fn events(&self, after: i64, limit: usize) -> Result<StoredEvents, Fault> {
        let parameters = Parameters::default().bind(after).bind(number(limit));
        let rows = self.rows(&self.sql.events, parameters).await?;
        let (mut events, mut last) = (Vec::new(), after);
        for row in &rows {
            let row = Columns(row);
            last = row.get(0)?;
            let key: Option<&str> = row.get(3)?;
            let payload: &[u8] = row.get(4)?;
            let event = StoredEvent::new(
                &*from_column(row.get(1)?),
                &*from_column(row.get(2)?),
                payload,
            );
            events.push(event.with_correlation_key(key.map(|key| (&*from_column(key)).into())));
        }
        let next = (events.len() == limit).then(|| last.to_string());
        Ok(StoredEvents::new(events).with_next(next))
    }

    /// Puts values in the place of others that are there; how many. If this is sent twice, that is the number of the second time.
    pub(super) async fn substitute(&self, values: &[Substitute]) -> Result<usize, Fault> {
        let (mut events, mut results, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            match &value.of {
                ValueOf::Event(id) => events.push((id, 0, value)),
                ValueOf::Result(run_id) => results.push((run_id, 0, value)),
                ValueOf::Entry { run_id, seq } => {
                    entries.push((run_id, seq.cast_signed(), value));
                }
            }
        }
        let mut substituted = 0;
        for (statement, values, has_seqs) in [
            (&self.sql.substitute_events, events, false),
            (&self.sql.substitute_results, results, false),
            (&self.sql.substitute_entries, entries, true),
        ] {
            if values.is_empty() {
                continue;
            }
            let write = |_| {
                let ids = values.iter().map(|(id, ..)| to_column(id));
                let from = values.iter().map(|(.., value)| &*value.from);
                let to = values.iter().map(|(.., value)| &*value.to);
                let mut parameters = Parameters::default()
                    .bind(ids.bind_iter())
                    .bind(from.bind_iter())
                    .bind(to.bind_iter());
                if has_seqs {
                    let seqs = values.iter().map(|(_, seq, _)| *seq);
                    parameters = parameters.bind(seqs.bind_iter());
                }
                self.rows(statement, parameters)
            };
            substituted += self.insist(write).await?.len();
        }
        Ok(substituted)
    }
}
