//! What the memory store holds, and the few moves that keep its indexes true.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use crate::store::{
    Awaits, Entry, Lease, Limits, Mark, Note, Parent, RunStatus, Subscription, Tag, Timestamp,
    Undoing, WorkerId,
    parts::{Crashes, Deadlines, flow::Kept, next_token, progress},
};

use super::{
    lanes::{EventData, EventRow, Waits},
    line::{Line, Lines},
    schedules::Schedules,
};

#[derive(Default)]
pub(super) struct Tables {
    pub(super) functions: Vec<FunctionRow>,
    pub(super) function_ids: HashMap<Arc<str>, usize>,
    /// The functions of each event type, sorted by id.
    pub(super) subscribers: HashMap<Arc<str>, Arc<[usize]>>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Since when functions are paused.
    pub(super) paused: BTreeMap<Arc<str>, Timestamp>,
    pub(super) schedules: Schedules,
    /// How much time the runs of functions have.
    pub(super) limits: HashMap<Arc<str>, Limits>,
    /// The functions whose cancels are handled.
    pub(super) cancel_handled: HashSet<Arc<str>>,
    pub(super) sessions: BTreeMap<WorkerId, SessionRow>,
    /// What ended sessions wanted whose program nobody living speaks for.
    pub(super) ended: Vec<Wants>,
    /// The latest time at which a worker was heard of.
    pub(super) seen: Option<Timestamp>,
    pub(super) last_session: i64,
    pub(super) events: HashMap<Arc<str>, EventRow>,
    pub(super) runs: BTreeMap<i64, Run>,
    pub(super) run_ids: HashMap<Arc<str>, i64>,
    pub(super) last_run: i64,
    pub(super) last_event: i64,
    pub(super) finished: BTreeSet<(Timestamp, i64)>,
    /// When the time of runs is over that have not finished.
    pub(super) times: BTreeSet<(Timestamp, i64)>,
    /// The runs that each run has started, by its id.
    pub(super) started: HashMap<Arc<str>, BTreeSet<i64>>,
    /// The events that tell of the end of each run, by its id.
    pub(super) told: HashMap<Arc<str>, Vec<Arc<str>>>,
    pub(super) waits: Waits,
    /// What flow options keep of their keys.
    pub(super) kept: HashMap<String, Kept>,
    /// The runs of each singleton, finished ones included.
    pub(super) singles: HashMap<Arc<str>, BTreeSet<i64>>,
    pub(super) lines: Lines,
}

pub(super) struct FunctionRow {
    pub(super) id: Arc<str>,
    /// The runs that wait for their time, by event type.
    pub(super) due: BTreeMap<Arc<str>, BTreeSet<(Timestamp, i64)>>,
}

pub(super) struct SessionRow {
    pub(super) name: Option<Arc<str>>,
    pub(super) lease_until: Timestamp,
    pub(super) lease: Duration,
    pub(super) build: Option<Arc<str>>,
    pub(super) runs: BTreeSet<i64>,
    pub(super) wants: Wants,
}

/// What a session wants to be started for, and what its runs may wait for.
#[derive(Clone)]
pub(super) struct Wants {
    pub(super) subscriptions: Arc<[Subscription]>,
    pub(super) awaits: Arc<[Awaits]>,
}

pub(super) struct Run {
    pub(super) id: Arc<str>,
    pub(super) function: usize,
    pub(super) event: Arc<EventData>,
    pub(super) status: RunStatus,
    /// Set while it waits for a worker; never together with `worker`.
    pub(super) due_at: Option<Timestamp>,
    pub(super) worker: Option<WorkerId>,
    pub(super) token: i64,
    pub(super) failed_attempts: u32,
    pub(super) retries: Option<u32>,
    pub(super) started_at: Option<Timestamp>,
    /// Whether it had not started when its end was decided. Until it ends it counts as started, so that it collects no more events.
    pub(super) is_unstarted: bool,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) deadlines: Option<Deadlines>,
    pub(super) result: Option<Arc<[u8]>>,
    /// How often in a row a worker died with it, and how much was recorded at the last of these times.
    pub(super) crashes: Crashes,
    /// It goes on at its time and no earlier, whatever arrives.
    pub(super) keeps_time: bool,
    pub(super) notes: Vec<Note>,
    pub(super) tags: BTreeSet<Tag>,
    pub(super) parent: Option<Parent>,
    pub(super) generation: u32,
    /// Of the session that leased it first.
    pub(super) build: Option<Arc<str>>,
    /// How it ends once it is undone.
    pub(super) undoing: Option<Undoing>,
    /// What flow options have made of it.
    pub(super) mark: Option<Mark>,
    /// The singleton that it is one of.
    pub(super) single: Option<Arc<str>>,
    /// Where it stands by its limits and its priority, if it has any.
    pub(super) line: Option<Line>,
    /// The events that it has beside its own.
    pub(super) joined: Vec<Arc<EventData>>,
    /// Sorted by `seq`.
    pub(super) journal: Vec<Entry>,
}

impl Tables {
    /// The number of a function, new or known.
    pub(super) fn function(&mut self, id: &Arc<str>) -> usize {
        if let Some(known) = self.function_ids.get(id) {
            return *known;
        }
        let number = self.functions.len();
        self.functions.push(FunctionRow {
            id: Arc::clone(id),
            due: BTreeMap::new(),
        });
        self.function_ids.insert(Arc::clone(id), number);
        number
    }

