//! A run while it is driven: what its step futures and its driver share.

use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use super::{
    host::Host, outbox::Outbox, rehearsal::Rehearsal, replay::Replay, state::State, waits::Waits,
};
use crate::{
    clock::Timestamp,
    error::Error,
    middleware::RunInfo,
    run::{Before, Decision, Journal, Location, Request, Statuses, Violation},
    store::{ClaimedRun, Entry, Lease, Parent, StepKind, Wait},
    telemetry::{
        FunctionMetrics,
        span::{self, RunIds},
    },
};

/// A run while it is driven.
pub(crate) struct LiveRun {
    pub(crate) run_id: Arc<str>,
    pub(crate) function_id: Arc<str>,
    pub(crate) event_id: Arc<str>,
    pub(crate) event_type: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) started_at: Timestamp,
    /// The run that started it, if one did.
    pub(crate) parent: Option<Parent>,
    /// How many times it was rerun from a step.
    pub(crate) generation: u32,
    /// 1 for the first attempt of the function.
    pub(crate) attempt: u32,
    /// Whether it is driven within a span that says which run it is.
    pub(crate) in_span: bool,
    /// Whether something of it was recorded before.
    pub(crate) resumed: bool,
    /// Whether anything of it was undone before.
    pub(super) was_undone: bool,
    /// How many records it had when it was claimed.
    pub(crate) recorded: usize,
    pub(crate) host: Arc<Host>,
    /// By which it is written.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        allow(dead_code, reason = "no store has transactions then")
    )]
    pub(crate) lease: Lease,
    pub(crate) metrics: Arc<FunctionMetrics>,
    /// The life of the worker's session in which the lease was last known to stand.
    life: AtomicU64,
    /// Whether the run is known to be no longer ours.
    lost: AtomicBool,
    /// Whether the event has come that cancels the run.
    pub(super) cancelled: AtomicBool,
    /// How many expressions of steps are being evaluated.
    pub(super) evaluating: AtomicUsize,
    /// Whether these come to their end, and nothing else of the run goes on.
    pub(super) closing: AtomicBool,
    /// Whether this program could not read the run's event.
    misread: AtomicBool,
    /// Whether a step has sent a heartbeat in this drive.
    pub(super) beaten: AtomicBool,
    /// What it knows of its replay, if it is driven only to be undone.
    pub(crate) replay: Option<Replay>,
    /// What is heard of it, if nothing of it is to be run or written.
    pub(crate) rehearsal: Option<Box<Rehearsal>>,
    state: Mutex<State>,
}

/// What the driver finds when the function waits.
pub(crate) enum Found {
    /// The code and the journal cannot both be right, or the store failed in a step.
    Violation(Error),
    /// The run is no longer ours, so that nothing more could be recorded.
    LeaseLost,
    /// The event has come that cancels the run.
    Cancelled,
    /// A step is about to begin, and the lease may have ended.
    Unsure,
    /// Every step waits for an event or a time far away: the run can leave memory until the first of these, if nothing else is
    /// awaited.
    Idle(Option<Timestamp>),
    /// The store is to be asked what has arrived.
    Look,
    /// Every step waits, one of them in memory: a clock that skips sleeps goes to this moment.
    Rest(Timestamp),
    /// Something is to be recorded; `settled` when nothing else is under way.
    Flush { outbox: Outbox, settled: bool },
    /// Nothing to do until something wakes.
    Nothing,
}

