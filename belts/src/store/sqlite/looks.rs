//! Among which runs a list looks, so that few are looked at in vain; and where it stops.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::Fault;
use crate::store::{RunFilter, RunStatus, Tag};

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

/// The runs that are not over, each at least once: those that wait for a time, those in hand, those that were asked to stop, and
/// those that wait for something to arrive, or for their turn.
macro_rules! open {
    () => {
        "SELECT number FROM runs WHERE due_at IS NOT NULL
         UNION ALL SELECT number FROM runs WHERE worker IS NOT NULL
         UNION ALL SELECT number FROM runs WHERE status = 3
         UNION ALL SELECT number FROM runs WHERE looks_back IS NOT NULL AND finished_at IS NULL
         UNION ALL SELECT number FROM runs WHERE single IS NOT NULL AND finished_at IS NULL
         UNION ALL SELECT number FROM runs WHERE line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL"
    };
}
pub(super) use open;

impl Among {
    pub(super) fn of(connection: &Connection, filter: &RunFilter) -> Result<Self, Fault> {
        let all = |statuses: fn(RunStatus) -> bool| {
            !filter.statuses.is_empty() && filter.statuses.iter().all(|status| statuses(*status))
        };
        Ok(match (&filter.event_id, &filter.parent) {
            (Some(_), _) => Self::Event,
            (None, Some(_)) => Self::Parent,
            (None, None) if !filter.tags.is_empty() => Self::Tag,
            (None, None) if filter.due_by.is_some() => match filter.function_id {
                Some(_) => Self::Due,
                None => Self::All,
            },
            (None, None) if all(|it| matches!(it, RunStatus::Failed | RunStatus::Cancelled)) => {
                Self::Failed
            }
            (None, None) if all(|it| !it.is_finished()) && are_few(connection, filter)? => {
                Self::Open
            }
            (None, None) => Self::All,
        })
    }

    /// The number of the first run that is not looked at any more, if there is one.
    pub(super) fn floor(
        self,
        connection: &Connection,
        filter: &RunFilter,
        below: i64,
    ) -> Result<Option<i64>, Fault> {
        if filter.looks == 0 {
            return Ok(None);
        }
        let sql = match self {
            Self::All => {
                "SELECT number FROM runs WHERE number < ?1 AND ?3 IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?2"
            }
            Self::Failed => {
                "SELECT number FROM runs INDEXED BY runs_failed WHERE status IN (5, 6) AND number < ?1 AND ?3 IS NULL
                 ORDER BY number DESC LIMIT 1 OFFSET ?2"
            }
            Self::Parent => {
                "SELECT number FROM runs WHERE parent = ?3 AND number < ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2"
            }
            Self::Tag => {
                "SELECT run FROM tags WHERE tag = ?3 AND run < ?1 ORDER BY run DESC LIMIT 1 OFFSET ?2"
            }
            Self::Event | Self::Due | Self::Open => return Ok(None),
        };
        let looks = i64::try_from(filter.looks).unwrap_or(i64::MAX);
        let of = match self {
            Self::Parent => filter.parent.as_deref().map(str::to_owned),
            Self::Tag => filter.tags.first().map(Tag::to_string),
            _ => None,
        };
        let mut statement = connection.prepare_cached(sql)?;
        let floor = statement.query_row(params![below, looks, of], |row| row.get(0));
        Ok(floor.optional()?)
    }
}

/// Whether no more runs are open than the list may look at.
fn are_few(connection: &Connection, filter: &RunFilter) -> Result<bool, Fault> {
    if filter.looks == 0 {
        return Ok(false);
    }
    let looks = i64::try_from(filter.looks).unwrap_or(i64::MAX);
    let counted: i64 = connection
        .prepare_cached(concat!("SELECT count(*) FROM (", open!(), " LIMIT ?1 + 1)"))?
        .query_row([looks.min(i64::MAX - 1)], |row| row.get(0))?;
    Ok(counted <= looks)
}

#[cfg(test)]
mod tests;
