//! The schedules of a store, listed and with the ticks that are to come.

use std::sync::Arc;

use super::{
    Schedules,
    scheduled::{PlannedTick, ScheduleRecord, with_function},
};
use crate::{
    clock::Timestamp, error::Result, plain::Clean, schedule::Kept, store::FunctionRecord,
    worker::clockwork,
};

impl Schedules {
    /// Every schedule that this program can read, sorted by name. Of another one, whose key it lacks or which a newer belts has written,
    /// only the log tells.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn list(&self) -> Result<Vec<ScheduleRecord>> {
        let functions = self.functions().await?;
        let mut all = Vec::new();
        let mut last: Option<Arc<str>> = None;
        loop {
            let (page, next) = self
                .page_of(&functions, last.as_deref(), clockwork::PAGE)
                .await?;
            all.extend(page);
            match next {
                Some(next) => last = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// The schedules behind this name, so many at most; the last name that was looked at, if there are more.
    #[cfg(feature = "http")]
    pub(crate) async fn page(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> Result<(Vec<ScheduleRecord>, Option<Arc<str>>)> {
        let functions = self.functions().await?;
        self.page_of(&functions, after, most).await
    }

    async fn page_of(
        &self,
        functions: &[FunctionRecord],
        after: Option<&str>,
        most: usize,
    ) -> Result<(Vec<ScheduleRecord>, Option<Arc<str>>)> {
        let rows = self.runs.store.schedules(after, most).await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            match Kept::read(&row.value) {
                Ok(kept) => page.push(with_function(ScheduleRecord::of(row, kept), functions)),
                Err(error) => {
                    tracing::warn!(schedule = %Clean(&row.name), error = %error.report(), "a schedule cannot be read here");
                }
            }
        }
        let last = rows.last().filter(|_| rows.len() == most);
        Ok((page, last.map(|row| Arc::clone(&row.name))))
    }

    /// One schedule.
    ///
    /// # Errors
    /// Of kind [`UnknownSchedule`](crate::ErrorKind::UnknownSchedule): there is none of that name. Also if the store cannot be reached.
    pub async fn get(&self, name: &str) -> Result<ScheduleRecord> {
        let (row, kept) = self.read(name).await?;
        self.live(ScheduleRecord::of(&row, kept)).await
    }

    /// The next ticks of all schedules, so many at most, in their order; none of what is paused, or what this program cannot follow.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn next(&self, count: usize) -> Result<Vec<PlannedTick>> {
        let mut all = Vec::new();
        for record in self.list().await?.iter().filter(|record| record.living) {
            let ticks = record.next(count).unwrap_or_default().into_iter();
            all.extend(ticks.map(|scheduled_at| PlannedTick {
                scheduled_at,
                schedule: Arc::clone(&record.name),
                function_id: Arc::clone(&record.function_id),
            }));
        }
        all.sort_unstable();
        all.truncate(count);
        Ok(all)
    }

    /// The next ticks of one schedule, so many at most.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if this program cannot follow the schedule.
    pub async fn next_of(&self, name: &str, count: usize) -> Result<Vec<Timestamp>> {
        self.get(name).await?.next(count)
    }
}
