//! Looking at runs: one, its journal, or a page of them.

use std::sync::Arc;

use sqlx::postgres::PgBindIterExt as _;

use super::{
    claim::number,
    database::Database,
    error::Fault,
    rows::{Columns, Entries, EntryPlaces, record},
    sql::Parameters,
    text::to_column,
};
use crate::store::{Entry, RunFilter, RunPage, RunRecord, Timestamp};

/// Where the columns of a journal stand.
const STEP: EntryPlaces = EntryPlaces {
    seq: 0,
    attempts: 1,
    due_at: 2,
    started_at: 3,
    finished_at: 4,
    path: 5,
    kind: 6,
    state: 7,
    type_name: 8,
    value: 9,
};

impl Database {
    pub(super) async fn run(&self, run: &str) -> Result<Option<RunRecord>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.run, parameters).await?;
        rows.first().map(record).transpose()
    }

    pub(super) async fn journal(&self, run: &str) -> Result<Vec<Entry>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.journal, parameters).await?;
        let mut entries = Entries::default();
        rows.iter()
            .map(|row| entries.read(Columns(row), &STEP))
            .collect()
    }

    /// How many runs of each function are due.
    pub(super) async fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>, Fault> {
        let asked = functions.iter().map(|id| to_column(id));
        let parameters = Parameters::default()
            .bind(asked.bind_iter())
            .bind(now.as_millis())
            .bind(number(most));
        let rows = self.rows(&self.sql.backlog, parameters).await?;
        let counts = rows.iter().map(|row| {
            let count: i64 = Columns(row).get(0)?;
            usize::try_from(count).map_err(|_| Fault::Row("number of runs"))
        });
        counts.collect()
    }

    /// A page of runs whose number is below `below`; the filter's own mark was read already.
    pub(super) async fn list(
        &self,
        filter: &RunFilter,
        limit: usize,
        below: i64,
    ) -> Result<RunPage, Fault> {
        let statuses: Vec<&str> = filter
            .statuses
            .iter()
            .map(|status| status.as_str())
            .collect();
        let parameters = Parameters::default()
            .bind(below)
            .bind(filter.function_id.as_deref().map(to_column))
            .bind(statuses)
            .bind(number(limit).saturating_add(1))
            .bind(filter.since.map(Timestamp::as_millis))
            .bind(filter.until.map(Timestamp::as_millis));
        let rows = match &filter.event_id {
            None => self.rows(&self.sql.list, parameters).await?,
            Some(event_id) => {
                self.rows(
                    &self.sql.list_of_event,
                    parameters.bind(to_column(event_id)),
                )
                .await?
            }
        };
        let runs = rows
            .iter()
            .take(limit)
            .map(record)
            .collect::<Result<_, _>>()?;
        // One more than the page was asked for, to know whether there is a next one.
        let last = limit
            .checked_sub(1)
            .and_then(|last| rows.get(last))
            .filter(|_| rows.len() > limit);
        let next = last.map(|last| Columns(last).get::<i64>(0)).transpose()?;
        Ok(RunPage {
            runs,
            next: next.map(|number| number.to_string()),
        })
    }
}
