//! Looking at runs: one, its journal, or a page of them.

use std::sync::Arc;

use sqlx::postgres::{PgBindIterExt as _, PgRow};

use super::{
    database::Database,
    error::Fault,
    looks::Among,
    rows::{Columns, Entries, EntryPlaces, RECORDED, notes, record},
    sql::{Parameters, number},
    text::{from_column, to_column},
};
use crate::{
    plain::Clean,
    store::{
        Entry, FunctionRecord, InLine, Lane, Lease, RunFilter, RunPage, RunRecord, Tag, Timestamp,
        parts::lanes::lane_of,
    },
};

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
    wait: 10,
    wait_places: 11,
};

impl Database {
    pub(super) async fn run(&self, run: &str) -> Result<Option<RunRecord>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.run, parameters).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut record = record(row)?;
        record.notes = notes(Columns(row), RECORDED)?;
        // Only what flow options were applied to stands in line.
        if record.mark.is_some() && record.due_at.is_some() && !record.status.is_finished() {
            record.in_line = self.in_line(run).await?;
        }
        Ok(Some(record))
    }

    /// The limit that keeps a run waiting.
    async fn in_line(&self, run: &str) -> Result<Option<InLine>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.in_line, parameters).await?;
        let Some(row) = rows.first().map(Columns) else {
            return Ok(None);
        };
        let lane = row.text(0)?;
        let (pool, key) = lane_of(&lane);
        let limit = u32::try_from(row.get::<i64>(1)?).unwrap_or(u32::MAX);
        let held = u32::try_from(row.get::<i64>(2)?).unwrap_or(u32::MAX);
        Ok(Some(InLine::new(Lane::new(pool, key, limit), held)))
    }

    pub(super) async fn journal(&self, run: &str) -> Result<Vec<Entry>, Fault> {
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.journal, parameters).await?;
        let mut entries = Entries::default();
        rows.iter()
            .map(|row| entries.read(Columns(row), &STEP))
            .collect()
    }

    /// Entries of a run, as far as they can be read.
    pub(super) async fn entries_of(&self, run: &str, seqs: &[u32]) -> Result<Vec<Entry>, Fault> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let parameters = Parameters::default().bind(to_column(run));
        let rows = self.rows(&self.sql.journal, parameters).await?;
        let mut entries = Entries::default();
        Ok(rows
            .iter()
            .filter_map(|row| entries.read(Columns(row), &STEP).ok())
            .filter(|entry| seqs.contains(&entry.seq))
            .collect())
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
            let count = usize::try_from(count).map_err(|_| Fault::Row("number of runs"))?;
            Ok(count.min(most))
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
            .bind(filter.until.map(Timestamp::as_millis))
            .bind(filter.due_by.map(Timestamp::as_millis));
        let event = filter.event_id.as_deref().map(to_column);
        let tags: Vec<String> = filter.tags.iter().map(Tag::to_string).collect();
        let tagged = |parameters: Parameters| {
            let tags = tags.iter().map(|tag| to_column(tag));
            parameters.bind(tags.bind_iter())
        };
        let among = self.among(filter).await?;
        let floor = self.floor(among, filter, below).await?;
        let above = floor.unwrap_or(-1);
        let rows = match among {
            Among::All => self.rows(&self.sql.list, parameters.bind(above)).await?,
            Among::Failed => {
                let parameters = parameters.bind(above);
                self.rows(&self.sql.list_of_failed, parameters).await?
            }
            Among::Open => {
                let parameters = parameters.bind(number(filter.looks));
                self.rows(&self.sql.list_of_open, parameters).await?
            }
            Among::Parent => {
                let parent = filter.parent.as_deref().map(to_column);
                let parameters = tagged(parameters).bind(parent).bind(event).bind(above);
                self.rows(&self.sql.list_of_parent, parameters).await?
            }
            Among::Event => {
                let parameters = tagged(parameters).bind(event);
                self.rows(&self.sql.list_of_event, parameters).await?
            }
            Among::Tag => {
                let tag = tags.first().map(|tag| to_column(tag));
                let parameters = tagged(parameters).bind(tag).bind(above);
                self.rows(&self.sql.list_of_tag, parameters).await?
            }
            Among::Due => self.rows(&self.sql.list_of_due, parameters).await?,
        };
        let runs = rows.iter().take(limit).filter_map(readable).collect();
        // One more than the page was asked for, to know whether there is a next one.
        let last = limit
            .checked_sub(1)
            .and_then(|last| rows.get(last))
            .filter(|_| rows.len() > limit);
        let next = last.map(|last| Columns(last).get::<i64>(0)).transpose()?;
        // The one at which it stops is the first that the next page looks at.
        let next = next.or(floor.map(|floor| floor.saturating_add(1)));
        Ok(RunPage {
            runs,
            next: next.map(|number| number.to_string()),
        })
    }

    /// Which of these leases stand no longer.
    pub(super) async fn revoked(&self, leases: &[Lease]) -> Result<Vec<Lease>, Fault> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let parameters = Parameters::default()
            .bind(leases.iter().map(|lease| lease.run).bind_iter())
            .bind(leases.iter().map(|lease| lease.worker.0).bind_iter())
            .bind(leases.iter().map(|lease| lease.token).bind_iter());
        let rows = self.rows_beside(&self.sql.revoked, parameters).await?;
        let revoked = rows.iter().map(|row| {
            let place: i64 = Columns(row).get(0)?;
            let index = usize::try_from(place - 1).ok();
            let lease = index.and_then(|index| leases.get(index));
            lease.copied().ok_or(Fault::Row("place of a lease"))
        });
        revoked.collect()
    }

    /// Every function that is wanted, has runs that have not finished, or is paused.
    pub(super) async fn functions(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<FunctionRecord>, Fault> {
        let parameters = Parameters::default()
            .bind(now.as_millis())
            .bind(number(most));
        let rows = self.rows(&self.sql.functions, parameters).await?;
        let records = rows.iter().map(|row| {
            let columns = Columns(row);
            let (event_types, unfinished): (Vec<String>, i64) = (columns.get(1)?, columns.get(3)?);
            let unfinished = usize::try_from(unfinished).unwrap_or(0);
            let paused_at: Option<i64> = columns.get(4)?;
            Ok(FunctionRecord::new(columns.text(0)?)
                .with_event_types(event_types.iter().map(|name| from_column(name)).collect())
                .with_living(columns.get(2)?)
                .with_unfinished(unfinished.min(most))
                .with_paused_at(paused_at.map(Timestamp::from_millis)))
        });
        records.collect()
    }
}

/// A run for a list: one that cannot be read stops no others.
fn readable(row: &PgRow) -> Option<RunRecord> {
    let read = record(row);
    if let Err(fault) = &read {
        let run: Option<&str> = Columns(row).get(1).ok();
        let run = run.map(|run| tracing::field::display(Clean(run)));
        tracing::warn!(run, fault = %Clean(fault), "cannot read a run; it is left out of the list");
    }
    read.ok()
}
