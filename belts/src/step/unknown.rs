//! Steps of which nobody knows whether they have happened: an attempt was begun, and nothing was recorded of how it ended.

use std::{future::pending, pin::pin, sync::Arc};

use tracing::Instrument;

use super::{
    Expression, Key, Unknown,
    attempt::{Phase, Step, cut_off, read_back},
    begun::of_unknown,
    evaluate::{Evaluated, Limits, evaluate},
    failed::recorded,
};
use crate::{
    callback::CallbackEntry,
    clock::Timestamp,
    codec::{self, Begins, Decoded},
    error::{Error, ErrorKind},
    run::{Location, RetryPolicy, Settled, settle_key},
    store::StepState,
    telemetry::span::{self, StepIds},
};

/// The callbacks by which runs are told what is so.
static SETTLE: CallbackEntry = CallbackEntry::of::<Settled>(
    Location {
        file: file!(),
        line: line!(),
        column: column!(),
    },
    false,
);

impl<T: Send> Step<T> {
    /// Whether it is to be asked what came of an earlier attempt, before another begins.
    pub async fn asks(&mut self) -> bool {
        self.begin_if_new().await;
        let asks = self.is_unknown() && self.options.unknown == Some(Unknown::Ask);
        if asks {
            let now = self.wait_for_retry().await;
            self.scope.run.holds_lease(now).await;
        }
        asks
    }

    /// Asks. What is found is the outcome of the step; if nothing is, it is evaluated again.
    pub async fn ask(&mut self, mut expression: Expression<'_, Option<T>>) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        let run = Arc::clone(&self.scope.run);
        let attempt = begun.failed_attempts + 1;
        let span = span::step(&begun.path, attempt);
        let outcome = {
            let step = Evaluated {
                transaction: None,
                attempt: begun.attempt::<Option<T>>(&run, self.scope.arm.as_ref()),
                ids: StepIds::of(&span, &begun.path, attempt),
                limits: Limits {
                    timeout: self.options.timeout,
                    stall: self.options.stall,
                },
            };
            let asked = pin!(evaluate(&run, step, &mut expression));
            asked.instrument(span.clone()).await
        };
        expression.as_mut().clear();
        if let Err(error) = &outcome
            && let Some(service) = error.failed_service()
        {
            run.abandon(cut_off(&begun.path, service, error));
            return pending().await;
        }
        let _ = run.end_beats(begun.seq);
        let now = run.host.clock.now();
        let policy = RetryPolicy::new(self.options.retries, self.options.backoff);
        let is_left = |attempts| policy.next(attempts, None, now, 0.0).is_some();
        let found = match outcome {
            Ok(Some(value)) => read_back(value, &self.values, &run),
            Ok(None) => {
                begun.begins.open = false;
                // What was cut off for the last time has failed, now that it is known not to have happened.
                if begun.failed_attempts == 0 || is_left(begun.failed_attempts) {
                    return;
                }
                let failure = begun.failure.clone().unwrap_or_default();
                let error = match codec::raw(&failure) {
                    Ok(Decoded::Err(failure)) => recorded(&run, &begun.path, failure),
                    _ => of_unknown(&begun.path),
                };
                let entry = begun.entry::<T>(StepState::Failed, failure, None, now);
                return self.record(entry, Some(Err(error))).await;
            }
            Err(error) => Err(error),
        };
        match found {
            Ok((bytes, value)) => {
                let entry = begun.entry::<T>(StepState::Completed, bytes, None, now);
                let entry = entry.with_undoable(self.undo.is_known());
                self.record(entry, Some(Ok(value))).await;
            }
            Err(error) if error.is_retryable() && is_left(attempt) => {
                self.fail(&span, &error, policy, now).await;
            }
            Err(error) => {
                let error = of_unknown(&begun.path).with_source(error);
                self.fail(&span, &error, policy, now).await;
            }
        }
    }