impl LiveRun {
    /// A run that was claimed in this life of the session, of whose journal this is the only owner from here on.
    pub(crate) fn new(
        claimed: &mut ClaimedRun,
        life: u64,
        max_steps: Option<u32>,
        metrics: Arc<FunctionMetrics>,
        host: Arc<Host>,
    ) -> Self {
        let most_steps = max_steps.unwrap_or(host.max_steps);
        let recorded = claimed.journal.len();
        let journal = Journal::new(std::mem::take(&mut claimed.journal));
        let cancel_on = journal.cancel_on().map(|entry| entry.seq);
        let was_undone = journal
            .entries()
            .iter()
            .any(|entry| entry.kind == StepKind::Undo);
        let has_undoable = journal.entries().iter().any(|entry| entry.undoable);
        let waits = Waits::new(std::mem::take(&mut claimed.arrivals), cancel_on);
        Self {
            run_id: Arc::clone(&claimed.run_id),
            function_id: Arc::clone(&claimed.function_id),
            event_id: Arc::clone(&claimed.event_id),
            event_type: Arc::clone(&claimed.event_type),
            payload: Arc::clone(&claimed.payload),
            started_at: claimed.started_at,
            parent: claimed.parent.clone(),
            lease: claimed.lease,
            generation: claimed.generation,
            attempt: claimed.failed_attempts + 1,
            in_span: span::is_around(),
            resumed: claimed.failed_attempts > 0 || !journal.is_empty(),
            was_undone,
            recorded,
            metrics,
            life: AtomicU64::new(life),
            lost: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            evaluating: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            misread: AtomicBool::new(false),
            beaten: AtomicBool::new(false),
            host,
            replay: claimed.undoing.as_ref().map(|_| Replay::default()),
            rehearsal: None,
            state: Mutex::new(State {
                has_undoable,
                has_durable_undoable: has_undoable,
                statuses: Statuses::of(journal.entries()),
                before: Before::all(journal.entries()),
                journal: journal.limited(most_steps),
                waits,
                ..State::default()
            }),
        }
    }

