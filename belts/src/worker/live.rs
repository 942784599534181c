//! A run while it is driven: what its step futures and its driver share.
//!
//! Step futures do no IO. They ask the journal, leave what is to be recorded in the outbox, and wait for a ticket that
//! the driver redeems once the write is durable.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::Shared;
use crate::{
    clock::Timestamp,
    error::Error,
    publish::PublishedHere,
    registry::Registered,
    run::{Decision, Journal, Location, Request, Violation},
    store::{ClaimedRun, Entry},
    telemetry::FunctionMetrics,
};

tokio::task_local! {
    /// The run whose function is being polled.
    pub(crate) static CURRENT_RUN: Arc<LiveRun>;
    /// The step whose expression is being polled.
    pub(crate) static CURRENT_STEP: CurrentStep;
}

/// The step whose expression is being polled.
#[derive(Debug)]
pub(crate) struct CurrentStep {
    pub(crate) path: Arc<str>,
    /// The events that this attempt has published, so that each has an idempotency key of its own.
    pub(crate) published: PublishedHere,
}

/// A run while it is driven.
pub(crate) struct LiveRun {
    pub(crate) run_id: Arc<str>,
    pub(crate) function_id: Arc<str>,
    pub(crate) event_id: Arc<str>,
    pub(crate) event_type: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) started_at: Timestamp,
    /// 1 for the first attempt of the function.
    pub(crate) attempt: u32,
    /// Whether something of it was recorded before.
    pub(crate) resumed: bool,
    pub(crate) worker: Arc<Shared>,
    pub(crate) metrics: Arc<FunctionMetrics>,
    /// The life of the worker's session in which the lease was last known to stand.
    life: AtomicU64,
    /// Whether the run is known to be no longer ours.
    lost: AtomicBool,
    /// Whether this program could not read the run's event.
    misread: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    journal: Journal,
    outbox: Outbox,
    /// How many records are durable. They become so in the order in which they were left.
    durable: u64,
    /// Who waits for each of the records that are not.
    waiting: VecDeque<Option<Waker>>,
    /// Step futures that execute, wait in memory, or wait for their record.
    active: usize,
    /// Steps that wait for a time too far away to stay in memory.
    parked: Vec<ParkedStep>,
    next_parked: u64,
    violation: Option<Error>,
    /// Steps that begin only once the lease is known to stand.
    unsure: Vec<Waker>,
    driver: Option<Waker>,
}

/// A step that waits for a time far away, and who is woken for it then.
struct ParkedStep {
    id: u64,
    until: Timestamp,
    waker: Option<Waker>,
}

/// The most bytes of entries that are written at once, nearly: servers have limits.
const PART: usize = 32 * 1024 * 1024;

/// What is to be recorded next.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) entries: Vec<Entry>,
    /// Of each, whether a step future waits for its record.
    awaited: Vec<bool>,
}

impl Outbox {
    /// Takes as many entries from the front as are written at once; one at least, if there is one.
    pub(crate) fn take_part(&mut self) -> Self {
        let mut bytes = 0;
        let count = self.entries.iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += size(entry);
            first || bytes <= PART
        });
        let count = count.count();
        if count == self.entries.len() {
            return std::mem::take(self);
        }
        Self {
            entries: self.entries.drain(..count).collect(),
            awaited: self.awaited.drain(..count).collect(),
        }
    }

    /// Adds what was left later.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.entries.append(&mut later.entries);
        self.awaited.append(&mut later.awaited);
    }

    fn awaited(&self) -> usize {
        self.awaited.iter().filter(|awaited| **awaited).count()
    }
}

/// About how many bytes of a write an entry takes.
fn size(entry: &Entry) -> usize {
    entry.value.len() + entry.path.len() + entry.type_name.len() + 64
}

/// What the driver finds when the function waits.
pub(crate) enum Found {
    /// The code and the journal cannot both be right, or the store failed in a step.
    Violation(Error),
    /// The run is no longer ours, so that nothing more could be recorded.
    LeaseLost,
    /// A step is about to begin, and the lease may have ended.
    Unsure,
    /// Every step waits for a time far away: the run can leave memory until the first of them, if nothing else is awaited.
    Idle(Timestamp),
    /// Something is to be recorded; `settled` when nothing else is under way.
    Flush { outbox: Outbox, settled: bool },
    /// Nothing to do until something wakes.
    Nothing,
}

