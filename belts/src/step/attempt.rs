//! A step from its key to its record: replayed, or attempted until it succeeds or gives up.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};
use tracing::Instrument;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use super::Recording;
use super::{
    Expression, Key, STAYS_IN_MEMORY, Scope, StepOptions, Unknown,
    begun::{Begun, of_unknown},
    evaluate::{Evaluated, Limits, evaluate},
    failed::recorded,
    preset::preset,
    undoes::{Closure, Undoes, Undone},
    values::Values,
};
use crate::{
    clock::Timestamp,
    codec::{Begins, Decoded},
    error::{Error, ErrorKind, Result},
    live::{Active, InTransaction, Left, LiveRun},
    middleware::{self, Around, StepInfo},
    panic,
    run::{Decision, Location, RetryPolicy, Violation, join},
    store::{Entry, StepKind, StepState},
    telemetry::span::{self, StepIds},
};

/// A step: a loop over [`next`](Step::next), which generated code writes in place because a closure's bounds would get in the way
/// of borrowing.
#[derive(Debug)]
pub struct Step<T> {
    pub(super) scope: Scope,
    pub(super) key: Key,
    pub(super) at: &'static Location,
    pub(super) options: StepOptions,
    pub(super) values: Values<T>,
    /// Whether the expression is a transaction, which records the step itself.
    pub(super) is_transaction: bool,
    pub(super) phase: Phase<T>,
    pub(super) undo: Undoes,
}

#[derive(Debug)]
pub(super) enum Phase<T> {
    New,
    /// Under way, with what the next record of it says.
    Begun(Begun, Active),
    Over(Option<Result<T>>),
}

impl Scope {
    /// A step whose expression has this key.
    pub fn step<T: Serialize + DeserializeOwned>(
        &self,
        key: Key,
        at: &'static Location,
        options: StepOptions,
    ) -> Step<T> {
        Step {
            scope: self.clone(),
            key,
            at,
            options,
            values: Values::OF_TYPE,
            is_transaction: false,
            phase: Phase::New,
            undo: Undoes::No,
        }
    }

    /// A step whose expression is a transaction.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub fn transaction<T: Serialize + DeserializeOwned>(
        &self,
        key: Key,
        at: &'static Location,
        options: StepOptions,
    ) -> Step<T> {
        let mut step = self.step(key, at, options);
        step.is_transaction = true;
        step
    }
}

impl<T> Step<T> {
    /// A step that is undone so, with its result, if it was recorded and the run fails or is cancelled.
    #[must_use]
    pub fn undo<F, R>(mut self, undo: F) -> Self
    where
        F: Fn(T) -> R + Send + 'static,
        R: Future<Output: Undone> + Send + 'static,
        T: 'static,
    {
        self.undo = if self.scope.run.is_undoing() {
            Undoes::By(Some(Box::new(Closure::new(
                undo,
                self.values.decode,
                self.options.timeout,
            ))))
        } else {
            Undoes::Yes
        };
        self
    }

