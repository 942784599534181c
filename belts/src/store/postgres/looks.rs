//! Among which runs a list looks, so that few are looked at in vain; and where it stops.

use super::{
    database::Database,
    error::Fault,
    rows::Columns,
    sql::{Parameters, number},
    text::{from_column, to_column},
};
use crate::store::{EndedGroup, EndedLately, RunFilter, RunStatus, Tag, Timestamp};

/// The runs that a list goes through, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    All,
    /// Those that failed or were cancelled.
    Failed,
    /// Those that are not over, if they are few.
    Open,
    Event,
    Parent,
    Tag,
    /// Those of a function that wait for a worker.
    Due,
}

impl Database {
    pub(super) async fn among(&self, filter: &RunFilter) -> Result<Among, Fault> {
        let all = |statuses: fn(RunStatus) -> bool| {
            !filter.statuses.is_empty() && filter.statuses.iter().all(|status| statuses(*status))
        };
        if filter.parent.is_some() {
            return Ok(Among::Parent);
        }
        if filter.event_id.is_some() {
            return Ok(Among::Event);
        }
        if !filter.tags.is_empty() {
            return Ok(Among::Tag);
        }
        if filter.due_by.is_some() {
            let of_function = filter.function_id.is_some();
            return Ok(if of_function { Among::Due } else { Among::All });
        }
        if all(|status| matches!(status, RunStatus::Failed | RunStatus::Cancelled)) {
            return Ok(Among::Failed);
        }
        if all(|status| !status.is_finished()) && self.are_few(filter).await? {
            return Ok(Among::Open);
        }
        Ok(Among::All)
    }

    /// Whether no more runs are open than the list may look at.
    async fn are_few(&self, filter: &RunFilter) -> Result<bool, Fault> {
        if filter.looks == 0 {
            return Ok(false);
        }
        let looks = number(filter.looks);
        let parameters = Parameters::default().bind(looks.saturating_add(1));
        let rows = self.rows(&self.sql.open_runs, parameters).await?;
        let counted: i64 = match rows.first() {
            Some(row) => Columns(row).get(0)?,
            None => 0,
        };
        Ok(counted <= looks)
    }

    /// The number of the first run that is not looked at any more, if there is one.
    pub(super) async fn floor(
        &self,
        among: Among,
        filter: &RunFilter,
        below: i64,
    ) -> Result<Option<i64>, Fault> {
        if filter.looks == 0 {
            return Ok(None);
        }
        let parameters = Parameters::default().bind(below).bind(number(filter.looks));
        let rows = match among {
            Among::All => self.rows(&self.sql.floor, parameters).await?,
            Among::Failed => self.rows(&self.sql.floor_of_failed, parameters).await?,
            Among::Parent => {
                let parameters = parameters.bind(filter.parent.as_deref().map(to_column));
                self.rows(&self.sql.floor_of_parent, parameters).await?
            }
            Among::Tag => {
                let tag = filter.tags.first().map(Tag::to_string);
                let parameters = parameters.bind(tag.as_deref().map(to_column));
                self.rows(&self.sql.floor_of_tag, parameters).await?
            }
            Among::Event | Among::Due | Among::Open => return Ok(None),
        };
        rows.first().map(|row| Columns(row).get(0)).transpose()
    }

    /// How many runs ended lately, by the index in which they stand as they ended.
    pub(super) async fn ended(&self, since: Timestamp, most: usize) -> Result<EndedLately, Fault> {
        let parameters = Parameters::default()
            .bind(since.as_millis())
            .bind(number(most));
        let rows = self.rows(&self.sql.ended, parameters).await?;
        let (mut groups, mut all, mut first) = (Vec::new(), 0, i64::MAX);
        for row in &rows {
            let columns = Columns(row);
            let (status, runs): (&str, i64) = (columns.get(1)?, columns.get(2)?);
            let status = RunStatus::ALL
                .into_iter()
                .find(|known| known.as_str() == status);
            let runs = usize::try_from(runs).map_err(|_| Fault::Row("number of runs"))?;
            (all, first) = (all + runs, first.min(columns.get(4)?));
            groups.push(EndedGroup::new(
                from_column(columns.get(0)?),
                status.ok_or(Fault::Row("status of a run"))?,
                runs,
                Timestamp::from_millis(columns.get(3)?),
            ));
        }
        let since = if all < most {
            since
        } else {
            Timestamp::from_millis(first).max(since)
        };
        Ok(EndedLately::new(since, groups))
    }
}
