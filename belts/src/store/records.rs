//! The vocabulary of the [`Store`](super::Store) trait: what goes in and what comes out.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What a store can promise. A store never pretends: what it cannot do is `false` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// What was written survives the end of the process.
    pub durable: bool,
    /// Several processes may work on it at once.
    pub shared: bool,
    /// The end of another worker's process is noticed before its lease ends.
    pub notices_dead_workers: bool,
}

impl Capabilities {
    /// A store that promises nothing beyond this process.
    pub const NONE: Self = Self {
        durable: false,
        shared: false,
        notices_dead_workers: false,
    };

    /// Says that writes survive the end of the process.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Says that several processes may work on it at once.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Says that the end of a process is noticed before its lease ends.
    #[must_use]
    pub const fn notices_dead_workers(mut self) -> Self {
        self.notices_dead_workers = true;
        self
    }
}

/// A worker's session in a store, numbered by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerId(pub i64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker-{}", self.0)
    }
}

/// Begins a session; see [`Store::register`](super::Store::register).
#[derive(Debug, Clone)]
pub struct Register {
    /// A name that outlives the process, so that a restarted worker takes its own runs back at once.
    pub name: Option<Arc<str>>,
    /// The functions of this worker with the event types that they listen for.
    pub subscriptions: Vec<Subscription>,
    /// The time now.
    pub now: Timestamp,
    /// How long the session lives without `renew`.
    pub lease: Duration,
}

/// A function and the event types that it listens for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types.
    pub event_types: Vec<Arc<str>>,
}

/// Publishes events; see [`Store::publish`](super::Store::publish).
#[derive(Debug, Clone)]
pub struct Publish {
    /// The events.
    pub events: Vec<NewEvent>,
    /// Where given, new runs that are due are leased at once within this capacity.
    pub claim: Option<Capacity>,
    /// The time now.
    pub now: Timestamp,
}

/// An event to be published.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The id; publishing the same id again writes nothing.
    pub id: Arc<str>,
    /// The type.
    pub event_type: Arc<str>,
    /// The JSON object without its `type`.
    pub payload: Arc<[u8]>,
    /// What tells another event under the same id from the same one that was sent twice.
    pub digest: EventDigest,
    /// What later waits for this event will look for.
    pub correlation_key: Option<Arc<str>>,
    /// When its runs become due: now, or later for a delayed event.
    pub due_at: Timestamp,
    /// Retries of its runs, in place of what the function says.
    pub retries: Option<u32>,
    /// The span that it was published in, by W3C Trace Context. It is kept for the runs as it is.
    pub traceparent: Option<Arc<str>>,
    /// Which functions it starts.
    pub target: Target,
}

/// A digest of an event's type and payload: the first half of a SHA-256 over them.
///
/// The order of the fields of an object makes no difference, since not every JSON library keeps it.
///
/// ```
/// use belts::store::EventDigest;
/// let one = EventDigest::of("order-created", br#"{"id":"o-17","cents":1290}"#);
/// assert_eq!(one, EventDigest::of("order-created", br#"{"cents":1290,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-created", br#"{"cents":1291,"id":"o-17"}"#));
/// assert_ne!(one, EventDigest::of("order-changed", br#"{"id":"o-17","cents":1290}"#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventDigest(pub [u8; 16]);

impl fmt::Debug for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Which functions an event starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Those that subscribe to its type, but for the ones listed here, whose filter said no.
    Subscribers {
        /// Functions to leave out.
        except: Vec<Arc<str>>,
    },
    /// Exactly this function, subscribed or not.
    Function {
        /// The function's id.
        function_id: Arc<str>,
        /// The id for the run; generated where `None`.
        run_id: Option<Arc<str>>,
    },
}

/// What became of a published event.
#[derive(Debug, Clone)]
pub struct PublishedEvent {
    /// The event's id.
    pub event_id: Arc<str>,
    /// Whether the event was there before.
    pub duplicate: bool,
    /// Whether another event is there under this id: one of another digest. Then nothing was written, and no runs are named.
    pub conflict: bool,
    /// Its runs, sorted by function id: those just started, or those that a duplicate has.
    pub runs: Vec<PublishedRun>,
}

/// A run of a published event.
#[derive(Debug, Clone)]
pub struct PublishedRun {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The lease, if the run was claimed in the same write.
    pub lease: Option<Lease>,
}

/// How much a worker can take on.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// The session.
    pub worker: WorkerId,
    /// The most runs in all.
    pub limit: usize,
    /// The functions of the worker, each with the most runs of it. Others are left alone.
    pub functions: Arc<[FunctionCapacity]>,
}

