//! Runs and their steps as JSON, for the router and for the command line.
//!
//! Payloads and results are included only on request: they may be large, and are not for everybody's eyes.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{bulk::CancelledRuns, decided::Decided, settle::parked};
use crate::{
    clock::Timestamp,
    codec::{Failure, sealed},
    error::ErrorKind,
    plain::plain,
    store::{
        Entry, FunctionRecord, Note, Purged, RunPage, RunRecord, RunStatus, StepKind, StepState,
        Tag,
    },
};

/// One page of runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownPage {
    pub(crate) runs: Vec<ShownRun>,
    /// The `page` that follows.
    pub(crate) next: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownRun {
    pub(crate) run_id: String,
    pub(crate) function_id: String,
    pub(crate) status: RunStatus,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    /// The run that started it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
    /// The build of the program that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<String>,
    /// What it is about, each as `name=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Failed attempts of the function as a whole.
    pub(crate) failed_attempts: u32,
    pub(crate) created_at: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) finished_at: Option<Time>,
    pub(crate) due_at: Option<Time>,
    /// By when it must have been claimed for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_by: Option<Time>,
    /// By when it must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish_by: Option<Time>,
    /// Why flow options do not let it go on, or have skipped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Since when its function is paused, if that is why it does not go on; only if the run was requested by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) function_paused_at: Option<Time>,
    pub(crate) error: Option<Failure>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(crate) payload: Option<Box<RawValue>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(crate) output: Option<Box<RawValue>>,
    /// What the function shows of itself; only if the run was requested by its id. It is meant for whoever watches.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(crate) status_value: Option<Box<RawValue>>,
    /// The event that cancels the run, if it has not ended; only if the run was requested by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancel_on: Option<String>,
    /// Operator actions on the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<ShownNote>,
    /// Only if the run was requested by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<Vec<ShownStep>>,
}

/// What a run came to; without `output` and `error` while it goes on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownResult {
    run_id: String,
    function_id: String,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// An operator action on a run. Nobody has checked who made it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownNote {
    pub(crate) at: Time,
    pub(crate) by: String,
    pub(crate) action: String,
}

/// A function, the events that start it, and its runs that have not finished.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownFunction {
    pub(crate) id: String,
    pub(crate) events: Vec<String>,
    /// Whether a running worker has it.
    pub(crate) living: bool,
    /// Counted up to [`MOST_COUNTED`](super::functions::MOST_COUNTED).
    pub(crate) unfinished: usize,
    /// Since when it is paused.
    #[serde(default, rename = "pausedAt", skip_serializing_if = "Option::is_none")]
    pub(crate) paused_at: Option<Time>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownFunctions {
    pub(crate) functions: Vec<ShownFunction>,
}

/// The result of pausing or resuming a function.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedFunction {
    pub(crate) function_id: String,
    /// Whether the change was made; otherwise the function was like that before.
    pub(crate) changed: bool,
    /// Whether it is paused now.
    pub(crate) paused: bool,
}

/// How many runs were cancelled with a function that was forgotten.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Forgotten {
    pub(crate) function_id: String,
    pub(crate) cancelled: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownStep {
    pub(crate) path: String,
    pub(crate) kind: StepKind,
    pub(crate) state: StepState,
    /// The one under way included, as far as it is known by a heartbeat.
    pub(crate) attempts: u32,
    pub(crate) started_at: Time,
    pub(crate) finished_at: Option<Time>,
    pub(crate) due_at: Option<Time>,
    pub(crate) duration_ms: Option<u64>,
    /// What it waits for, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<String>,
    /// The run that it has called or started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    /// Whether nobody waits for it any more, since another arm of a race has won.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) left: bool,
    /// Whether the run waits until a person has said what came of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) parked: bool,
    pub(crate) error: Option<Failure>,
    /// Its last heartbeat; of a step that is over only on request.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(crate) progress: Option<Box<RawValue>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub(crate) output: Option<Box<RawValue>>,
}

