//! Schedules in Postgres.

use std::sync::Arc;

use sqlx::postgres::{PgBindIterExt as _, PgRow};

use super::{
    database::Database,
    error::Fault,
    others::bind_starts_of,
    rows::Columns,
    sql::{Parameters, number},
    text::to_column,
};
use crate::store::{DueSchedules, ScheduleChange, ScheduleRow, Timestamp};

/// A row of `name, function_id, due_at, version, value`.
fn read(row: &PgRow) -> Result<ScheduleRow, Fault> {
    let columns = Columns(row);
    let mut read = ScheduleRow::new(columns.text(0)?, columns.text(1)?, columns.bytes(4)?);
    read.due_at = columns.maybe_time(2)?;
    read.version = columns.get(3)?;
    Ok(read)
}

impl Database {
    pub(super) async fn due_schedules(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<DueSchedules, Fault> {
        let look = |_| {
            let parameters = Parameters::default()
                .bind(functions.iter().map(|id| to_column(id)).bind_iter())
                .bind(now.as_millis())
                .bind(number(most.saturating_add(1)));
            self.rows(&self.sql.due_schedules, parameters)
        };
        let rows = self.insist(look).await?;
        let mut due = Vec::new();
        for row in &rows {
            let due_at = Columns(row).maybe_time(2)?;
            if due.len() == most || due_at.is_some_and(|due_at| due_at > now) {
                return Ok(DueSchedules::new(due).with_next(due_at));
            }
            due.push(read(row)?);
        }
        Ok(DueSchedules::new(due))
    }

    /// Writes schedules in the order of their names, in which everybody locks them; the answers stand in the order of the changes.
    pub(super) async fn change_schedules(
        &self,
        changes: &[ScheduleChange],
        now: Timestamp,
    ) -> Result<Vec<bool>, Fault> {
        let mut order: Vec<usize> = (0..changes.len()).collect();
        order.sort_by(|a, b| changes[*a].name.cmp(&changes[*b].name));
        let sorted = || order.iter().map(|place| &changes[*place]);
        let rows = || sorted().map(|change| change.to.as_ref());
        let places = (1..).zip(sorted());
        let starts: Vec<_> = places
            .flat_map(|(place, change)| change.starts.iter().map(move |event| (place, event)))
            .collect();
        let change = async |_| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(now.as_millis())
                .bind(sorted().map(|change| to_column(&change.name)).bind_iter())
                .bind(sorted().map(|change| change.read).bind_iter())
                .bind(
                    rows()
                        .map(|row| row.map(|row| to_column(&row.function_id)))
                        .bind_iter(),
                )
                .bind(
                    rows()
                        .map(|row| row.and_then(|row| row.due_at).map(Timestamp::as_millis))
                        .bind_iter(),
                )
                .bind(rows().map(|row| row.map(|row| row.version)).bind_iter())
                .bind(rows().map(|row| row.map(|row| &*row.value)).bind_iter());
            let parameters = bind_starts_of(parameters, now, &starts)?;
            let (written,): (Vec<bool>,) = self.row(&self.sql.change_schedules, parameters).await?;
            Ok(written)
        };
        let written = self.insist(change).await?;
        self.wake_if(!starts.is_empty());
        let mut answers = vec![false; changes.len()];
        for (place, written) in order.into_iter().zip(written) {
            answers[place] = written;
        }
        Ok(answers)
    }

    pub(super) async fn schedules(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<ScheduleRow>, Fault> {
        let look = |_| {
            let parameters = Parameters::default()
                .bind(after.map(to_column))
                .bind(number(most));
            self.rows(&self.sql.schedules, parameters)
        };
        self.insist(look).await?.iter().map(read).collect()
    }

    pub(super) async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>, Fault> {
        let look = |_| {
            self.rows(
                &self.sql.schedule,
                Parameters::default().bind(to_column(name)),
            )
        };
        self.insist(look).await?.first().map(read).transpose()
    }
}