/// How many runs of one function a worker can take on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCapacity {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The most runs of it.
    pub limit: usize,
    /// The event types that the worker's code can read for it; runs of others are left to workers that can. `None` is any.
    pub event_types: Option<Arc<[Arc<str>]>>,
}

impl FunctionCapacity {
    /// Whether the worker can read events of this type for the function.
    pub fn reads(&self, event_type: &str) -> bool {
        let read = self.event_types.as_deref();
        read.is_none_or(|types| types.iter().any(|known| &**known == event_type))
    }
}

/// Asks for due runs; see [`Store::claim`](super::Store::claim).
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks, and for how much.
    pub capacity: Capacity,
    /// Only this run, due or not, unless it has finished or a live session, this one included, drives it.
    pub only: Option<Arc<str>>,
    /// The most bytes of events and journals that the claim may bring, though one run at least.
    pub max_bytes: usize,
    /// The time now.
    pub now: Timestamp,
}

/// What a claim brought.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// The runs, now leased.
    pub runs: Vec<ClaimedRun>,
    /// When the next run of the named functions that was not claimed is due; it may lie in the past.
    pub next_due: Option<Timestamp>,
    /// Functions with due runs that the claim did not name (a few of them), so that the worker can warn about them.
    pub unknown_functions: Vec<Arc<str>>,
    /// Event types of due runs that the worker cannot read for a function that it has (a few of them).
    pub unknown_types: Vec<UnknownType>,
    /// Runs that the store could not read, and has set aside so that they stop nobody.
    pub set_aside: Vec<SetAside>,
}

/// An event type that a worker cannot read for one of its functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownType {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event type.
    pub event_type: Arc<str>,
}

/// A run whose row or journal could not be read; see the [contract](super::Store#contract).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// What could not be read, and why.
    pub reason: Arc<str>,
}

/// A leased run with all that is needed to drive it.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The lease.
    pub lease: Lease,
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event's id.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event as JSON, without its `type`.
    pub payload: Arc<[u8]>,
    /// Failed attempts of the run so far.
    pub failed_attempts: u32,
    /// Retries that the publisher asked for.
    pub retries: Option<u32>,
    /// The event's [`traceparent`](NewEvent::traceparent).
    pub traceparent: Option<Arc<str>>,
    /// When the run first started; this claim's time if it is the first.
    pub started_at: Timestamp,
    /// How many times in a row a worker died with this run in hand and nothing of it was recorded in between.
    pub crashes: u32,
    /// The recorded steps, in the order of `seq`.
    pub journal: Vec<Entry>,
}

/// A fenced right to drive one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run in the store's own numbering.
    pub run: i64,
    /// The session that holds it.
    pub worker: WorkerId,
    /// Grows with each claim of the run, by an amount that cannot be foreseen.
    pub token: i64,
}

/// Gives runs back; see [`Store::release`](super::Store::release).
#[derive(Debug, Clone)]
pub struct Release {
    /// The session.
    pub worker: WorkerId,
    /// The leases that it keeps.
    pub keep: Vec<Lease>,
    /// The time now.
    pub now: Timestamp,
}

/// Commits of several runs in one write.
#[derive(Debug, Clone)]
pub struct CommitBatch {
    /// The commits.
    pub commits: Vec<Commit>,
    /// The time now.
    pub now: Timestamp,
}

/// What a worker writes for one run.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The right to write.
    pub lease: Lease,
    /// New and changed journal entries.
    pub entries: Vec<Entry>,
    /// What becomes of the run; `None` while it goes on.
    pub transition: Option<Transition>,
}

/// Whether a commit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was.
    Applied,
    /// The lease had ended; nothing was written.
    LeaseLost,
}

/// What becomes of a run; each ends the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// The run goes on at `due_at`: it sleeps, waits for a retry of a step, or was released.
    Suspend {
        /// When it is due.
        due_at: Timestamp,
    },
    /// The attempt failed; the next one begins at `due_at`.
    Retry {
        /// When it is due.
        due_at: Timestamp,
        /// Failed attempts so far, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope of [`codec`](crate::codec).
        error: Arc<[u8]>,
    },
    /// The function returned `Ok`.
    Complete {
        /// The output, as an envelope.
        output: Arc<[u8]>,
    },
    /// The run failed for good.
    Fail {
        /// Failed attempts, this one included.
        failed_attempts: u32,
        /// The failure, as an envelope.
        error: Arc<[u8]>,
    },
    /// The run reached the step at which it was asked to stop; it goes on when it is asked for by name.
    Stop,
    /// The function's filter does not want the event; the run is removed.
    Skip,
}

