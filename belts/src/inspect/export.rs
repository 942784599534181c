//! A run with its journal as JSON, to be replayed elsewhere: by a test, or by whoever looks for a fault.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Runs;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    function::whole,
    store::{
        ClaimedRun, Entry, Lease, RunRecord, RunStatus, StepKind, StepState, Undoing, Wait,
        WorkerId,
    },
};

/// The format that this version writes.
const FORMAT: u32 = 1;

/// A run as it is exported. Times are milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exported {
    belts: u32,
    run_id: Arc<str>,
    function_id: Arc<str>,
    event_id: Arc<str>,
    event_type: Arc<str>,
    status: RunStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<Arc<str>>,
    failed_attempts: u32,
    started_at: Timestamp,
    #[serde(rename = "exportedAt")]
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<ExportedParent>,
    event: Box<RawValue>,
    journal: Vec<ExportedEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExportedParent {
    run_id: Arc<str>,
    depth: u32,
    attached: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExportedEntry {
    seq: u32,
    path: Arc<str>,
    kind: StepKind,
    state: StepState,
    #[serde(rename = "type", default, skip_serializing_if = "str::is_empty")]
    type_name: Arc<str>,
    /// The result or failure, in its envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    attempts: u32,
    started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<Wait>,
    #[serde(default)]
    undoable: bool,
}

impl Runs {
    /// A run with its event and its journal as JSON, for a test that [replays](crate::guide::deploying) it, or for whoever looks for
    /// a fault. It has everything that the run was given and has recorded.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Worker, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> {
    ///     step!("count", signup.email.len()).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// welcome(Signup { email: "ada@example.com".into() }).run_id("r-1").via(&worker).await?;
    /// let json = worker.runs().export("r-1").await?;
    /// assert!(json.contains(r#""path":"count""#), "{json}");
    /// # Ok(()) }
    /// ```
    ///
    /// What is encrypted is opened with the keys of the worker; what these do not open stays sealed.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun): there is none with that id. Also if the store cannot be reached, or what it has
    /// is no JSON.
    pub async fn export(&self, run_id: &str) -> Result<String> {
        let exported = self.exported(run_id).await?;
        serde_json::to_string(&exported).map_err(|error| unreadable(run_id, error))
    }

    pub(crate) async fn exported(&self, run_id: &str) -> Result<Exported> {
        let mut record = self.get(run_id).await?;
        let journal = self.journal(run_id).await?;
        let events = self.store.batch(run_id).await?;
        if events.len() > 1 {
            let events = events.iter();
            record.payload = whole(events.map(|event| (&*event.event_type, &*event.payload)))?;
        }
        Exported::of(&record, &journal, self.clock.now()).map_err(|error| unreadable(run_id, error))
    }
}

fn unreadable(run_id: &str, error: serde_json::Error) -> Error {
    let text = format!("what the store has of the run `{run_id}` is no JSON");
    Error::new(ErrorKind::Codec, text).with_source(error)
}

impl Exported {
    fn of(record: &RunRecord, journal: &[Entry], now: Timestamp) -> serde_json::Result<Self> {
        let entries = journal.iter().map(ExportedEntry::of);
        Ok(Self {
            belts: FORMAT,
            run_id: Arc::clone(&record.run_id),
            function_id: Arc::clone(&record.function_id),
            event_id: Arc::clone(&record.event_id),
            event_type: Arc::clone(&record.event_type),
            status: record.status,
            build: record.build.clone(),
            failed_attempts: record.failed_attempts,
            started_at: record.started_at.unwrap_or(record.created_at),
            at: now,
            parent: record.parent.as_ref().map(|parent| ExportedParent {
                run_id: Arc::clone(&parent.run_id),
                depth: parent.depth,
                attached: parent.attached,
            }),
            event: serde_json::from_slice(&record.payload)?,
            journal: entries.collect::<serde_json::Result<_>>()?,
        })
    }
}

#[cfg(feature = "testing")]
impl Exported {
    /// Reads what was exported.
    ///
    /// # Errors
    /// It is none, or one of a later version.
    pub(crate) fn read(json: &str) -> Result<Self> {
        let wrong = |text: String| Error::new(ErrorKind::Config, text);
        let read: Self = serde_json::from_str(json)
            .map_err(|error| wrong(format!("this is no exported run: {error}")))?;
        if read.belts > FORMAT {
            let format = read.belts;
            return Err(wrong(format!(
                "the run was exported in format {format}, and this belts reads up to {FORMAT}: upgrade belts"
            )));
        }
        Ok(read)
    }

    pub(crate) fn run_id(&self) -> &Arc<str> {
        &self.run_id
    }

    /// When it was exported: sleeps that were over by then are over.
    pub(crate) fn exported_at(&self) -> Timestamp {
        self.at
    }

    /// The run as a claim would bring it.
    pub(crate) fn into_claimed(self) -> ClaimedRun {
        let record = RunRecord::new(
            self.run_id,
            self.function_id,
            (
                self.event_id,
                self.event_type,
                Arc::from(self.event.get().as_bytes()),
            ),
            self.status,
            self.started_at,
        )
        .with_started_at(self.started_at)
        .with_failed_attempts(self.failed_attempts)
        .with_parent(self.parent.map(|exported| {
            let mut parent = crate::store::Parent::new(exported.run_id, exported.depth);
            parent.attached = exported.attached;
            parent
        }));
        let entries = self.journal.into_iter().map(ExportedEntry::into_entry);
        as_claimed(&record).with_journal(entries.collect())
    }
}

impl ExportedEntry {
    fn of(entry: &Entry) -> serde_json::Result<Self> {
        let has_value = !entry.value.is_empty();
        let value = has_value.then(|| serde_json::from_slice(&entry.value));
        Ok(Self {
            seq: entry.seq,
            path: Arc::clone(&entry.path),
            kind: entry.kind,
            state: entry.state,
            type_name: Arc::clone(&entry.type_name),
            value: value.transpose()?,
            attempts: entry.attempts,
            started_at: entry.started_at,
            finished_at: entry.finished_at,
            due_at: entry.due_at,
            wait: entry.wait.clone(),
            undoable: entry.undoable,
        })
    }

    #[cfg(feature = "testing")]
    fn into_entry(self) -> Entry {
        let value = self.value.as_ref().map_or("", |value| value.get());
        Entry::new(self.seq, self.path, self.kind, self.state, self.started_at)
            .with_value(self.type_name, value.as_bytes())
            .with_attempts(self.attempts)
            .with_finished_at(self.finished_at)
            .with_due_at(self.due_at)
            .with_wait(self.wait)
            .with_undoable(self.undoable)
    }
}

/// A run as a claim would bring it, with no right to write it.
pub(crate) fn as_claimed(record: &RunRecord) -> ClaimedRun {
    // How it ends makes no difference to what is asked of it.
    let undoing = (record.status == RunStatus::Undoing)
        .then(|| Undoing::new(RunStatus::Failed, record.result.clone()));
    let mut claimed = ClaimedRun::new(
        Lease::new(0, WorkerId(0), 0),
        Arc::clone(&record.run_id),
        Arc::clone(&record.function_id),
        (
            Arc::clone(&record.event_id),
            Arc::clone(&record.event_type),
            Arc::clone(&record.payload),
        ),
        record.started_at.unwrap_or(record.created_at),
    )
    .with_failed_attempts(record.failed_attempts)
    .with_undoing(undoing);
    claimed.parent.clone_from(&record.parent);
    claimed
}
