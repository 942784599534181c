//! How the drive of a run ends: what becomes of the run, and who is told.

use std::{sync::Arc, time::Duration};

use super::{driver::Drive, write::Underway};
use crate::worker::ended::Ended;
use crate::{
    codec,
    error::{Error, ErrorKind, Result, failure::Failure},
    live::Outbox,
    panic,
    run::after_function,
    store::{NewEvent, RunStatus, Transition},
};

/// How long a run rests after the store failed while its own code used it.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Drive<'_> {
    pub(super) async fn returned(
        &self,
        outcome: Result<Arc<[u8]>>,
        write: Option<Underway<'_>>,
    ) -> Ended {
        // What was left in the outbox belongs to futures that the function dropped; it is recorded all the same.
        if let Some(ended) = self.ended_by(write).await {
            panic::discard(outcome);
            return ended;
        }
        if self.run.is_undoing() {
            return Box::pin(self.undone(outcome)).await;
        }
        if self.is_cancelled_after_all().await {
            panic::discard(outcome);
            return self.cancel().await;
        }
        if let Err(error) = &outcome
            && error.is_service_failure()
        {
            return self.put_off(error).await;
        }
        let outcome = match outcome {
            Err(error) if self.run.is_misread() => return self.leave_to_others(error).await,
            outcome => outcome,
        };
        let outcome = outcome.and_then(|output| self.check_size(output));
        let (now, random) = (self.worker.clock.now(), self.worker.host.random());
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
        let starts = match &outcome {
            Ok(_) => Vec::new(),
            Err(error) => self.handlers_at(error, &transition).await,
        };
        let outbox = self.run.take_outbox();
        let ended = self.end_and_start(outbox, transition, starts).await;
        match (outcome, &ended) {
            (Err(error), Ended::Failed) => {
                let _ = self.failure.set(error);
            }
            (outcome, _) => panic::discard(outcome),
        }
        ended
    }

    /// The output, unless it exceeds the limit.
    fn check_size(&self, output: Arc<[u8]>) -> Result<Arc<[u8]>> {
        let (size, limit) = (output.len(), self.worker.host.max_value_bytes);
        if size <= limit {
            return Ok(output);
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the output has {size} bytes, over the limit of {limit}; raise `max_value_bytes` or return less"
            ),
        ))
    }

    /// Waits for the write under way, if there is one; how the drive has ended by it, if it has.
    pub(super) async fn ended_by(&self, write: Option<Underway<'_>>) -> Option<Ended> {
        self.applied(write?.write.await).await.err()
    }

    /// Ends the drive of a run that is no longer ours: nothing more of it could be recorded.
    pub(super) fn lease_lost(&self) -> Ended {
        self.worker.metrics.leases_lost.increment(1);
        let ids = self.run.ids();
        tracing::info!(
            function = ids.function,
            run = ids.run,
            "run abandoned: it was cancelled, or another worker has claimed it"
        );
        Ended::Abandoned
    }

    /// Asks the store whether the run is still ours, before a step begins whose result could otherwise not be recorded; how the
    /// drive ends if it is not.
    pub(super) async fn make_sure(&self) -> Result<(), Ended> {
        let worker = self.worker;
        let asked = async {
            worker.session().await?;
            let life = worker.host.lease.life();
            let revoked = worker.store.revoked(&[self.lease]).await?;
            Ok::<_, Error>(revoked.is_empty().then_some(life))
        };
        match asked.await {
            Ok(Some(life)) => {
                self.run.lease_stands(life);
                Ok(())
            }
            Ok(None) => {
                worker.metrics.leases_lost.increment(1);
                let ids = self.run.ids();
                tracing::warn!(
                    function = ids.function,
                    run = ids.run,
                    "lease expired while this process was stalled; another worker may own the run"
                );
                Err(Ended::Abandoned)
            }
            Err(error) => Err(self.not_written(&error).await),
        }
    }

    pub(super) async fn violated(&self, error: Error, write: Option<Underway<'_>>) -> Ended {
        if let Some(ended) = self.ended_by(write).await {
            return ended;
        }
        if error.is_service_failure() || self.run.is_undoing() {
            return self.put_off(&error).await;
        }
        if self.is_cancelled_after_all().await {
            return self.cancel().await;
        }
        self.fail(&error).await
    }

    /// Lets the run go on from its journal a little later: that the store or the dispatcher failed is no outcome of the run.
    pub(super) async fn put_off(&self, error: &Error) -> Ended {
        let ids = self.run.ids();
        tracing::warn!(
            function = ids.function, run = ids.run, error = %error.report(),
            "the attempt is abandoned and will be resumed"
        );
        let pause = self
            .worker
            .setbacks
            .gave_up(&self.run.run_id, false)
            .pause
            .max(STORE_PAUSE);
        let due_at = self.worker.clock.now().after(pause);
        self.end(self.run.take_outbox(), Transition::put_off(due_at))
            .await
    }

    /// Leaves a run whose event this program cannot read to another one, which may run another version; the run fails once it
    /// has come here more often than chance explains, and nobody recorded anything of it in between.
    pub(super) async fn leave_to_others(&self, error: Error) -> Ended {
        let (function, event_type) = (&self.run.function_id, &self.run.event_type);
        let misread = self
            .worker
            .setbacks
            .misread(&self.run.run_id, self.run.recorded);
        let Some(pause) = misread else {
            return self.fail(&error).await;
        };
        // What the error says may be another for each event.
        let about = format!("{function} cannot read {event_type}");
        if self.worker.warned.is_first(&about.into()) {
            let ids = self.run.ids();
            tracing::warn!(
                function = ids.function, run = ids.run, %event_type, error = %error.report(),
                "this version of the program cannot decode the run's event; other workers have a few minutes to claim the run \
                 before it fails"
            );
        }
        let due_at = self
            .worker
            .time_to_go_on(self.worker.clock.now().after(pause));
        let put_off = Transition::put_off(due_at);
        self.end(self.run.take_outbox(), put_off).await
    }

    /// Fails the run for good.
    pub(super) async fn fail(&self, error: &Error) -> Ended {
        let transition = Transition::fail(self.claimed.failed_attempts + 1, codec::envelope(error));
        self.log(error, &transition);
        let starts = self.handlers_at(error, &transition).await;
        let outbox = self.run.take_outbox();
        let ended = self.end_and_start(outbox, transition, starts).await;
        if matches!(ended, Ended::Failed) {
            let _ = self.failure.set(Failure::of(error).into_error());
        }
        ended
    }

    pub(super) async fn end(&self, outbox: Outbox, transition: Transition) -> Ended {
        self.end_and_start(outbox, transition, Vec::new()).await
    }

    /// Writes the last entries, as many at once as a store may be asked to take, and with the last of them the transition and what
    /// else it starts.
    pub(super) async fn end_and_start(
        &self,
        mut outbox: Outbox,
        transition: Transition,
        mut starts: Vec<NewEvent>,
    ) -> Ended {
        loop {
            let part = outbox.take_part();
            let last = outbox.is_empty();
            let written = if last {
                self.write_end(part, transition.clone(), std::mem::take(&mut starts))
            } else {
                self.write(part, None)
            };
            if let Err(ended) = self.applied(written.await).await {
                return ended;
            }
            if last {
                return self.ended(transition);
            }
        }
    }

    /// As [`end`](Self::end), of a run that got on.
    pub(super) async fn end_after_steps(&self, outbox: Outbox, transition: Transition) -> Ended {
        let ended = self.end(outbox, transition).await;
        if ended != Ended::Abandoned {
            self.worker.setbacks.went_on(&self.run.run_id);
        }
        ended
    }

    pub(super) fn ended(&self, transition: Transition) -> Ended {
        if !matches!(
            transition,
            Transition::Suspend { .. } | Transition::PutOff { .. } | Transition::Retry { .. }
        ) {
            self.worker.setbacks.went_on(&self.run.run_id);
        }
        let goes_on = match &transition {
            Transition::Cancel { .. } => self.run.has_undoable() || self.has_cancel_handlers(),
            _ => self.run.has_undoable(),
        };
        if goes_on && transition.ending().is_some_and(|it| it.may_be_undone()) {
            let now = self.worker.clock.now();
            self.worker.due.expect(now);
            return Ended::Suspended(Some(now));
        }
        match transition {
            Transition::Complete { output } => Ended::Completed(output),
            Transition::Undone {
                status: RunStatus::Failed,
                ..
            }
            | Transition::Fail { .. } => Ended::Failed,
            Transition::Undone { .. } | Transition::Cancel { .. } => Ended::Cancelled,
            Transition::Stop => Ended::Stopped,
            Transition::Skip => Ended::Skipped,
            Transition::Suspend { due_at: None } => Ended::Suspended(None),
            Transition::Suspend {
                due_at: Some(due_at),
            }
            | Transition::PutOff { due_at }
            | Transition::Retry { due_at, .. } => {
                self.worker.due.expect(due_at);
                Ended::Suspended(Some(due_at))
            }
        }
    }

    pub(super) fn log(&self, error: &Error, transition: &Transition) {
        let ids = self.run.ids();
        match transition {
            Transition::Retry { due_at, .. } => tracing::warn!(
                function = ids.function, run = ids.run, attempt = ids.attempt, retry_at = %due_at, error = %error.report(), "run failed and will be retried"
            ),
            _ if self.run.has_undoable() => tracing::error!(
                function = ids.function, run = ids.run, attempt = ids.attempt, error = %error.report(),
                "run failed for good; its steps are undone"
            ),
            _ => {
                tracing::error!(
                    function = ids.function, run = ids.run, attempt = ids.attempt, error = %error.report(),
                    "run failed for good"
                );
            }
        }
    }
}
