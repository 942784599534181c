//! What follows from an outcome: a retry, a record, the end of the run.

use std::sync::Arc;

use super::retry::RetryPolicy;
use crate::{clock::Timestamp, codec, error::Error, store::Transition};

/// What becomes of a step after a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepVerdict {
    /// Try again at that time.
    RetryAt(Timestamp),
    /// Record the failure.
    GiveUp,
}

/// Decides about a step whose attempt failed, as the `failed_attempts`-th. `random` lies in 0..1.
pub(crate) fn after_step_failure(
    error: &Error,
    policy: RetryPolicy,
    failed_attempts: u32,
    now: Timestamp,
    random: f64,
) -> StepVerdict {
    let next = if error.is_retryable() {
        policy.next(failed_attempts, error.retry_after(), now, random)
    } else {
        None
    };
    next.map_or(StepVerdict::GiveUp, StepVerdict::RetryAt)
}

/// Decides about a run whose function returned, panicked or ran out of time. `random` lies in 0..1.
pub(crate) fn after_function(
    outcome: Result<Arc<[u8]>, &Error>,
    policy: RetryPolicy,
    failed_attempts: u32,
    now: Timestamp,
    random: f64,
) -> Transition {
    let error = match outcome {
        Ok(output) => return Transition::Complete { output },
        Err(error) => error,
    };
    let failed_attempts = failed_attempts + 1;
    let next = if error.is_retryable() {
        policy.next(failed_attempts, error.retry_after(), now, random)
    } else {
        None
    };
    let error = codec::envelope(error);
    match next {
        Some(due_at) => Transition::Retry {
            due_at,
            failed_attempts,
            error,
        },
        None => Transition::Fail {
            failed_attempts,
            error,
        },
    }
}