    /// Whether nothing is known of how an attempt ended.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(&self.phase, Phase::Begun(begun, _) if begun.begins.open)
    }

    /// Finds out what came of an earlier attempt, or gives up, where no expression is asked.
    pub(super) async fn find_out(&mut self) {
        let now = self.wait_for_retry().await;
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        match self.options.unknown {
            Some(Unknown::Fail) => {
                let error = of_unknown(&begun.path);
                let span = span::step(&begun.path, begun.failed_attempts + 1);
                self.scope.run.holds_lease(now).await;
                self.fail(&span, &error, RetryPolicy::default(), now).await;
            }
            Some(Unknown::Park) => self.park().await,
            // It was begun by a version of the function that wanted to know, and this one does not.
            Some(Unknown::Ask) | None => begun.begins.open = false,
        }
    }

    /// Waits until a person has said what is so.
    async fn park(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over(None));
        let Phase::Begun(mut begun, active) = phase else {
            return;
        };
        let run = Arc::clone(&self.scope.run);
        let ids = run.ids();
        tracing::warn!(
            function = ids.function, run = ids.run, step = %begun.path,
            "it is unknown whether the step has happened; the run waits until somebody says so, with `belts settle RUN STEP` and \
             `--value JSON`, `--retry` or `--fail TEXT`"
        );
        // It may be long, so it does not count as under way.
        drop(active);
        let key = Key::Formatted(settle_key(self.key.as_str(), begun.seq, begun.begins.times));
        let callback = self.scope.callback::<Settled>(key, self.at, &SETTLE);
        let settled = match callback.without_page().await {
            Ok(callback) => callback.result().await,
            Err(error) => Err(error),
        };
        let now = run.host.clock.now();
        let span = span::step(&begun.path, begun.failed_attempts + 1);
        let path = Arc::clone(&begun.path);
        let outcome = match settled {
            Ok(Settled::Retry) => {
                begun.begins.open = false;
                self.phase = Phase::Begun(begun, run.activate());
                return;
            }
            Ok(Settled::Value(json)) => {
                let bytes = codec::encode_json(&json);
                match (self.values.decode)(&bytes) {
                    Ok(Decoded::Ok(value)) => Ok((
                        begun.entry::<T>(StepState::Completed, bytes, None, now),
                        value,
                    )),
                    Ok(Decoded::Err(_)) => Err(of_unknown(&path)),
                    Err(error) => {
                        let wanted = std::any::type_name::<T>();
                        Err(unknown(format!(
                            "the step `{path}` was settled with a value that is no `{wanted}`: {error}"
                        )))
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::CallbackFailed => {
                let text = error.to_string();
                let text = text
                    .split_once(" failed: ")
                    .map_or(&*text, |(_, text)| text);
                Err(unknown(format!(
                    "the step `{path}` was settled as failed: {text}"
                )))
            }
            Err(error) => Err(error),
        };
        self.phase = Phase::Begun(begun, run.activate());
        match outcome {
            Ok((entry, value)) => {
                let entry = entry.with_undoable(self.undo.is_known());
                self.record(entry, Some(Ok(value))).await;
            }
            Err(error) => self.fail(&span, &error, RetryPolicy::default(), now).await,
        }
    }

    /// Notes that an attempt begins, and returns once that is durable.
    pub(super) async fn mark(&mut self) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        begun.begins = Begins {
            times: begun.begins.times.saturating_add(1),
            open: true,
        };
        let run = &self.scope.run;
        let now = run.host.clock.now();
        let failure = begun.failure.clone().unwrap_or_default();
        let entry = begun.entry::<T>(StepState::Waiting, failure, None, now);
        match run.record_in(self.scope.arm.as_ref(), entry, true, false) {
            Some(ticket) => ticket.await,
            None => pending().await,
        }
    }

    /// Records a failure, with the time of the next attempt if there is one.
    async fn fail(
        &mut self,
        span: &tracing::Span,
        error: &Error,
        policy: RetryPolicy,
        now: Timestamp,
    ) {
        let Phase::Begun(begun, _) = &mut self.phase else {
            return;
        };
        let run = Arc::clone(&self.scope.run);
        let path = Arc::clone(&begun.path);
        let ids = StepIds::of(span, &path, begun.failed_attempts + 1);
        let (entry, over) = span.in_scope(|| begun.failed::<T>(&run, ids, error, policy, now));
        self.record(entry, over.map(Err)).await;
    }
}

fn unknown(text: String) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, text)
}
