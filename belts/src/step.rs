//! Steps, sleeps and scopes as generated code drives them: `step!` and its like expand to calls of this module.

use std::{
    cell::RefCell,
    future::{Future, pending},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, atomic::AtomicU32},
    task::Poll,
    time::{Duration, SystemTime},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    clock::Timestamp,
    codec::{self, Failure, Outcome},
    context::Context,
    error::{Error, ErrorKind, Result},
    run::{
        Backoff, Decision, Location, Request, RetryPolicy, StepVerdict, Violation,
        after_step_failure, join,
    },
    store::{Entry, StepKind, StepState},
    terminal::{Class, Classified},
    worker::live::{Active, CURRENT_STEP, CurrentStep, LiveRun},
};

/// Waits up to this long stay in memory; longer ones leave it.
const STAYS_IN_MEMORY: Duration = Duration::from_secs(3);

/// A run and the place in it where steps are looked up.
#[derive(Debug, Clone)]
pub struct Scope {
    run: Arc<LiveRun>,
    prefix: Option<Arc<str>>,
}

/// A step's key as the macro has it.
#[derive(Debug, Clone)]
pub enum Key {
    /// A literal without captures.
    Literal(&'static str),
    /// A literal with its captures filled in.
    Formatted(String),
}

impl Key {
    fn as_str(&self) -> &str {
        match self {
            Self::Literal(key) => key,
            Self::Formatted(key) => key,
        }
    }
}

/// What stands behind the expression of a `step!`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepOptions {
    /// Retries after the first attempt.
    pub retries: Option<u32>,
    /// The wait between attempts.
    pub backoff: Option<Backoff>,
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
}

impl Scope {
    pub(crate) fn root(run: Arc<LiveRun>) -> Self {
        Self { run, prefix: None }
    }

    /// What user code may ask about the run.
    pub fn context(&self) -> Context {
        Context::new(Arc::clone(&self.run))
    }

    /// A step, not begun.
    pub fn step<T>(&self, key: Key, at: &'static Location, options: StepOptions) -> Step<T> {
        Step {
            scope: self.clone(),
            key,
            at,
            options,
            phase: Phase::New,
        }
    }

    /// A sleep of `duration` from when it is first reached.
    pub fn sleep(
        &self,
        key: Key,
        at: &'static Location,
        duration: Duration,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        self.clone().rest(key, at, move |now| now.after(duration))
    }

    /// A sleep until `time`, fixed when it is first reached.
    pub fn sleep_until<S: Into<SystemTime>>(
        &self,
        key: Key,
        at: &'static Location,
        time: S,
    ) -> impl Future<Output = Result<()>> + Send + use<S> {
        let until = Timestamp::from(time.into());
        self.clone().rest(key, at, move |_| until)
    }

    async fn rest(
        self,
        key: Key,
        at: &'static Location,
        until: impl FnOnce(Timestamp) -> Timestamp + Send,
    ) -> Result<()> {
        let path = join(self.prefix.as_deref(), key.as_str());
        let clock = Arc::clone(&self.run.worker.clock);
        match self.decide(&path, StepKind::Sleep, at).await {
            Decision::Begin { seq } => {
                let now = clock.now();
                let due_at = until(now);
                let active = self.run.activate();
                let short = due_at.since(now) <= STAYS_IN_MEMORY;
                let ticket = self.run.record(sleep_entry(seq, path, now, due_at), short);
                // A long sleep is recorded in the same write that suspends the run; a short one on its own.
                if short {
                    ticket.await;
                    clock.sleep_until(due_at).await;
                } else {
                    self.wait_parked(due_at, active).await;
                }
            }
            Decision::Resume { due_at, .. } => self.wait(due_at, self.run.activate()).await,
            Decision::Replay { .. } => {}
        }
        Ok(())
    }

