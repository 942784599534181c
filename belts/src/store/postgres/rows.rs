//! How records are written in rows: words for states, and JSON bytes as they came.

use std::sync::Arc;

use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};

use super::{error::Fault, text::from_column};
use crate::store::{
    After, AwaitedType, Entry, Mark, Note, Parent, RunRecord, RunStatus, StepKind, StepState,
    Timestamp, Wait, sorted_tags,
};

pub(super) const fn kind_word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Wait => "wait",
        StepKind::Race => "race",
        StepKind::Callback => "callback",
        StepKind::Status => "status",
        StepKind::Call => "call",
        StepKind::Start => "start",
        StepKind::Undo => "undo",
    }
}

fn kind(word: &str) -> Result<StepKind, Fault> {
    match word {
        "step" => Ok(StepKind::Step),
        "sleep" => Ok(StepKind::Sleep),
        "wait" => Ok(StepKind::Wait),
        "race" => Ok(StepKind::Race),
        "callback" => Ok(StepKind::Callback),
        "status" => Ok(StepKind::Status),
        "call" => Ok(StepKind::Call),
        "start" => Ok(StepKind::Start),
        "undo" => Ok(StepKind::Undo),
        _ => Err(Fault::Word("kind of a step")),
    }
}

/// The word for the state of an entry, which says as well whether it can be undone.
pub(super) const fn state_word(entry: &Entry) -> &'static str {
    match (entry.state, entry.undoable) {
        (StepState::Waiting, _) => "waiting",
        (StepState::Completed, false) => "completed",
        (StepState::Completed, true) => UNDOABLE,
        (StepState::Failed, _) => "failed",
    }
}

/// The state of an entry that is completed and can be undone.
const UNDOABLE: &str = "undoable";

fn state(word: &str) -> Result<StepState, Fault> {
    match word {
        "waiting" => Ok(StepState::Waiting),
        "completed" | UNDOABLE => Ok(StepState::Completed),
        "failed" => Ok(StepState::Failed),
        _ => Err(Fault::Word("state of a step")),
    }
}

pub(super) fn status(word: &str) -> Result<RunStatus, Fault> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or(Fault::Word("status of a run"))
}

/// A row whose columns are read by their places.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a>(pub(super) &'a PgRow);

impl<'a> Columns<'a> {
    pub(super) fn get<T>(self, place: usize) -> Result<T, Fault>
    where
        T: Decode<'a, Postgres> + Type<Postgres>,
    {
        self.0.try_get(place).map_err(Fault::from)
    }

    pub(super) fn text(self, place: usize) -> Result<Arc<str>, Fault> {
        self.get(place).map(from_column)
    }

    pub(super) fn maybe_text(self, place: usize) -> Result<Option<Arc<str>>, Fault> {
        let text: Option<&str> = self.get(place)?;
        Ok(text.map(from_column))
    }

    pub(super) fn bytes(self, place: usize) -> Result<Arc<[u8]>, Fault> {
        let bytes: &[u8] = self.get(place)?;
        Ok(Arc::from(bytes))
    }

    pub(super) fn time(self, place: usize) -> Result<Timestamp, Fault> {
        self.get(place).map(Timestamp::from_millis)
    }

    pub(super) fn maybe_time(self, place: usize) -> Result<Option<Timestamp>, Fault> {
        let millis: Option<i64> = self.get(place)?;
        Ok(millis.map(Timestamp::from_millis))
    }

    /// A count: `integer` columns hold all 32 bits of it.
    pub(super) fn count(self, place: usize) -> Result<u32, Fault> {
        self.get(place).map(i32::cast_unsigned)
    }
}

/// Reads entries, of which many have a type in common.
#[derive(Debug, Default)]
pub(super) struct Entries {
    last_type: Arc<str>,
}

impl Entries {
    /// Reads the columns of an entry: `seq` at the first place, then `attempts`, the times, and the words.
    pub(super) fn read(
        &mut self,
        columns: Columns<'_>,
        places: &EntryPlaces,
    ) -> Result<Entry, Fault> {
        let type_name: &str = columns.get(places.type_name)?;
        if *self.last_type != *type_name || type_name.contains('\u{1}') {
            self.last_type = from_column(type_name);
        }
        Ok(Entry {
            seq: columns.count(places.seq)?,
            path: columns.text(places.path)?,
            kind: kind(columns.get(places.kind)?)?,
            state: state(columns.get(places.state)?)?,
            type_name: Arc::clone(&self.last_type),
            attempts: columns.count(places.attempts)?,
            due_at: columns.maybe_time(places.due_at)?,
            wait: wait(columns, places)?,
            started_at: columns.time(places.started_at)?,
            finished_at: columns.maybe_time(places.finished_at)?,
            value: columns.bytes(places.value)?,
            undoable: columns.get::<&str>(places.state)? == UNDOABLE,
        })
    }
}