    /// Takes a run out of the hands of its worker, and out of the queue of its function.
    pub(super) fn detach(&mut self, number: i64) -> Option<&mut Run> {
        let run = self.runs.get_mut(&number)?;
        if let Some(due_at) = run.due_at.take() {
            let due = &mut self.functions[run.function].due;
            if let Some(of_type) = due.get_mut(&run.event.event_type) {
                of_type.remove(&(due_at, number));
            }
        }
        if let Some(session) = run
            .worker
            .take()
            .and_then(|worker| self.sessions.get_mut(&worker))
        {
            session.runs.remove(&number);
            self.lines.freed |= run.counts();
        }
        if let Some(finished_at) = run.finished_at.take() {
            self.finished.remove(&(finished_at, number));
        }
        Some(run)
    }

    /// Lets a run wait until `due_at`.
    pub(super) fn enqueue(&mut self, number: i64, status: RunStatus, due_at: Timestamp) {
        if let Some(run) = self.detach(number) {
            run.status = status;
            run.due_at = Some(due_at);
            let (function, event_type) = (run.function, Arc::clone(&run.event.event_type));
            let due = &mut self.functions[function].due;
            due.entry(event_type).or_default().insert((due_at, number));
        }
    }

    /// Ends a run, with those that end with it, whatever it has left to be undone; whether somebody waits for the end of one.
    pub(super) fn end(&mut self, number: i64, status: RunStatus, now: Timestamp) -> bool {
        self.close_waits(number);
        self.drop_time(number);
        let Some(run) = self.detach(number) else {
            return false;
        };
        run.status = status;
        run.finished_at = Some(now);
        run.undoing = None;
        if std::mem::take(&mut run.is_unstarted) {
            run.started_at = None;
        }
        let single = run.single.clone();
        self.finished.insert((now, number));
        let awaited = self.tell_end(number, now);
        let next = single.is_some_and(|id| self.next_single(&id, now));
        self.cancel_attached(number, now) || awaited || next
    }

    /// Lets a run be due whose worker died with it.
    pub(super) fn crash(&mut self, number: i64, due_at: Timestamp) {
        self.enqueue(number, RunStatus::Suspended, due_at);
        if let Some(run) = self.runs.get_mut(&number) {
            run.crashes = run.crashes.with_crash_at(run.progress());
        }
    }

    /// Gives the lease of a run to a session.
    pub(super) fn lease(&mut self, number: i64, worker: WorkerId, now: Timestamp) -> Option<Lease> {
        self.drop_time(number);
        self.detach(number)?;
        let (run, session) = (self.runs.get_mut(&number)?, self.sessions.get_mut(&worker)?);
        run.status = RunStatus::Running;
        run.worker = Some(worker);
        run.token = next_token(run.token);
        if run.started_at.is_none() {
            run.build.clone_from(&session.build);
        }
        run.started_at.get_or_insert(now);
        let lease = Lease::new(number, worker, run.token);
        session.runs.insert(number);
        self.keep_time(number);
        Some(lease)
    }

    /// Forgets a run.
    pub(super) fn remove(&mut self, number: i64) {
        self.close_waits(number);
        self.drop_time(number);
        self.detach(number);
        let Some(run) = self.runs.remove(&number) else {
            return;
        };
        self.run_ids.remove(&run.id);
        if let Some(parent) = &run.parent
            && let Some(started) = self.started.get_mut(&parent.run_id)
        {
            started.remove(&number);
            if started.is_empty() {
                self.started.remove(&parent.run_id);
            }
        }
        for event in std::iter::once(&run.event).chain(&run.joined) {
            if let Some(event) = self.events.get_mut(&event.id) {
                event.runs.retain(|other| *other != number);
            }
        }
        if let Some(single) = &run.single {
            // What was removed while it went on was skipped.
            let now = run
                .due_at
                .or(run.started_at)
                .or(self.seen)
                .unwrap_or_default();
            self.leave_single(number, single, now);
        }
    }
}

impl Run {
    /// Whether anything of it is recorded.
    pub(super) fn has_begun(&self) -> bool {
        !self.journal.is_empty()
    }

    /// Its status when its worker gives it up.
    pub(super) fn status_at_rest(&self) -> RunStatus {
        if self.has_begun() {
            RunStatus::Suspended
        } else {
            RunStatus::Pending
        }
    }

    pub(super) fn progress(&self) -> u64 {
        progress(self.failed_attempts, &self.journal)
    }
}

impl FunctionRow {
    /// The runs that are due, of the event types that pass, the longest due first and no more than `most`.
    pub(super) fn due(
        &self,
        now: Timestamp,
        most: usize,
        passes: impl Fn(&str) -> bool,
    ) -> Vec<(Timestamp, i64)> {
        let mut due: Vec<_> = self
            .due
            .iter()
            .filter(|(event_type, _)| passes(event_type))
            .flat_map(|(_, runs)| runs.iter().take(most))
            .copied()
            .filter(|(due_at, _)| *due_at <= now)
            .collect();
        due.sort_unstable();
        due.truncate(most);
        due
    }
}
