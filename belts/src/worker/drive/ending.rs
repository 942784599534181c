//! How the drive of a run ends: what becomes of the run, and who is told.

use std::{sync::Arc, time::Duration};

use super::{Drive, write::Underway};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    failure::{self, Failure},
    guard,
    run::after_function,
    store::Transition,
    worker::live::Outbox,
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

impl Drive<'_> {
    pub(super) async fn returned(
        &self,
        outcome: Result<Arc<[u8]>>,
        write: Option<Underway<'_>>,
    ) -> Ended {
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
        match (outcome, &ended) {
            (Err(error), Ended::Failed) => {
                let _ = self.failure.set(error);
            }
            (outcome, _) => guard::discard(outcome),
        }
        ended
    }

    /// Ends the drive before a step begins whose result could not be recorded.
    pub(super) fn lease_lost(&self) -> Ended {
        self.worker.metrics.leases_lost.increment(1);
        tracing::warn!(
            function = %self.run.function_id, run = %self.run.run_id,
            "this process stood still for longer than its lease; whoever has the run now goes on with it"
        );
        // Should the store have seen it otherwise, the run must not wait for us.
        self.worker.release_later(&self.run.run_id, self.lease);
        Ended::Abandoned
    }

    pub(super) async fn violated(&self, error: Error, write: Option<Underway<'_>>) -> Ended {
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
    pub(super) async fn fail(&self, error: &Error) -> Ended {
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
    pub(super) async fn end(&self, outbox: Outbox, transition: Transition) -> Ended {
        let written = self.write(outbox.entries, Some(transition.clone()));
        if self.applied(written.await) {
            self.ended(transition)
        } else {
            Ended::Abandoned
        }
    }

    pub(super) fn ended(&self, transition: Transition) -> Ended {
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
