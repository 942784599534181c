//! Drives one run: polls its function, writes what its steps leave behind, and ends with a transition.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use metrics::Histogram;

use super::{
    RunFailure, Shared,
    live::{CURRENT_RUN, Found, LiveRun, Outbox},
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    failure::{self, Failure},
    function::Continuation,
    middleware::{self, Around, RunInfo},
    private::Invocation,
    registry::Registered,
    run::{RetryPolicy, after_function},
    step::{Scope, catch_panic},
    store::{
        ClaimedRun, Commit, CommitBatch, CommitOutcome, Lease, StepKind, StepState, Transition,
    },
    telemetry::Stopwatch,
};

/// How the drive of a run ended, as far as this worker is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It returned `Ok`; with the output as an envelope.
    Completed(Arc<[u8]>),
    /// It failed for good.
    Failed,
    /// It goes on at this time.
    Suspended(Timestamp),
    /// It reached the step at which it was asked to stop.
    Stopped,
    /// The function's filter did not want the event.
    Skipped,
    /// The lease was lost, or the store failed: nothing more was written.
    Abandoned,
}

impl Ended {
    /// The word for it, in spans.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed => "failed",
            Self::Suspended(_) => "suspended",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How long a run rests after the store failed while its own code used it.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The most turns between function and store in one poll, so that a run of fast steps lets others have a turn.
const TURNS: usize = 64;

type Written = Result<Vec<CommitOutcome>>;

/// A write to the store, measured.
struct Write<'a> {
    commit: Pin<Box<dyn Future<Output = Written> + Send + 'a>>,
    begun: Stopwatch,
    seconds: &'a Histogram,
}

impl Future for Write<'_> {
    type Output = Written;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Written> {
        let written = std::task::ready!(self.commit.as_mut().poll(cx));
        self.seconds.record(self.begun.seconds());
        Poll::Ready(written)
    }
}

/// A write under way: how many records it makes durable, and what becomes of the run with it.
type Underway<'a> = (Write<'a>, usize, Option<Transition>);

/// Drives a claimed run until its lease ends; and why it failed, if it failed for good.
pub(crate) async fn drive(
    worker: &Arc<Shared>,
    function: &Registered,
    mut claimed: ClaimedRun,
) -> (Ended, Option<RunFailure>) {
    let (wanted, metrics) = (wanted(function, &claimed), &function.metrics);
    let run = Arc::new(LiveRun::new(&mut claimed, metrics, Arc::clone(worker)));
    let drive = Drive::new(worker, &run, function, &claimed);
    let wanted = match wanted {
        Ok(true) => Ok(()),
        Ok(false) => {
            let ended = drive.end(Outbox::default(), Transition::Skip).await;
            return (ended, None);
        }
        Err(error) => Err(error),
    };
    let begun = if run.resumed {
        &metrics.runs_resumed
    } else {
        &metrics.runs_started
    };
    begun.increment(1);
    let _running = metrics.running();
    let ended = match wanted {
        Ok(()) => drive.go().await,
        Err(error) => drive.fail(&error).await,
    };
    match ended {
        Ended::Completed(_) => metrics.runs_completed.increment(1),
        Ended::Failed => metrics.runs_failed.increment(1),
        _ => {}
    }
    let failure = drive.failure.into_inner();
    (ended, failure.map(|error| RunFailure::new(&run, error)))
}

fn wanted(function: &Registered, claimed: &ClaimedRun) -> Result<bool> {
    match function.def.accepts {
        // A filter speaks about the event alone, so a run that has begun has passed it, whatever it says by now.
        Some(accepts) if claimed.failed_attempts == 0 && claimed.journal.is_empty() => {
            accepts(&claimed.event_type, &claimed.payload)
        }
        _ => Ok(true),
    }
}

struct Drive<'a> {
    worker: &'a Arc<Shared>,
    run: &'a Arc<LiveRun>,
    function: &'a Registered,
    lease: Lease,
    policy: RetryPolicy,
    claimed: &'a ClaimedRun,
    /// The step at which the run was asked to stop.
    target: Option<Arc<str>>,
    /// When this drive has to hand the run on, where it is driven within a delivery.
    deadline: Option<Timestamp>,
    /// Why the run failed for good.
    failure: OnceLock<Error>,
}