    /// A scope of its own for a helper's steps.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "generated code makes the key for this call"
    )]
    pub fn enter(&self, key: Key, at: &'static Location) -> Entered {
        let path = join(self.prefix.as_deref(), key.as_str());
        Entered {
            at,
            scope: Self {
                run: Arc::clone(&self.run),
                prefix: Some(path),
            },
        }
    }

    /// What the journal says; never returns where that ends the run.
    async fn decide(&self, path: &Arc<str>, kind: StepKind, at: &'static Location) -> Decision {
        if let Ok(outer) = CURRENT_STEP.try_with(|step| Arc::clone(&step.path)) {
            self.run.violate(Violation::Nested {
                path: Arc::clone(path),
                outer,
                at,
            });
            return pending().await;
        }
        match self.run.decide(Request { path, kind, at }) {
            Some(decision) => decision,
            None => pending().await,
        }
    }

    /// Returns at `until`, or never: a run that waits for long leaves memory.
    async fn wait(&self, until: Timestamp, active: Active) {
        let clock = &self.run.worker.clock;
        let now = clock.now();
        if until <= now {
            return;
        }
        if until.since(now) <= STAYS_IN_MEMORY {
            clock.sleep_until(until).await;
            drop(active);
        } else {
            self.wait_parked(until, active).await;
        }
    }

    /// Waits without being under way. The run may leave memory at any moment; if others keep it there, this returns.
    async fn wait_parked(&self, until: Timestamp, active: Active) {
        let _parked = self.run.park(until);
        drop(active);
        // The run leaves memory if it can; a clock that skips sleeps is not to skip that.
        self.run.worker.clock.expire_at(until).await;
    }
}

fn sleep_entry(seq: u32, path: Arc<str>, now: Timestamp, due_at: Timestamp) -> Entry {
    Entry {
        seq,
        path,
        kind: StepKind::Sleep,
        state: StepState::Waiting,
        type_name: Arc::from(""),
        value: Arc::from([]),
        attempts: 0,
        due_at: Some(due_at),
        started_at: now,
        finished_at: None,
    }
}

/// A scope that `scope!` made.
#[derive(Debug)]
pub struct Entered {
    scope: Scope,
    at: &'static Location,
}

impl Entered {
    /// Marks the scope's key as used; never returns if it was used before.
    pub async fn begin(&self) {
        let Some(path) = &self.scope.prefix else {
            return;
        };
        if let Ok(outer) = CURRENT_STEP.try_with(|step| Arc::clone(&step.path)) {
            self.scope.run.violate(Violation::Nested {
                path: Arc::clone(path),
                outer,
                at: self.at,
            });
        } else if self.scope.run.reach(path, self.at) {
            return;
        }
        pending::<()>().await;
    }

    /// Where the helper's steps are looked up.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// A step: a loop over [`next`](Step::next) and [`attempt`](Step::attempt), which generated code writes in place
/// because a closure's bounds would get in the way of borrowing.
#[derive(Debug)]
pub struct Step<T> {
    scope: Scope,
    key: Key,
    at: &'static Location,
    options: StepOptions,
    phase: Phase<T>,
}

/// What to do next about a step.
#[derive(Debug)]
pub enum Next<T> {
    /// It is over.
    Return(Result<T>),
    /// Evaluate the expression and pass it to [`Step::attempt`].
    Attempt,
}

#[derive(Debug)]
enum Phase<T> {
    New,
    /// Under way, with what the next record of it says.
    Begun(Begun, Active),
    Over(Option<Result<T>>),
}

#[derive(Debug)]
struct Begun {
    path: Arc<str>,
    seq: u32,
    failed_attempts: u32,
    started_at: Timestamp,
    due_at: Option<Timestamp>,
}

impl<T: Serialize + DeserializeOwned> Step<T> {
    /// Whether to evaluate the expression, or what to return.
    pub async fn next(&mut self) -> Next<T> {
        if matches!(self.phase, Phase::New) {
            self.phase = begin(&self.scope, &self.key, self.at).await;
        }
        match &mut self.phase {
            Phase::Over(result) => match result.take() {
                Some(result) => Next::Return(result),
                None => pending().await,
            },
            Phase::Begun(..) => {
                self.wait_for_retry().await;
                // What runs now could not be recorded, and another worker may have recorded it already.
                if !self.scope.run.keeps_lease() {
                    return pending().await;
                }
                Next::Attempt
            }
            Phase::New => unreachable!("`begin` leaves `New`"),
        }
    }

    async fn wait_for_retry(&mut self) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        let Some(due_at) = begun.due_at.take() else {
            return;
        };
        // While it waits the guard changes hands: a long wait does not count as under way.
        let active = std::mem::replace(&mut self.phase, Phase::Over(None));
        if let Phase::Begun(begun, active) = active {
            self.scope.wait(due_at, active).await;
            self.phase = Phase::Begun(begun, self.scope.run.activate());
        }
    }