    /// A step that is under way.
    pub(super) fn begun(
        scope: Scope,
        at: &'static Location,
        options: StepOptions,
        values: Values<T>,
        begun: Begun,
    ) -> Self {
        let active = scope.run.activate();
        Self {
            scope,
            key: Key::Literal(""),
            at,
            options,
            values,
            is_transaction: false,
            phase: Phase::Begun(begun, active),
            undo: Undoes::No,
        }
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl<T> Step<T> {
    /// How its transaction records what it comes to.
    pub fn recording(&self) -> Recording<T> {
        Recording(self.values.checked)
    }
}

impl<T: Send> Step<T> {
    /// What the step came to, if it is over; until then one attempt at the expression, when it is due.
    pub async fn next(&mut self, expression: Expression<'_, T>) -> Option<Result<T>> {
        self.begin_if_new().await;
        if self.is_unknown() {
            self.find_out().await;
        }
        if matches!(self.phase, Phase::Begun(..)) {
            let now = self.wait_for_retry().await;
            // Otherwise what runs now could not be recorded, and another worker may have recorded it already.
            self.scope.run.holds_lease(now).await;
            if self.options.unknown.is_some() {
                self.mark().await;
            }
            self.attempt(expression).await;
        }
        let Phase::Over(result) = &mut self.phase else {
            return None;
        };
        match result.take() {
            Some(result) => Some(result),
            None => pending().await,
        }
    }

    pub(super) async fn begin_if_new(&mut self) {
        if matches!(self.phase, Phase::New) {
            let Self {
                scope,
                key,
                at,
                values,
                undo,
                ..
            } = self;
            if self.options.unknown.is_none() && scope.run.is_rehearsed() {
                scope
                    .run
                    .miss_unknown(&join(scope.prefix.as_deref(), key.as_str()));
            }
            self.phase = begin(scope, key, at, values, undo).await;
        }
    }

    /// Returns when the attempt is due, and what time it is then.
    pub(super) async fn wait_for_retry(&mut self) -> Timestamp {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return self.scope.run.host.clock.now();
        };
        let Some(due_at) = begun.due_at.take() else {
            // The first attempt: the clock was read for it a moment ago.
            return begun.started_at;
        };
        // While it waits the guard changes hands: a long wait does not count as under way.
        let active = std::mem::replace(&mut self.phase, Phase::Over(None));
        if let Phase::Begun(begun, active) = active {
            self.scope.wait(due_at, active).await;
            self.phase = Phase::Begun(begun, self.scope.run.activate());
        }
        self.scope.run.host.clock.now()
    }

    /// Polls the expression to its end and records what came of it.
    async fn attempt(&mut self, mut expression: Expression<'_, T>) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        let run = Arc::clone(&self.scope.run);
        let attempt = begun.failed_attempts + 1;
        let span = span::step(&begun.path, attempt);
        run.metrics.steps_executed.increment(1);
        let begun_at = run.metrics.step_duration.begin();
        let undoable = self.undo.is_known();
        let transaction = self
            .is_transaction
            .then(|| Arc::new(InTransaction::new(undoable)));
        let outcome = {
            let step = Evaluated {
                transaction: transaction.clone(),
                attempt: begun.attempt::<T>(&run, self.scope.arm.as_ref()),
                ids: StepIds::of(&span, &begun.path, attempt),
                limits: Limits {
                    timeout: self.options.timeout,
                    stall: self.options.stall,
                },
            };
            // Pinned here, since each function that took it by value would make the step's future larger by its size.
            let body = pin!(async {
                // A middleware may have waited for long.
                if !run.host.middleware.is_empty() {
                    run.holds_lease(run.host.clock.now()).await;
                }
                match preset(&run, begun, step, &self.values).await {
                    Ok(preset) => preset,
                    Err(step) => evaluate(&run, step, &mut expression).await,
                }
            });
            let _evaluating = run.evaluating();
            inside_middleware(&run, &begun.path, attempt, body)
                .instrument(span.clone())
                .await
        };
        // It is there still where its time ran out, or a middleware left it.
        expression.as_mut().clear();
        run.metrics.step_duration.record(begun_at);
        span::outcome(&span, &outcome);
        let committed = transaction
            .as_ref()
            .and_then(|transaction| transaction.committed());
        if let Err(error) = &outcome
            && committed.is_none()
            && let Some(service) = error.failed_service()
        {
            run.abandon(cut_off(&begun.path, service, error));
            return pending().await;
        }
        if let Some(last) = run.end_beats(begun.seq) {
            begun.progress = Some(last);
        }
        let now = run.host.clock.now();
        let outcome = match committed {
            None => outcome.and_then(|value| read_back(value, &self.values, &run)),
            Some(bytes) => {
                panic::discard(outcome);
                committed_value(bytes, &self.values)
            }
        };
        let (entry, over) = match outcome {
            Ok((bytes, value)) => {
                let entry = begun.entry::<T>(StepState::Completed, bytes, None, now);
                (entry.with_undoable(undoable), Some(Ok(value)))
            }
            Err(error) => {
                let policy = RetryPolicy::new(self.options.retries, self.options.backoff);
                let path = Arc::clone(&begun.path);
                let ids = StepIds::of(&span, &path, attempt);
                let is_open = begun.is_open_after(&error, self.options.unknown);
                let (entry, over) = span.in_scope(|| match self.options.unknown {
                    Some(unknown @ (Unknown::Park | Unknown::Ask)) if is_open => {
                        let next = || policy.next(attempt, None, now, run.host.random());
                        // What is asked is asked once more, though nothing may be left after that.
                        let due_at = (unknown == Unknown::Ask).then(|| next().unwrap_or(now));
                        (begun.interrupted::<T>(&error, due_at, now), None)
                    }
                    Some(_) if is_open => {
                        let unknown = of_unknown(&path).with_source(error.same());
                        begun.failed::<T>(&run, ids, &unknown, policy, now)
                    }
                    _ => begun.failed::<T>(&run, ids, &error, policy, now),
                });
                panic::discard(error);
                (entry, over.map(Err))
            }
        };
        let written = committed.is_some();
        self.record_as(entry, over, written).await;
    }

    /// Records what came of an attempt.
    pub(super) async fn record(&mut self, entry: Entry, over: Option<Result<T>>) {
        self.record_as(entry, over, false).await;
    }

    /// The same, of what a transaction has `written` already.
    async fn record_as(&mut self, entry: Entry, over: Option<Result<T>>, written: bool) {
        let run = Arc::clone(&self.scope.run);
        let now = run.host.clock.now();
        // The record of a failed attempt whose retry is far away travels with the write that suspends the run.
        let awaited = match &self.phase {
            Phase::Begun(begun, _) => begun
                .due_at
                .is_none_or(|due_at| due_at.since(now) <= STAYS_IN_MEMORY),
            Phase::New | Phase::Over(_) => true,
        };
        let arm = self.scope.arm.as_ref();
        let mut left = Left::new(entry);
        left.written = written;
        let Some(ticket) = run.record_left(arm, left, awaited, over.is_some()) else {
            return pending().await;
        };
        if awaited {
            ticket.await;
        }
        if let Some(result) = over {
            self.phase = Phase::Over(Some(result));
        }
    }
}

/// Evaluates an attempt within whatever the program has put around steps.
async fn inside_middleware<T: Send>(
    run: &Arc<LiveRun>,
    path: &Arc<str>,
    attempt: u32,
    body: Pin<&mut (impl Future<Output = Result<T>> + Send)>,
) -> Result<T> {
    let layers = &run.host.middleware;
    if layers.is_empty() {
        return body.await;
    }
    let info = StepInfo::new(run.info(), path, attempt);
    middleware::around(layers, Around::Step(&info), body).await
}

/// What is recorded of a value, and what every later attempt reads.
pub(super) fn read_back<T>(value: T, values: &Values<T>, run: &LiveRun) -> Result<(Arc<[u8]>, T)> {
    let checked = panic::catch("to write or read the result", || {
        (values.checked)(&value, run)
    });
    panic::discard(value);
    checked
}

/// What a transaction has recorded, as every later attempt reads it.
fn committed_value<T>(bytes: &Arc<[u8]>, values: &Values<T>) -> Result<(Arc<[u8]>, T)> {
    match (values.decode)(bytes)? {
        Decoded::Ok(value) => Ok((Arc::clone(bytes), value)),
        Decoded::Err(failure) => Err(Error::from_any(failure.into_source())),
    }
}

/// The failure of the store or the dispatcher with its place; it is no outcome of the step.
pub(super) fn cut_off(path: &str, service: ErrorKind, error: &Error) -> Error {
    let (service_name, report) = (service.as_str(), error.report());
    Error::new(
        service,
        format!("the {service_name} failed in the step `{path}`: {report}"),
    )
}

async fn begin<T>(
    scope: &Scope,
    key: &Key,
    at: &'static Location,
    values: &Values<T>,
    undo: &mut Undoes,
) -> Phase<T> {
    let path = join(scope.prefix.as_deref(), key.as_str());
    let undoable = undo.offer(&scope.run, &path);
    scope.run.expect_type(&path, std::any::type_name::<T>());
    let begun = match scope.decide(&path, StepKind::Step, at).await {
        Decision::Replay { value, type_name } => {
            if undoable {
                scope.run.make_undoable(&path);
            } else {
                scope.run.miss_undo(&path);
            }
            scope.run.metrics.steps_replayed.increment(1);
            span::replayed(&path);
            return match replay(&scope.run, path, (values.decode)(&value), type_name, at) {
                Some(result) => Phase::Over(Some(result)),
                None => pending().await,
            };
        }
        Decision::Begin { seq } => {
            let started_at = scope.run.host.clock.now();
            Begun {
                kind: StepKind::Step,
                path,
                seq,
                failed_attempts: 0,
                started_at,
                due_at: None,
                failure: None,
                progress: None,
                begins: Begins::default(),
            }
        }
        Decision::Resume { seq, .. } => match scope.run.entry_of(seq) {
            Some(entry) => Begun::resumed(&scope.run, path, &entry),
            None => pending().await,
        },
    };
    Phase::Begun(begun, scope.run.activate())
}

/// A recorded outcome; `None` where it does not fit the type, which ends the run.
fn replay<T>(
    run: &LiveRun,
    path: Arc<str>,
    value: Result<Decoded<T>>,
    stored: Arc<str>,
    at: &'static Location,
) -> Option<Result<T>> {
    match value {
        Ok(Decoded::Ok(value)) => Some(Ok(value)),
        Ok(Decoded::Err(failure)) => Some(Err(recorded(run, &path, failure))),
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