/// What made the driver stop polling.
enum Event {
    Returned(Result<Arc<[u8]>>),
    Found(Found),
    Written(Written),
}

impl<'a> Drive<'a> {
    fn new(
        worker: &'a Arc<Shared>,
        run: &'a Arc<LiveRun>,
        function: &'a Registered,
        claimed: &'a ClaimedRun,
    ) -> Self {
        let options = &function.options;
        Self {
            worker,
            run,
            function,
            lease: claimed.lease,
            policy: RetryPolicy::new(claimed.retries.or(options.retries), options.backoff),
            target: worker.target_of(&claimed.run_id),
            deadline: worker.hand_on_at(),
            failure: OnceLock::new(),
            claimed,
        }
    }

    async fn go(&self) -> Ended {
        if self
            .target
            .as_ref()
            .is_some_and(|target| self.run.has_recorded(target))
        {
            return self.end(Outbox::default(), Transition::Stop).await;
        }
        let scope = Scope::root(Arc::clone(self.run));
        let invocation = Invocation {
            scope,
            event_type: Arc::clone(&self.run.event_type),
            payload: Arc::clone(&self.run.payload),
        };
        let limited = self.limited(self.inside_middleware(invocation));
        let mut function = Box::pin(CURRENT_RUN.scope(Arc::clone(self.run), limited));
        let waker = Arc::new(FunctionWaker::new());
        let function_waker = Waker::from(Arc::clone(&waker));
        let mut write: Option<Underway<'_>> = None;
        loop {
            let event = poll_fn(|cx| {
                self.turn(
                    cx,
                    function.as_mut(),
                    &waker,
                    &function_waker,
                    write.as_mut(),
                )
            })
            .await;
            match event {
                Event::Returned(outcome) => return self.returned(outcome, write.take()).await,
                Event::Found(Found::Violation(error)) => {
                    return self.violated(error, write.take()).await;
                }
                Event::Found(Found::LeaseLost) => return self.lease_lost(),
                Event::Found(Found::Idle(outbox, due_at)) => {
                    return self.end(outbox, Transition::Suspend { due_at }).await;
                }
                Event::Found(Found::Flush { outbox, settled }) => {
                    let transition = self.after_steps(&outbox, settled);
                    let count = outbox.entries.len();
                    let written = self.write(outbox.entries, transition.clone());
                    write = Some((written, count, transition));
                }
                Event::Found(Found::Nothing) => {}
                Event::Written(result) => {
                    let Some((_, count, transition)) = write.take() else {
                        continue;
                    };
                    match (self.applied(result), transition) {
                        (false, _) => return Ended::Abandoned,
                        (true, Some(transition)) => return self.ended(transition),
                        (true, None) => self.run.redeem(count),
                    }
                    // A store that is always done at once would otherwise never let others have a turn.
                    tokio::task::coop::consume_budget().await;
                }
            }
        }
    }

    /// One drive of the function, with whatever the program has put around it.
    async fn inside_middleware(&self, invocation: Invocation) -> Result<Arc<[u8]>> {
        let start = self.function.def.start;
        let body = pin!(catch_panic(async move { start(invocation).await }));
        let layers = &self.worker.middleware;
        if layers.is_empty() {
            return body.await;
        }
        let info = RunInfo::new(self.run);
        middleware::around(layers, Around::Run(&info), body).await
    }

    /// Puts the function's `timeout` around one drive of it.
    async fn limited(&self, body: impl Future<Output = Result<Arc<[u8]>>>) -> Result<Arc<[u8]>> {
        let Some(timeout) = self.function.options.timeout else {
            return body.await;
        };
        let clock = &self.worker.clock;
        tokio::select! {
            biased;
            outcome = body => outcome,
            () = clock.expire_at(clock.now().after(timeout)) => {
                Err(Error::new(ErrorKind::TimedOut, format!("the function timed out after {timeout:?}")))
            }
        }
    }