impl LiveRun {
    pub(crate) fn new(
        claimed: &mut ClaimedRun,
        function: &Registered,
        worker: Arc<Shared>,
    ) -> Self {
        let most_steps = function.options.max_steps.unwrap_or(worker.max_steps);
        let journal = Journal::new(std::mem::take(&mut claimed.journal));
        Self {
            run_id: Arc::clone(&claimed.run_id),
            function_id: Arc::clone(&claimed.function_id),
            event_id: Arc::clone(&claimed.event_id),
            event_type: Arc::clone(&claimed.event_type),
            payload: Arc::clone(&claimed.payload),
            started_at: claimed.started_at,
            attempt: claimed.failed_attempts + 1,
            resumed: claimed.failed_attempts > 0 || !journal.is_empty(),
            metrics: Arc::clone(&function.metrics),
            life: AtomicU64::new(worker.session_life()),
            lost: AtomicBool::new(false),
            misread: AtomicBool::new(false),
            worker,
            state: Mutex::new(State {
                journal: journal.limited(most_steps),
                ..State::default()
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    /// Whether the step of this path has a recorded outcome.
    pub(crate) fn has_recorded(&self, path: &str) -> bool {
        self.state().journal.has_recorded(path)
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
    /// That is at once, unless the process stood still for longer than a lease: then the driver asks the store.
    pub(crate) async fn holds_lease(&self) {
        poll_fn(|cx| {
            let sure = self.worker.keeps_leases(self.life.load(Ordering::Acquire));
            if sure && !self.has_lost_lease() {
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

    /// Ends the attempt without an outcome, since the store failed.
    pub(crate) fn abandon(&self, error: Error) {
        self.state().end(error);
    }

    pub(crate) fn violate(&self, violation: Violation) {
        self.state().end(violation.into_error());
    }

    /// Leaves an entry to be recorded. The ticket is redeemed when it is durable; `awaited` says that the caller,
    /// still counted as under way, waits for that.
    pub(crate) fn record(&self, entry: Entry, awaited: bool) -> Ticket<'_> {
        let mut state = self.state();
        state.outbox.entries.push(entry);
        state.outbox.awaited.push(awaited);
        let number = state.durable + state.waiting.len() as u64;
        state.waiting.push_back(None);
        state.wake_driver();
        Ticket { run: self, number }
    }

    /// Says that the next `count` records are durable.
    pub(crate) fn redeem(&self, count: usize) {
        for _ in 0..count {
            let mut state = self.state();
            let waiting = state.waiting.pop_front().flatten();
            state.durable += 1;
            drop(state);
            if let Some(waker) = waiting {
                waker.wake();
            }
        }
    }

    /// Counts the caller as under way until the guard is dropped.
    pub(crate) fn activate(self: &Arc<Self>) -> Active {
        self.state().active += 1;
        Active(Arc::clone(self))
    }

    /// Counts the caller as waiting for a time far away until the guard is dropped.
    pub(crate) fn park(self: &Arc<Self>, until: Timestamp) -> Parked {
        let mut state = self.state();
        let id = state.next_parked;
        state.next_parked += 1;
        state.parked.push(ParkedStep {
            id,
            until,
            waker: None,
        });
        state.wake_driver();
        Parked(Arc::clone(self), id)
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
        if busy {
            return Found::Nothing;
        }
        if !state.unsure.is_empty() {
            return Found::Unsure;
        }
        if state.active == 0
            && !woken
            && let Some(until) = state.parked.iter().map(|parked| parked.until).min()
        {
            return Found::Idle(until);
        }
        if state.outbox.entries.is_empty() {
            return Found::Nothing;
        }
        let outbox = state.outbox.take_part();
        let settled = state.outbox.entries.is_empty() && state.active <= outbox.awaited();
        Found::Flush { outbox, settled }
    }

    /// Has the driver woken by what step futures on other tasks leave behind; false if something is there already.
    ///
    /// `stays` says that the run was found idle and stays in memory all the same.
    pub(crate) fn wait_for_steps(&self, waker: &Waker, busy: bool, stays: bool) -> bool {
        let mut state = self.state();
        let leaves = !stays && state.active == 0 && !state.parked.is_empty();
        if state.violation.is_some()
            || self.has_lost_lease()
            || !(busy || !leaves && state.outbox.entries.is_empty() && state.unsure.is_empty())
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

    /// As much of it as is written at once.
    pub(crate) fn take_part(&self) -> Outbox {
        self.state().outbox.take_part()
    }

    pub(crate) fn take_outbox(&self) -> Outbox {
        std::mem::take(&mut self.state().outbox)
    }
}

impl State {
    fn end(&mut self, error: Error) {
        self.violation.get_or_insert(error);
        self.wake_driver();
    }

    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
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

/// Waits until a record is durable; never returns if the run ends before that.
#[derive(Debug)]
#[must_use = "a ticket waits when it is awaited"]
pub(crate) struct Ticket<'a> {
    run: &'a LiveRun,
    /// The place of the record among all of this drive, from 0.
    number: u64,
}

impl Future for Ticket<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.run.state();
        let Some(ahead) = self.number.checked_sub(state.durable) else {
            return Poll::Ready(());
        };
        let place = usize::try_from(ahead)
            .ok()
            .and_then(|ahead| state.waiting.get_mut(ahead));
        let former = place.and_then(|place| place.replace(cx.waker().clone()));
        // Whatever hangs on a waker goes without the lock.
        drop(state);
        drop(former);
        Poll::Pending
    }
}

/// A step future that is under way.
#[derive(Debug)]
pub(crate) struct Active(Arc<LiveRun>);

impl Drop for Active {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.active -= 1;
        state.wake_driver();
    }
}

/// A step future that waits for a time far away.
#[derive(Debug)]
pub(crate) struct Parked(Arc<LiveRun>, u64);

impl Parked {
    /// Waits for the time, with one clone of the caller's waker, where the driver sees it.
    pub(crate) async fn wait(&self, time: impl Future<Output = ()>) {
        let waker = Waker::from(Arc::new(ParkedWaker(Arc::clone(&self.0), self.1)));
        let mut time = pin!(time);
        poll_fn(|cx| {
            drop(self.0.set_parked_waker(self.1, Some(cx.waker().clone())));
            time.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
    }
}

impl LiveRun {
    /// The waker that was there before, to be dropped or woken without the lock.
    fn set_parked_waker(&self, id: u64, waker: Option<Waker>) -> Option<Waker> {
        let mut state = self.state();
        let parked = state.parked.iter_mut().find(|parked| parked.id == id)?;
        std::mem::replace(&mut parked.waker, waker)
    }
}

struct ParkedWaker(Arc<LiveRun>, u64);

impl Wake for ParkedWaker {
    fn wake(self: Arc<Self>) {
        if let Some(waker) = self.0.set_parked_waker(self.1, None) {
            waker.wake();
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let place = state.parked.iter().position(|parked| parked.id == self.1);
        let gone = place.map(|place| state.parked.swap_remove(place));
        drop(state);
        drop(gone);
    }
}
