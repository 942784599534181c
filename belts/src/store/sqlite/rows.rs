//! How records are written in rows: small numbers for states, and JSON bytes as they came.

use rusqlite::{Row, types::ValueRef};

use super::{
    columns::{bytes, lossy, optional_bytes, small, text, time},
    error::Fault,
    names::Dictionary,
};
use crate::store::{
    Entry, Mark, Note, Parent, RunRecord, RunStatus, StepKind, StepState, Tag, Timestamp, Wait,
    sorted_tags,
};

/// Where a run stands, as its columns say it.
pub(super) fn shown_status(number: i64, undo: Option<i64>) -> Result<RunStatus, Fault> {
    match undo {
        Some(5 | 6) => Ok(RunStatus::Undoing),
        _ => status(number),
    }
}

pub(super) const fn status_number(status: RunStatus) -> i64 {
    match status {
        RunStatus::Pending => 0,
        RunStatus::Running => 1,
        RunStatus::Suspended => 2,
        RunStatus::Stopped => 3,
        RunStatus::Completed => 4,
        RunStatus::Failed => 5,
        RunStatus::Cancelled => 6,
        // In no row: what is decided stands in a column of its own.
        RunStatus::Undoing => 7,
    }
}

/// The numbers from here on are those of runs that are over.
pub(super) const FIRST_FINISHED: i64 = 4;

pub(super) fn status(number: i64) -> Result<RunStatus, Fault> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status_number(*status) == number)
        .ok_or(Fault::Unknown("status of a run"))
}

pub(super) const fn kind_number(kind: StepKind) -> i64 {
    match kind {
        StepKind::Step => 0,
        StepKind::Sleep => 1,
        StepKind::Wait => 2,
        StepKind::Race => 3,
        StepKind::Callback => 4,
        StepKind::Status => 5,
        StepKind::Call => 6,
        StepKind::Start => 7,
        StepKind::Undo => 8,
    }
}

fn kind(number: i64) -> Result<StepKind, Fault> {
    match number {
        0 => Ok(StepKind::Step),
        1 => Ok(StepKind::Sleep),
        2 => Ok(StepKind::Wait),
        3 => Ok(StepKind::Race),
        4 => Ok(StepKind::Callback),
        5 => Ok(StepKind::Status),
        6 => Ok(StepKind::Call),
        7 => Ok(StepKind::Start),
        8 => Ok(StepKind::Undo),
        _ => Err(Fault::Unknown("kind of a step")),
    }
}

/// The number of the state of an entry, which says as well whether it can be undone.
pub(super) const fn entry_state(entry: &Entry) -> i64 {
    match (entry.state, entry.undoable) {
        (StepState::Completed, true) => UNDOABLE,
        (state, _) => state_number(state),
    }
}

/// The state of an entry that is completed and can be undone.
pub(super) const UNDOABLE: i64 = 3;

pub(super) const fn state_number(state: StepState) -> i64 {
    match state {
        StepState::Completed => 0,
        StepState::Waiting => 1,
        StepState::Failed => 2,
    }
}

fn state(number: i64) -> Result<StepState, Fault> {
    match number {
        0 | UNDOABLE => Ok(StepState::Completed),
        1 => Ok(StepState::Waiting),
        2 => Ok(StepState::Failed),
        _ => Err(Fault::Unknown("state of a step")),
    }
}

/// The columns that [`entry`] reads.
pub(super) const JOURNAL: &str =
    "SELECT seq, path, kind, state, type_name, attempts, due_at, started_at, finished_at, value, wait
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
        wait: wait(row.get_ref(10)?)?,
        started_at: Timestamp::from_millis(row.get(7)?),
        finished_at: time(row, 8)?,
        value: bytes(row, 9)?,
        undoable: row.get::<_, i64>(3)? == UNDOABLE,
    })
}

/// What a step waits for, if anything.
pub(super) fn wait(value: ValueRef<'_>) -> Result<Option<Wait>, Fault> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(json) => serde_json::from_slice(json)
            .map(Some)
            .map_err(|_| Fault::Unknown("wait of a step")),
        _ => Err(Fault::Row("wait of a step")),
    }
}

/// The columns that [`record`] reads, with those of the event's payload and of the result.
macro_rules! record_columns {
    ($payload:literal, $result:literal) => {
        concat!(
            "runs.number, runs.id, runs.function, events.id, events.event_type, ",
            $payload,
            ", status, failed_attempts, ",
            $result,
            ", published_at, started_at, finished_at, ",
            // One that stands in line is due.
            "iif(due_at IS NULL AND worker IS NULL AND finished_at IS NULL, line_at + shift, due_at), notes, runs.parent, depth, attached, start_by, finish_by, ",
            "(SELECT json_group_array(tag) FROM tags WHERE run = runs.number), undo, runs.build, runs.flow"
        )
    };
}
pub(super) use record_columns;

/// A run as inspection shows it. What cannot be read is shown as well as can be, so that it is seen.
pub(super) fn record(row: &Row<'_>, names: &mut Dictionary<'_>) -> Result<RunRecord, Fault> {
    let function_id = names.name_or_unknown(row.get(2)?)?;
    let payload = optional_bytes(row, 5)?.unwrap_or_default();
    let event = (lossy(row, 3)?, names.name_or_unknown(row.get(4)?)?, payload);
    let created_at = Timestamp::from_millis(row.get(9)?);
    let finished_at = time(row, 11)?;
    let status = match (shown_status(row.get(6)?, row.get(20)?), finished_at) {
        (Ok(status), _) => status,
        (Err(_), Some(_)) => RunStatus::Failed,
        (Err(_), None) => RunStatus::Suspended,
    };
    let mut record = RunRecord::new(lossy(row, 1)?, function_id, event, status, created_at);
    record.failed_attempts = small(row, 7).unwrap_or(u32::MAX);
    record.result = optional_bytes(row, 8)?;
    record.started_at = time(row, 10)?;
    record.finished_at = finished_at;
    record.due_at = time(row, 12)?;
    record.notes = notes(row, 13)?;
    record.parent = parent(row, 14)?;
    record.start_by = time(row, 17)?;
    record.finish_by = time(row, 18)?;
    record.tags = tags(row, 19)?;
    let build: Option<i64> = row.get(21)?;
    record.build = build
        .map(|build| names.name_or_unknown(build))
        .transpose()?;
    record.mark = row
        .get::<_, Option<String>>(22)?
        .and_then(|mark| Mark::parse(&mark));
    Ok(record)
}

/// The run that started a run, from its id, the depth and whether it is attached.
pub(super) fn parent(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Parent>> {
    if row.get_ref(column)? == ValueRef::Null {
        return Ok(None);
    }
    let depth: Option<u32> = row.get(column + 1)?;
    let attached: Option<bool> = row.get(column + 2)?;
    let mut parent = Parent::new(lossy(row, column)?, depth.unwrap_or(1));
    parent.attached = attached.unwrap_or(false);
    Ok(Some(parent))
}

/// What a run is about, from a list in JSON.
fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Tag>> {
    let ValueRef::Text(json) = row.get_ref(column)? else {
        return Ok(Vec::new());
    };
    let texts: Vec<String> = serde_json::from_slice(json).unwrap_or_default();
    Ok(sorted_tags(texts.iter().map(String::as_str)))
}

/// What people did to a run; notes that cannot be read are none.
pub(super) fn notes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Note>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(json) => serde_json::from_slice(json).unwrap_or_default(),
        _ => Vec::new(),
    })
}