    /// One turn: the write under way, then the function if something woke it, then what it left behind.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an exclusive borrow cannot be copied"
    )]
    fn turn<F: Future<Output = Result<Arc<[u8]>>>>(
        &self,
        cx: &mut Context<'_>,
        mut function: Pin<&mut F>,
        waker: &FunctionWaker,
        function_waker: &Waker,
        write: Option<&mut Underway<'_>>,
    ) -> Poll<Event> {
        let busy = write.is_some();
        // To wake a driver that is awake would have it polled once more, and another thread of the runtime woken for it.
        waker.forget_driver();
        self.run.forget_driver();
        if let Some((write, ..)) = write
            && let Poll::Ready(result) = Pin::new(write).poll(cx)
        {
            return Poll::Ready(Event::Written(result));
        }
        for _ in 0..TURNS {
            if waker.take_woken()
                && let Poll::Ready(outcome) = function
                    .as_mut()
                    .poll(&mut Context::from_waker(function_waker))
            {
                return Poll::Ready(Event::Returned(outcome));
            }
            match self.run.look(busy, waker.is_woken()) {
                Found::Nothing => {}
                found => return Poll::Ready(Event::Found(found)),
            }
            if self.run.wait_for_steps(cx.waker(), busy) && waker.wait(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the run stops here although it could go on: after the step that was asked for, or between deliveries.
    ///
    /// `settled` says that no other step is under way; only the step that was asked for stops the run regardless.
    fn after_steps(&self, outbox: &Outbox, settled: bool) -> Option<Transition> {
        let mut recorded = outbox
            .entries
            .iter()
            .filter(|entry| entry.kind == StepKind::Step && entry.state != StepState::Waiting)
            .peekable();
        recorded.peek()?;
        if recorded.any(|entry| self.target.as_deref() == Some(&*entry.path)) {
            return Some(Transition::Stop);
        }
        let now = self.worker.clock.now();
        let hand_on = self.function.options.continuation == Continuation::PerStep
            || self.deadline.is_some_and(|deadline| now >= deadline)
            || self.worker.is_draining();
        (hand_on && settled).then(|| Transition::Suspend {
            due_at: self.worker.time_to_go_on(now),
        })
    }

    async fn returned(&self, outcome: Result<Arc<[u8]>>, write: Option<Underway<'_>>) -> Ended {
        // What was left in the outbox belongs to futures that the function dropped; it is recorded all the same.
        if let Some((write, ..)) = write
            && !self.applied(write.await)
        {
            return Ended::Abandoned;
        }
        if let Err(error) = &outcome
            && error.is_no_outcome()
        {
            return self.put_off(error).await;
        }
        let outcome = outcome.and_then(|output| self.worker.check_size(output, "output"));
        let (now, random) = (self.worker.clock.now(), self.worker.random());
        let failed_attempts = self.claimed.failed_attempts;
        let mut transition = match &outcome {
            Ok(output) => after_function(
                Ok(Arc::clone(output)),
                self.policy,
                failed_attempts,
                now,
                random,
            ),
            Err(error) => after_function(Err(error), self.policy, failed_attempts, now, random),
        };
        if let Transition::Retry { due_at, .. } = &mut transition {
            *due_at = self.worker.time_to_go_on(*due_at);
        }
        if let Err(error) = &outcome {
            self.log(error, &transition);
        }
        let ended = self.end(self.run.take_outbox(), transition).await;
        if let (Err(error), Ended::Failed) = (outcome, &ended) {
            let _ = self.failure.set(error);
        }
        ended
    }

    /// Ends the drive before a step begins whose result could not be recorded.
    fn lease_lost(&self) -> Ended {
        self.worker.metrics.leases_lost.increment(1);
        tracing::warn!(
            function = %self.run.function_id, run = %self.run.run_id,
            "this process stood still for longer than its lease; whoever has the run now goes on with it"
        );
        // Should the store have seen it otherwise, the run must not wait for us.
        self.worker.release_later(&self.run.run_id, self.lease);
        Ended::Abandoned
    }

    async fn violated(&self, error: Error, write: Option<Underway<'_>>) -> Ended {
        if let Some((write, ..)) = write
            && !self.applied(write.await)
        {
            return Ended::Abandoned;
        }
        if error.is_no_outcome() {
            return self.put_off(&error).await;
        }
        self.fail(&error).await
    }

    /// Lets the run go on from its journal a little later: that the store or the dispatcher failed is no outcome of the run.
    async fn put_off(&self, error: &Error) -> Ended {
        tracing::warn!(
            function = %self.run.function_id, run = %self.run.run_id, error = %error.report(),
            "the attempt is abandoned and will be resumed"
        );
        let due_at = self.worker.clock.now().after(STORE_PAUSE);
        self.end(self.run.take_outbox(), Transition::Suspend { due_at })
            .await
    }

    /// Fails the run for good.
    async fn fail(&self, error: &Error) -> Ended {
        let transition = Transition::Fail {
            failed_attempts: self.claimed.failed_attempts + 1,
            error: failure::envelope(error),
        };
        self.log(error, &transition);
        let ended = self.end(self.run.take_outbox(), transition).await;
        if matches!(ended, Ended::Failed) {
            let _ = self.failure.set(Failure::of(error).into_error());
        }
        ended
    }

    /// Writes the last entries and the transition.
    async fn end(&self, outbox: Outbox, transition: Transition) -> Ended {
        let written = self.write(outbox.entries, Some(transition.clone()));
        if self.applied(written.await) {
            self.ended(transition)
        } else {
            Ended::Abandoned
        }
    }

    fn ended(&self, transition: Transition) -> Ended {
        match transition {
            Transition::Complete { output } => Ended::Completed(output),
            Transition::Fail { .. } => Ended::Failed,
            Transition::Stop => Ended::Stopped,
            Transition::Skip => Ended::Skipped,
            Transition::Suspend { due_at } | Transition::Retry { due_at, .. } => {
                self.worker.expect_due(due_at);
                Ended::Suspended(due_at)
            }
        }
    }

    fn write(
        &self,
        entries: Vec<crate::store::Entry>,
        transition: Option<Transition>,
    ) -> Write<'a> {
        let metrics = &self.worker.metrics;
        let records = entries.len() + usize::from(transition.is_some());
        metrics.commit_batch_size.record(count(records));
        let begun = Stopwatch::start();
        let commits = vec![Commit {
            lease: self.lease,
            entries,
            transition,
        }];
        let now = self.worker.clock.now();
        Write {
            commit: self.worker.store.commit(CommitBatch { commits, now }),
            begun,
            seconds: &metrics.commit_seconds,
        }
    }

    /// Whether a write went through; if not, the run is given up and claimed anew with what the store really has.
    fn applied(&self, result: Written) -> bool {
        match result {
            Ok(outcomes) if outcomes.first() == Some(&CommitOutcome::Applied) => true,
            Ok(_) => {
                self.worker.metrics.leases_lost.increment(1);
                tracing::warn!(
                    function = %self.run.function_id, run = %self.run.run_id,
                    "the lease was lost; another worker goes on with the run"
                );
                false
            }
            Err(error) => {
                tracing::error!(
                    function = %self.run.function_id, run = %self.run.run_id, error = %error.report(),
                    "the store failed; the attempt is abandoned and will be resumed"
                );
                self.worker.release_later(&self.run.run_id, self.lease);
                false
            }
        }
    }

    fn log(&self, error: &Error, transition: &Transition) {
        let (function, run, attempt) = (&self.run.function_id, &self.run.run_id, self.run.attempt);
        match transition {
            Transition::Retry { due_at, .. } => tracing::warn!(
                %function, %run, attempt, retry_at = %due_at, error = %error.report(), "run failed and will be retried"
            ),
            _ => {
                tracing::error!(%function, %run, attempt, error = %error.report(), "run failed for good");
            }
        }
    }
}

/// A small number as metrics have it.
fn count(records: usize) -> f64 {
    f64::from(u32::try_from(records).unwrap_or(u32::MAX))
}

/// Wakes the driver when the function is woken, but only while the driver sleeps: what wakes during a turn is seen in it.
struct FunctionWaker {
    woken: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl FunctionWaker {
    fn new() -> Self {
        Self {
            woken: AtomicBool::new(true),
            driver: Mutex::new(None),
        }
    }

    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    fn forget_driver(&self) {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Leaves the driver's waker; false if the function was woken meanwhile.
    fn wait(&self, driver: &Waker) -> bool {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver.clone());
        !self.is_woken()
    }
}

impl Wake for FunctionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if let Some(driver) = self
            .driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            driver.wake();
        }
    }
}