    /// Polls the expression to its end and records what came of it.
    pub async fn attempt<F: Future<Output = Result<T>>>(&mut self, expression: F) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        let run = Arc::clone(&self.scope.run);
        let outcome = match preset(&run, begun) {
            Some(preset) => preset,
            None => evaluate(&run, &begun.path, self.options.timeout, expression).await,
        };
        if let Err(error) = &outcome
            && error.is_of_the_store()
        {
            run.abandon(Error::new(
                ErrorKind::Store,
                format!(
                    "the store failed in the step `{}`: {}",
                    begun.path,
                    error.report()
                ),
            ));
            return pending().await;
        }
        let now = run.worker.clock.now();
        let checked = outcome.and_then(|value| checked(&value, &run));
        let (entry, over) = match checked {
            Ok((bytes, value)) => (
                begun.entry::<T>(StepState::Completed, bytes, None, now),
                Some(Ok(value)),
            ),
            Err(error) => {
                begun.failed_attempts += 1;
                let policy = RetryPolicy::new(self.options.retries, self.options.backoff);
                let failure = Failure::of(&error);
                let bytes = codec::encode_err(&failure);
                match after_step_failure(
                    &error,
                    policy,
                    begun.failed_attempts,
                    now,
                    run.worker.random(),
                ) {
                    StepVerdict::RetryAt(due_at) => {
                        tracing::warn!(
                            function = %run.function_id, run = %run.run_id, step = %begun.path,
                            attempt = begun.failed_attempts, retry_at = %due_at, error = %error.report(),
                            "step failed and will be retried"
                        );
                        begun.due_at = Some(due_at);
                        (
                            begun.entry::<T>(StepState::Waiting, bytes, Some(due_at), now),
                            None,
                        )
                    }
                    StepVerdict::GiveUp => {
                        tracing::warn!(
                            function = %run.function_id, run = %run.run_id, step = %begun.path,
                            attempt = begun.failed_attempts, error = %error.report(), "step failed for good"
                        );
                        let error = recorded(&run, &begun.path, failure);
                        (
                            begun.entry::<T>(StepState::Failed, bytes, None, now),
                            Some(Err(error)),
                        )
                    }
                }
            }
        };
        // The record of a failed attempt whose retry is far away travels with the write that suspends the run.
        let awaited = begun
            .due_at
            .is_none_or(|due_at| due_at.since(now) <= STAYS_IN_MEMORY);
        let ticket = run.record(entry, awaited);
        if awaited {
            ticket.await;
        }
        if let Some(result) = over {
            self.phase = Phase::Over(Some(result));
        }
    }
}

async fn begin<T: DeserializeOwned>(scope: &Scope, key: &Key, at: &'static Location) -> Phase<T> {
    let path = join(scope.prefix.as_deref(), key.as_str());
    let begun = match scope.decide(&path, StepKind::Step, at).await {
        Decision::Replay { value, type_name } => {
            return match replay(&scope.run, path, &value, type_name, at) {
                Some(result) => Phase::Over(Some(result)),
                None => pending().await,
            };
        }
        Decision::Begin { seq } => {
            let started_at = scope.run.worker.clock.now();
            Begun {
                path,
                seq,
                failed_attempts: 0,
                started_at,
                due_at: None,
            }
        }
        Decision::Resume {
            seq,
            due_at,
            failed_attempts,
            started_at,
        } => Begun {
            path,
            seq,
            failed_attempts,
            started_at,
            due_at: Some(due_at),
        },
    };
    Phase::Begun(begun, scope.run.activate())
}

/// A recorded outcome; `None` where it does not fit the type, which ends the run.
fn replay<T: DeserializeOwned>(
    run: &LiveRun,
    path: Arc<str>,
    value: &[u8],
    stored: Arc<str>,
    at: &'static Location,
) -> Option<Result<T>> {
    match codec::decode::<T>(value) {
        Ok(Outcome::Ok(value)) => Some(Ok(value)),
        Ok(Outcome::Err(failure)) => Some(Err(recorded(run, &path, failure))),
        Err(error) => {
            let expected = std::any::type_name::<T>();
            let reason = error.to_string();
            run.violate(Violation::OtherType {
                path,
                stored,
                expected,
                reason,
                at,
            });
            None
        }
    }
}