    /// Its ids, for a line of the log within its span.
    pub(crate) fn ids(&self) -> RunIds<'_> {
        RunIds::new(&self.function_id, &self.run_id, self.attempt, self.in_span)
    }

    /// What middleware is told of it.
    pub(crate) fn info(&self) -> RunInfo {
        RunInfo {
            run_id: Arc::clone(&self.run_id),
            function_id: Arc::clone(&self.function_id),
            event_id: Arc::clone(&self.event_id),
            event_type: Arc::clone(&self.event_type),
            payload: Arc::clone(&self.payload),
            started_at: self.started_at,
            attempt: self.attempt,
            resumed: self.resumed,
            clock: Arc::clone(&self.host.clock),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the journal; a violation ends the run, and the caller waits for that.
    pub(crate) fn decide(&self, request: Request<'_>) -> Option<Decision> {
        let mut state = self.state();
        match state.journal.decide(request) {
            Ok(decision) => Some(decision),
            Err(violation) => {
                state.end(violation.into_error());
                None
            }
        }
    }

    /// Whether the store had anything under this path when the run was claimed.
    pub(crate) fn has_entry(&self, path: &str) -> bool {
        self.state().journal.has_entry(path)
    }

    /// Whether the step of this path has a recorded outcome.
    pub(crate) fn has_recorded(&self, path: &str) -> bool {
        self.state().journal.has_recorded(path)
    }

    /// What the recorded wait of this `seq` waits for.
    pub(crate) fn wait_of(&self, seq: u32) -> Option<Wait> {
        let state = self.state();
        state.journal.entry(seq)?.wait.clone()
    }

    /// Until when the recorded wait of this `seq` waits.
    pub(crate) fn due_of(&self, seq: u32) -> Option<Timestamp> {
        self.state().journal.entry(seq)?.due_at
    }

    /// The recorded entry of this `seq`.
    pub(crate) fn entry_of(&self, seq: u32) -> Option<Entry> {
        self.state().journal.entry(seq).cloned()
    }

    /// Marks a scope's path as reached; whether that was right.
    pub(crate) fn reach(&self, path: &Arc<str>, at: &'static Location) -> bool {
        let mut state = self.state();
        match state.journal.reach(path, at) {
            Ok(()) => true,
            Err(violation) => {
                state.end(violation.into_error());
                false
            }
        }
    }

    /// Returns once the lease is known to stand; never if the run is no longer ours, which ends the drive.
    ///
    /// That is at once, unless the process stood still for longer than a lease: then the driver asks the store. `now` has just
    /// been read.
    pub(crate) async fn holds_lease(&self, now: Timestamp) {
        let mut just_read = Some(now);
        poll_fn(|cx| {
            let now = just_read.take().unwrap_or_else(|| self.host.clock.now());
            let life = self.life.load(Ordering::Acquire);
            let sure = self.host.keeps_leases(life, now);
            if sure && !self.has_lost_lease() && !self.is_closing() {
                return Poll::Ready(());
            }
            let mut state = self.state();
            state.unsure.push(cx.waker().clone());
            state.wake_driver();
            Poll::Pending
        })
        .await;
    }

    /// Notes that the store has the lease, asked in this life of the session.
    pub(crate) fn lease_stands(&self, life: u64) {
        self.life.store(life, Ordering::Release);
        let unsure = std::mem::take(&mut self.state().unsure);
        unsure.into_iter().for_each(Waker::wake);
    }

    /// Ends the drive, since the run is no longer ours.
    pub(crate) fn lose_lease(&self) {
        self.lost.store(true, Ordering::Release);
        self.state().wake_driver();
    }

    /// Notes that this program cannot read the run's event.
    pub(crate) fn misread(&self) {
        self.misread.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_misread(&self) -> bool {
        self.misread.load(Ordering::Relaxed)
    }

    pub(crate) fn has_lost_lease(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Ends the attempt with an error that user code is not told: the run fails with it, or goes on later where it is the store that
    /// failed.
    pub(crate) fn abandon(&self, error: Error) {
        self.state().end(error);
    }

    pub(crate) fn violate(&self, violation: Violation) {
        self.state().end(violation.into_error());
    }

    /// What the driver has to do, now that the function waits. `busy` while a write is under way, `woken` while the
    /// function wants another turn before it leaves memory.
    pub(crate) fn look(&self, busy: bool, woken: bool) -> Found {
        let mut state = self.state();
        state.driver = None;
        if let Some(error) = state.violation.take() {
            return Found::Violation(error);
        }
        if self.has_lost_lease() {
            return Found::LeaseLost;
        }
        let is_idle = state.active == 0 && !woken && state.waits_in_memory() == 0;
        if is_idle && !busy && state.unsure.is_empty() && !state.parked.is_empty() {
            return Found::Idle(state.parked.iter().filter_map(|parked| parked.until).min());
        }
        if state.waits.ask() {
            return Found::Look;
        }
        if busy {
            return Found::Nothing;
        }
        if !state.unsure.is_empty() {
            return Found::Unsure;
        }
        if state.outbox.is_empty() {
            let rests = state.active == 0 && !woken;
            return match rests.then(|| state.next_moment(&*self.host.clock)) {
                Some(Some(moment)) => Found::Rest(moment),
                _ => Found::Nothing,
            };
        }
        let outbox = state.outbox.take_part();
        let under_way = state.active + state.waits_in_memory();
        let settled = state.outbox.is_empty() && under_way <= outbox.awaited();
        Found::Flush { outbox, settled }
    }

    /// Has the driver woken by what step futures on other tasks leave behind; false if something is there already.
    ///
    /// `stays` says that the run was found idle and stays in memory all the same.
    pub(crate) fn wait_for_steps(&self, waker: &Waker, busy: bool, stays: bool) -> bool {
        let mut state = self.state();
        let idle = state.active == 0 && !state.parked.is_empty() && state.waits_in_memory() == 0;
        let leaves = !stays && idle;
        if state.violation.is_some()
            || self.has_lost_lease()
            || self.is_cancelled()
            || !(busy
                || !leaves
                    && state.outbox.is_empty()
                    && state.unsure.is_empty()
                    && !state.waits.ask())
        {
            return false;
        }
        state.driver = Some(waker.clone());
        true
    }

    /// Notes that the driver is awake.
    pub(crate) fn forget_driver(&self) {
        self.state().driver = None;
    }

    /// How many clones of the function's waker its steps hold, and how many parked steps have wakers of another kind.
    pub(crate) fn known_wakers(&self, function: &Waker) -> (usize, usize) {
        let state = self.state();
        let parked = || {
            state
                .parked
                .iter()
                .filter_map(|parked| parked.waker.as_ref())
        };
        let tickets = state.waiting.iter().flatten();
        let own = tickets
            .chain(parked())
            .filter(|waker| waker.will_wake(function));
        let foreign = parked().filter(|waker| !waker.will_wake(function));
        (own.count(), foreign.count())
    }
}

impl fmt::Debug for LiveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRun")
            .field("run_id", &self.run_id)
            .field("function_id", &self.function_id)
            .finish_non_exhaustive()
    }
}
