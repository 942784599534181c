//! How records are written in rows: small numbers for states, and JSON bytes as they came.

use std::sync::Arc;

use rusqlite::{Row, types::ValueRef};

use super::{error::Fault, names::Dictionary};
use crate::store::{Entry, RunRecord, RunStatus, StepKind, StepState, Timestamp};

pub(super) const fn status_number(status: RunStatus) -> i64 {
    match status {
        RunStatus::Pending => 0,
        RunStatus::Running => 1,
        RunStatus::Suspended => 2,
        RunStatus::Stopped => 3,
        RunStatus::Completed => 4,
        RunStatus::Failed => 5,
        RunStatus::Cancelled => 6,
    }
}

/// The numbers from here on are those of runs that are over.
pub(super) const FIRST_FINISHED: i64 = 4;

fn status(number: i64) -> Result<RunStatus, Fault> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status_number(*status) == number)
        .ok_or(Fault::Row("status of a run"))
}

pub(super) const fn kind_number(kind: StepKind) -> i64 {
    match kind {
        StepKind::Step => 0,
        StepKind::Sleep => 1,
    }
}

fn kind(number: i64) -> Result<StepKind, Fault> {
    match number {
        0 => Ok(StepKind::Step),
        1 => Ok(StepKind::Sleep),
        _ => Err(Fault::Row("kind of a step")),
    }
}

pub(super) const fn state_number(state: StepState) -> i64 {
    match state {
        StepState::Completed => 0,
        StepState::Waiting => 1,
        StepState::Failed => 2,
    }
}

fn state(number: i64) -> Result<StepState, Fault> {
    match number {
        0 => Ok(StepState::Completed),
        1 => Ok(StepState::Waiting),
        2 => Ok(StepState::Failed),
        _ => Err(Fault::Row("state of a step")),
    }
}

/// The columns that [`entry`] reads.
pub(super) const JOURNAL: &str =
    "SELECT seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value
     FROM steps WHERE run = ?1 ORDER BY seq";

pub(super) fn entry(row: &Row<'_>, names: &mut Dictionary<'_>) -> Result<Entry, Fault> {
    Ok(Entry {
        seq: small(row, 0)?,
        path: text(row, 1)?,
        kind: kind(row.get(2)?)?,
        state: state(row.get(3)?)?,
        type_name: names.name(row.get(4)?)?,
        attempts: small(row, 5)?,
        due_at: time(row, 6)?,
        started_at: Timestamp::from_millis(row.get(7)?),
        finished_at: time(row, 8)?,
        value: bytes(row, 9)?,
    })
}

/// The columns that [`record`] reads.
macro_rules! record_columns {
    () => {
        "runs.number, runs.id, runs.function, events.id, events.event_type, events.payload, status, failed_attempts,
         result, published_at, started_at, finished_at, due_at"
    };
}
pub(super) use record_columns;

pub(super) fn record(row: &Row<'_>, names: &mut Dictionary<'_>) -> Result<RunRecord, Fault> {
    let function_id = names.name(row.get(2)?)?;
    let event = (text(row, 3)?, names.name(row.get(4)?)?, bytes(row, 5)?);
    let created_at = Timestamp::from_millis(row.get(9)?);
    let mut record = RunRecord::new(
        text(row, 1)?,
        function_id,
        event,
        status(row.get(6)?)?,
        created_at,
    );
    record.failed_attempts = small(row, 7)?;
    record.result = match row.get_ref(8)? {
        ValueRef::Null => None,
        _ => Some(bytes(row, 8)?),
    };
    record.started_at = time(row, 10)?;
    record.finished_at = time(row, 11)?;
    record.due_at = time(row, 12)?;
    Ok(record)
}

pub(super) fn text(row: &Row<'_>, column: usize) -> Result<Arc<str>, Fault> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map(Arc::from)
            .map_err(|_| Fault::Row("text")),
        _ => Err(Fault::Row("text")),
    }
}

pub(super) fn bytes(row: &Row<'_>, column: usize) -> Result<Arc<[u8]>, Fault> {
    match row.get_ref(column)? {
        ValueRef::Blob([]) => Ok(Arc::default()),
        ValueRef::Blob(bytes) => Ok(Arc::from(bytes)),
        _ => Err(Fault::Row("value")),
    }
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(super) fn small(row: &Row<'_>, column: usize) -> Result<u32, Fault> {
    u32::try_from(row.get::<_, i64>(column)?).map_err(|_| Fault::Row("number"))
}
