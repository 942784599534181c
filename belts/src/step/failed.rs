//! What the failure of an attempt comes to: another one, or the end of the step.

use std::sync::Arc;

use super::begun::Begun;
use crate::{
    clock::Timestamp,
    codec::{self, Failure},
    error::{
        Error, ErrorKind,
        class::{Class, Classified},
    },
    live::LiveRun,
    run::{RetryPolicy, StepVerdict, after_step_failure},
    store::{Entry, StepState},
    telemetry::span::StepIds,
};

impl Begun {
    /// What a failed attempt comes to: the entry for it, and the error to return if it was the last.
    pub(super) fn failed<T>(
        &mut self,
        run: &LiveRun,
        step: StepIds<'_>,
        error: &Error,
        policy: RetryPolicy,
        now: Timestamp,
    ) -> (Entry, Option<Error>) {
        self.failed_attempts += 1;
        run.metrics.steps_failed.increment(1);
        let attempt = self.failed_attempts;
        let failure = Failure::of(error);
        let bytes = codec::encode_err(&failure);
        let (ids, report) = (run.ids(), error.report());
        match after_step_failure(error, policy, attempt, now, run.host.random()) {
            StepVerdict::RetryAt(due_at) => {
                tracing::warn!(
                    function = ids.function, run = ids.run, step = step.step(), attempt = step.attempt(),
                    retry_at = %due_at, error = %report,
                    "step failed and will be retried"
                );
                self.due_at = Some(due_at);
                self.failure = Some(Arc::clone(&bytes));
                let entry = self.entry::<T>(StepState::Waiting, bytes, Some(due_at), now);
                (entry, None)
            }
            StepVerdict::GiveUp => {
                // A terminal error is what the step's author decided, and the function may handle it.
                if Class::of(error) == Some(Class::Terminal) {
                    tracing::info!(
                        function = ids.function, run = ids.run, step = step.step(), attempt = step.attempt(),
                        error = %report, "step failed for good"
                    );
                } else {
                    tracing::warn!(
                        function = ids.function, run = ids.run, step = step.step(), attempt = step.attempt(),
                        error = %report, "step failed for good"
                    );
                }
                let entry = self.entry::<T>(StepState::Failed, bytes, None, now);
                (entry, Some(recorded(run, &self.path, failure)))
            }
        }
    }
}

/// A recorded failure as the error that every attempt returns.
pub(super) fn recorded(run: &LiveRun, path: &Arc<str>, failure: Failure) -> Error {
    let is_unknown = failure.kind == ErrorKind::OutcomeUnknown.as_str();
    let kind = if is_unknown {
        ErrorKind::OutcomeUnknown
    } else {
        ErrorKind::StepFailed
    };
    Error::new(kind, format!("step `{path}` failed"))
        .with_source(Classified {
            class: Class::Recorded,
            inner: Box::new(failure.into_source()),
        })
        .with_step(path)
        .with_run(&run.run_id)
        .with_function(&run.function_id)
}