/// The result of cancelling or rerunning a run.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the answer"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changed {
    pub(crate) run_id: String,
    /// Whether the change was made; otherwise the run is unchanged.
    pub(crate) changed: bool,
    /// The status of the run now.
    pub(crate) status: RunStatus,
}

/// What a purge, or a part of one, removed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ShownPurge {
    /// Runs.
    pub(crate) purged: usize,
    /// Events that had started nothing.
    #[serde(default)]
    pub(crate) events: usize,
    /// Whether any are left.
    #[serde(default)]
    pub(crate) more: bool,
}

/// What a part of a bulk cancel did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ShownCancelled {
    pub(crate) cancelled: usize,
    /// Runs that had ended before it was their turn.
    pub(crate) ended: usize,
    /// The `page` that follows.
    pub(crate) next: Option<String>,
}

impl From<CancelledRuns> for ShownCancelled {
    fn from(done: CancelledRuns) -> Self {
        Self {
            cancelled: done.cancelled,
            ended: done.ended,
            next: done.next,
        }
    }
}

impl From<Purged> for ShownPurge {
    fn from(purged: Purged) -> Self {
        Self {
            purged: purged.runs,
            events: purged.events,
            more: purged.more,
        }
    }
}

impl ShownFunction {
    pub(crate) fn of(function: &FunctionRecord) -> Self {
        Self {
            id: function.function_id.to_string(),
            events: function
                .event_types
                .iter()
                .map(ToString::to_string)
                .collect(),
            living: function.living,
            unfinished: function.unfinished,
            paused_at: function.paused_at.map(Time),
        }
    }

    /// Whether no running worker has it: it was removed, or its program is not running.
    pub(crate) fn is_orphaned(&self) -> bool {
        !self.living
    }
}

/// A time in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Timestamp);

impl ShownPage {
    pub(crate) fn of(page: &RunPage) -> Self {
        Self {
            runs: page
                .runs
                .iter()
                .map(|run| ShownRun::of(run, false))
                .collect(),
            next: page.next.clone(),
        }
    }
}

impl ShownRun {
    pub(crate) fn of(run: &RunRecord, values: bool) -> Self {
        Self {
            run_id: run.run_id.to_string(),
            function_id: run.function_id.to_string(),
            status: run.status,
            event_id: run.event_id.to_string(),
            event_type: run.event_type.to_string(),
            parent: run.parent.as_ref().map(|parent| parent.run_id.to_string()),
            build: run.build.as_ref().map(ToString::to_string),
            tags: run.tags.iter().map(Tag::to_string).collect(),
            failed_attempts: run.failed_attempts,
            created_at: Time(run.created_at),
            started_at: run.started_at.map(Time),
            finished_at: run.finished_at.map(Time),
            due_at: run.due_at.map(Time),
            start_by: run.start_by.map(Time),
            finish_by: run.finish_by.map(Time),
            why: run.why(),
            function_paused_at: None,
            error: run.failure(),
            payload: shown(&run.payload, || serde_json::from_slice(&run.payload).ok())
                .filter(|_| values),
            output: run
                .result
                .as_deref()
                .filter(|_| values && run.status == RunStatus::Completed)
                .and_then(|result| shown(result, || run.output().map(ToOwned::to_owned))),
            status_value: None,
            cancel_on: None,
            notes: run.notes.iter().map(ShownNote::of).collect(),
            steps: None,
        }
    }

    /// Says since when the function of the run is paused, if that is why it does not go on.
    pub(crate) fn with_paused_at(mut self, paused_at: Option<Timestamp>) -> Self {
        self.function_paused_at = paused_at.map(Time);
        self
    }