/// One recorded step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of recording, from 0.
    pub seq: u32,
    /// Its key under the keys of its scopes; compared as a whole.
    pub path: Arc<str>,
    /// What it is.
    pub kind: StepKind,
    /// How far it is.
    pub state: StepState,
    /// The name of the result's Rust type.
    pub type_name: Arc<str>,
    /// The result or failure, as an envelope; the last failure while it waits for a retry; empty for a sleep.
    pub value: Arc<[u8]>,
    /// Attempts begun, this one included; 0 for a sleep.
    pub attempts: u32,
    /// When a waiting entry goes on.
    pub due_at: Option<Timestamp>,
    /// When the first attempt began.
    pub started_at: Timestamp,
    /// When it was recorded for good.
    pub finished_at: Option<Timestamp>,
}

/// What a journal entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepKind {
    /// A `step!`.
    Step,
    /// A `sleep!` or `sleep_until!`.
    Sleep,
}

/// How far a journal entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepState {
    /// It goes on at `due_at`: a sleep, or a failed attempt that will be retried.
    Waiting,
    /// Its result is recorded.
    Completed,
    /// Its failure is recorded.
    Failed,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Published, not yet claimed.
    Pending,
    /// A worker drives it.
    Running,
    /// It waits for its time.
    Suspended,
    /// It was asked to stop after a step.
    Stopped,
    /// The function returned `Ok`.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Stopped,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the run is over.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word for it, as stores and the wire have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run as inspection shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunRecord {
    /// The run's id.
    pub run_id: Arc<str>,
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event's id.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event as JSON, without its `type`; empty in a list.
    pub payload: Arc<[u8]>,
    /// Where it stands.
    pub status: RunStatus,
    /// Failed attempts so far.
    pub failed_attempts: u32,
    /// The output or the last failure, as an envelope. A list has failures only, and those of at most 16 KiB.
    pub result: Option<Arc<[u8]>>,
    /// When the event was published.
    pub created_at: Timestamp,
    /// When the run first started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it goes on, if it waits.
    pub due_at: Option<Timestamp>,
    /// What people did to it, the earliest first; the last [`Note::MOST`].
    pub notes: Vec<Note>,
}

/// What somebody did to a run by inspection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who, as far as is known. It may come from outside, so it is to be escaped where it is shown.
    pub by: Arc<str>,
    /// What was asked for, such as `cancel`.
    pub action: Arc<str>,
}

impl Note {
    /// How many notes of a run are kept.
    pub const MOST: usize = 50;
}

/// What [`Store::purge`](super::Store::purge) or [`Store::forget`](super::Store::forget) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// How many runs went, or ended.
    pub runs: usize,
    /// How many events went that had started nothing.
    pub events: usize,
    /// Whether there is more to do.
    pub more: bool,
}

/// A function as inspection shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionRecord {
    /// The function's id.
    pub function_id: Arc<str>,
    /// The event types that start it at present, sorted; none if it was removed.
    pub event_types: Vec<Arc<str>>,
    /// Whether a living session has it.
    pub living: bool,
    /// How many of its runs have not finished, counted up to a limit.
    pub unfinished: usize,
}

impl RunRecord {
    /// A new record; every optional field is empty.
    pub fn new(
        run_id: Arc<str>,
        function_id: Arc<str>,
        event: (Arc<str>, Arc<str>, Arc<[u8]>),
        status: RunStatus,
        created_at: Timestamp,
    ) -> Self {
        let (event_id, event_type, payload) = event;
        Self {
            run_id,
            function_id,
            event_id,
            event_type,
            payload,
            status,
            failed_attempts: 0,
            result: None,
            created_at,
            started_at: None,
            finished_at: None,
            due_at: None,
            notes: Vec::new(),
        }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only runs of this function.
    pub function_id: Option<Arc<str>>,
    /// Only runs in one of these states; all of them where empty.
    pub statuses: Vec<RunStatus>,
    /// Only runs of this event.
    pub event_id: Option<Arc<str>>,
    /// Only runs that ended at this time or later; of one that goes on, the time of its event counts.
    pub since: Option<Timestamp>,
    /// Only runs that ended before this time; of one that goes on, the time of its event counts.
    pub until: Option<Timestamp>,
    /// The most runs of a page; 100 where 0.
    pub limit: usize,
    /// Where the last page ended, from [`RunPage::next`].
    pub after: Option<String>,
}

/// One page of runs.
#[derive(Debug, Clone, Default)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<RunRecord>,
    /// What to pass as [`RunFilter::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}