impl Begun {
    fn entry<T>(
        &self,
        state: StepState,
        value: Arc<[u8]>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Entry {
        let succeeded = u32::from(state == StepState::Completed);
        Entry {
            seq: self.seq,
            path: Arc::clone(&self.path),
            kind: StepKind::Step,
            state,
            type_name: type_name::<T>(),
            value,
            attempts: self.failed_attempts + succeeded,
            due_at,
            started_at: self.started_at,
            finished_at: (state != StepState::Waiting).then_some(now),
        }
    }
}

/// The name of a type. Each thread keeps the last one, since the steps of a loop have one type.
fn type_name<T>() -> Arc<str> {
    thread_local! {
        static LAST: RefCell<Arc<str>> = RefCell::default();
    }
    let name = std::any::type_name::<T>();
    LAST.with_borrow_mut(|last| {
        if **last != *name {
            *last = Arc::from(name);
        }
        Arc::clone(last)
    })
}

/// What a test wants this attempt to come to.
#[cfg(feature = "testing")]
fn preset<T: DeserializeOwned>(run: &LiveRun, begun: &Begun) -> Option<Result<T>> {
    run.worker
        .probe
        .as_ref()?
        .consult(&run.run_id, &begun.path, begun.failed_attempts)
}

#[cfg(not(feature = "testing"))]
fn preset<T>(_: &LiveRun, _: &Begun) -> Option<Result<T>> {
    None
}

/// Evaluates one attempt: a panic and a timeout are failures like any other.
async fn evaluate<T, F: Future<Output = Result<T>>>(
    run: &Arc<LiveRun>,
    path: &Arc<str>,
    timeout: Option<Duration>,
    expression: F,
) -> Result<T> {
    let step = CurrentStep {
        path: Arc::clone(path),
        published: AtomicU32::new(0),
    };
    let expression = CURRENT_STEP.scope(step, catch_panic(expression));
    let Some(timeout) = timeout else {
        return expression.await;
    };
    let clock = &run.worker.clock;
    let expired = clock.expire_at(clock.now().after(timeout));
    tokio::select! {
        biased;
        outcome = expression => outcome,
        () = expired => Err(Error::new(ErrorKind::TimedOut, format!("timed out after {timeout:?}"))),
    }
}

/// Turns a panic of the future into an error.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        // After a panic the future is not polled again, so nobody sees what it left half done.
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(payload) => Poll::Ready(Err(panicked(payload.as_ref()))),
        }
    })
    .await
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with a value that is not text".to_owned());
    Error::new(ErrorKind::Panicked, format!("panicked: {text}"))
}

/// The value as it is recorded, and as it is read back: what this attempt returns is what every later one will.
fn checked<T: Serialize + DeserializeOwned>(value: &T, run: &LiveRun) -> Result<(Arc<[u8]>, T)> {
    let bytes = codec::encode_ok(value)?;
    let limit = run.worker.max_value_bytes;
    if bytes.len() > limit {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the result has {} bytes, over the limit of {limit}: keep it elsewhere and record where, \
                 or raise `max_value_bytes`",
                bytes.len()
            ),
        ));
    }
    match codec::decode::<T>(&bytes) {
        Ok(Outcome::Ok(value)) => Ok((bytes, value)),
        Ok(Outcome::Err(_)) => unreachable!("an envelope written by `encode_ok` holds a value"),
        Err(error) => {
            let wanted = std::any::type_name::<T>();
            Err(Error::new(
                ErrorKind::Codec,
                format!("the result cannot be read back as `{wanted}`: {error}"),
            ))
        }
    }
}

/// A recorded failure as the error that every attempt returns.
fn recorded(run: &LiveRun, path: &Arc<str>, failure: Failure) -> Error {
    Error::new(ErrorKind::StepFailed, format!("step `{path}` failed"))
        .with_source(Classified {
            class: Class::Recorded,
            inner: Box::new(failure.into_source()),
        })
        .with_step(path)
        .with_run(&run.run_id)
        .with_function(&run.function_id)
}