    pub(crate) fn with_steps(mut self, journal: &[Entry], values: bool) -> Self {
        let races = Decided::all(journal);
        let status = journal.iter().find(|entry| entry.kind == StepKind::Status);
        self.status_value = status.and_then(shown_output);
        let mut kept = journal.iter().filter(|entry| entry.is_cancel_on());
        let cancel_on = kept.find_map(|entry| entry.wait.as_ref().map(ToString::to_string));
        self.cancel_on = cancel_on.filter(|_| !self.status.is_finished());
        let steps = journal.iter().filter(|entry| entry.is_shown());
        let steps = steps.map(|entry| {
            // Nobody asks any more once the run is undone.
            let goes_on = !self.status.is_finished() && self.status != RunStatus::Undoing;
            let is_left = entry.state == StepState::Waiting && entry.kind != StepKind::Undo;
            let left = !goes_on && is_left || races.iter().any(|race| race.has_left(entry));
            let parked = goes_on && parked(entry, journal).is_some();
            ShownStep::of(entry, left, values).with_parked(parked)
        });
        self.steps = Some(steps.collect());
        self
    }
}

impl ShownResult {
    pub(crate) fn of(run: &RunRecord) -> Self {
        let output = run.output().map(ToOwned::to_owned);
        Self {
            run_id: run.run_id.to_string(),
            function_id: run.function_id.to_string(),
            status: run.status,
            output,
            error: run.failure().filter(|failure| match run.status {
                RunStatus::Failed => true,
                // What an earlier attempt failed with is not why it was cancelled.
                RunStatus::Cancelled => failure.kind == ErrorKind::Cancelled.as_str(),
                _ => false,
            }),
        }
    }
}

impl ShownNote {
    fn of(note: &Note) -> Self {
        Self {
            at: Time(note.at),
            by: note.by.to_string(),
            action: note.action.to_string(),
        }
    }
}

impl ShownStep {
    fn of(entry: &Entry, left: bool, values: bool) -> Self {
        let duration = entry.duration();
        // It may say as much as the result.
        let shows_progress = values || entry.state == StepState::Waiting;
        Self {
            path: entry.path.to_string(),
            kind: entry.kind,
            state: entry.state,
            attempts: entry.attempts + u32::from(entry.is_heartbeat()),
            started_at: Time(entry.started_at),
            finished_at: entry.finished_at.map(Time),
            due_at: entry.due_at.filter(|_| !left).map(Time),
            duration_ms: duration.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            waiting: waiting(entry).filter(|_| !left),
            run: entry.started_run().map(|run_id| run_id.to_string()),
            left,
            parked: false,
            error: entry.failure(),
            progress: entry.progress().filter(|_| shows_progress),
            output: shown_output(entry).filter(|_| values),
        }
    }

    fn with_parked(mut self, parked: bool) -> Self {
        self.parked = parked;
        self
    }
}

/// A value as JSON; of one that is sealed, and not opened here, with which key.
fn shown(value: &[u8], json: impl FnOnce() -> Option<Box<RawValue>>) -> Option<Box<RawValue>> {
    match sealed::key_of(value) {
        Some(key) => to_raw_value(&sealed::shown(key)).ok(),
        None => json(),
    }
}

fn shown_output(entry: &Entry) -> Option<Box<RawValue>> {
    let is_there = entry.state == StepState::Completed;
    let output = || entry.output().map(ToOwned::to_owned);
    if is_there {
        shown(&entry.value, output)
    } else {
        output()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(it: &bool) -> bool {
    !it
}

/// What an entry waits for beside a time, and until when.
fn waiting(entry: &Entry) -> Option<String> {
    let wait = entry.wait.as_ref()?;
    (entry.state == StepState::Waiting).then(|| match entry.due_at {
        Some(until) => format!("{wait} until {until}"),
        None => wait.to_string(),
    })
}

/// A result may be `null`, which is not the same as no result.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = Timestamp::parse(&text);
        time.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("`{}` is not an RFC 3339 time", plain(&text)))
        })
    }
}