/// Where the columns of an entry stand.
#[derive(Debug)]
pub(super) struct EntryPlaces {
    pub(super) seq: usize,
    pub(super) attempts: usize,
    pub(super) due_at: usize,
    pub(super) started_at: usize,
    pub(super) finished_at: usize,
    pub(super) path: usize,
    pub(super) kind: usize,
    pub(super) state: usize,
    pub(super) type_name: usize,
    pub(super) value: usize,
    pub(super) wait: usize,
    pub(super) wait_places: usize,
}

/// What an entry waits for, with the places behind which it looks if it still does.
fn wait(columns: Columns<'_>, places: &EntryPlaces) -> Result<Option<Wait>, Fault> {
    let Some(json) = columns.get::<Option<&str>>(places.wait)? else {
        return Ok(None);
    };
    let wait: Wait = serde_json::from_str(json).map_err(|_| Fault::Word("wait of a step"))?;
    let Some(behind) = columns.get::<Option<Vec<i64>>>(places.wait_places)? else {
        return Ok(Some(wait));
    };
    let Wait::Event { types, key } = &wait;
    if types.len() != behind.len() {
        return Err(Fault::Row("places of a wait"));
    }
    let types = types.iter().zip(behind).map(|(awaited, place)| {
        AwaitedType::new(Arc::clone(&awaited.event_type), After::Place(place))
    });
    Ok(Some(Wait::event(types, key.as_deref())))
}

/// Where a run stands.
pub(super) const STATUS: &str =
    "CASE WHEN undo IN ('failed', 'cancelled') THEN 'undoing' ELSE status END";

/// The columns that [`record`] reads, from the tables `runs` and `events`.
pub(super) const RECORD: &str =
    "runs.number, runs.id, runs.function_id, events.id, events.event_type, events.payload, {status},
    failed_attempts, result, published_at, started_at, finished_at,
    CASE WHEN due_at IS NULL AND worker IS NULL AND finished_at IS NULL THEN line_at + shift ELSE due_at END, parent, parent_depth, attached,
    start_by, finish_by, ARRAY(SELECT tag FROM {schema}.tags WHERE tags.run = runs.number), runs.build, runs.flow";

/// The same for a list: without the event, and of the results the failures that are not long.
pub(super) const LISTED: &str =
    "runs.number, runs.id, runs.function_id, events.id, events.event_type, ''::bytea, {status}, failed_attempts,
    CASE WHEN status <> 'completed' AND octet_length(result) <= 16384 THEN result END,
    published_at, started_at, finished_at,
    CASE WHEN due_at IS NULL AND worker IS NULL AND finished_at IS NULL THEN line_at + shift ELSE due_at END, parent, parent_depth, attached,
    start_by, finish_by, ARRAY(SELECT tag FROM {schema}.tags WHERE tags.run = runs.number), runs.build, runs.flow";

/// How many columns [`record`] reads.
pub(super) const RECORDED: usize = 21;

pub(super) fn record(row: &PgRow) -> Result<RunRecord, Fault> {
    let columns = Columns(row);
    let event = (columns.text(3)?, columns.text(4)?, columns.bytes(5)?);
    let mut record = RunRecord::new(
        columns.text(1)?,
        columns.text(2)?,
        event,
        status(columns.get(6)?)?,
        columns.time(9)?,
    );
    record.failed_attempts = columns.count(7)?;
    let result: Option<&[u8]> = columns.get(8)?;
    record.result = result.map(Arc::from);
    record.started_at = columns.maybe_time(10)?;
    record.finished_at = columns.maybe_time(11)?;
    record.due_at = columns.maybe_time(12)?;
    record.start_by = columns.maybe_time(16)?;
    record.finish_by = columns.maybe_time(17)?;
    let tags: Vec<String> = columns.get(18)?;
    let tags: Vec<_> = tags.iter().map(|tag| from_column(tag)).collect();
    record.tags = sorted_tags(tags.iter().map(|tag| &**tag));
    record.build = columns.maybe_text(19)?;
    let mark: Option<&str> = columns.get(20)?;
    record.mark = mark.and_then(|mark| Mark::parse(&from_column(mark)));
    if let Some(run_id) = columns.maybe_text(13)? {
        let attached: Option<bool> = columns.get(15)?;
        record.parent = Some(parent(run_id, columns.get(14)?, attached));
    }
    Ok(record)
}

pub(super) fn parent(run_id: Arc<str>, depth: Option<i32>, attached: Option<bool>) -> Parent {
    let mut parent = Parent::new(run_id, depth.map_or(0, i32::cast_unsigned));
    parent.attached = attached.unwrap_or(false);
    parent
}

/// What people did to a run. A note that cannot be read is left out, since it is about the run and no part of it.
pub(super) fn notes(columns: Columns<'_>, place: usize) -> Result<Vec<Note>, Fault> {
    let notes: Option<Vec<Option<String>>> = columns.get(place)?;
    let readable = notes
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|note| serde_json::from_str(&note).ok());
    Ok(readable.collect())
}
