//! The failure handlers that the failure or the cancel of a run starts, in the write that ends it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::driver::Drive;
use crate::{
    error::{Error, failure::Failure},
    function::{FAILED, Told},
    id::stable_id,
    store::{NewEvent, Parent, RunStatus, Subscription, Target, Transition},
};

impl Drive<'_> {
    /// What starts the handlers of the function, if this is how a run fails for good.
    ///
    /// Their ids follow from the lease, so that a failure that is written again starts nothing twice, and the failure of a rerun starts
    /// them anew.
    pub(super) async fn handlers_at(
        &self,
        error: &Error,
        transition: &Transition,
    ) -> Vec<NewEvent> {
        match transition {
            // They start once it is undone.
            Transition::Fail {
                failed_attempts, ..
            } if !self.run.has_undoable() => {
                self.handlers(error, *failed_attempts, RunStatus::Failed)
                    .await
            }
            _ => Vec::new(),
        }
    }

    /// What starts the handlers of the function, whose run has failed for good or was cancelled.
    pub(super) async fn handlers(
        &self,
        error: &Error,
        failed_attempts: u32,
        status: RunStatus,
    ) -> Vec<NewEvent> {
        let handlers = self.served(status).await;
        if handlers.is_empty() || status == RunStatus::Cancelled && !self.would_start() {
            return Vec::new();
        }
        let event = self.told(error, failed_attempts, status);
        let (run, token) = (self.run, self.lease.token.to_string());
        let depth = run.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        let handlers = handlers.iter().map(|handler| {
            let of = |what| stable_id(&[what, handler, &run.run_id, &run.event_id, &token]);
            let mut event = event.clone();
            event.id = of("failed event").into();
            event.target = Target::function(*handler, Some(of("failed").into()));
            event.with_parent(Parent::new(run.run_id.clone(), depth))
        });
        handlers.collect()
    }

    /// Whether something of the program handles it when a run of the function is cancelled.
    pub(super) fn has_cancel_handlers(&self) -> bool {
        let registry = &self.worker.registry;
        let handlers = registry.handlers(&self.function.id, RunStatus::Cancelled);
        !handlers.is_empty()
    }

    /// Whether the run has begun, or would have: one that was cancelled before has not been asked for by the filter of its function.
    fn would_start(&self) -> bool {
        // Whatever made processes die is not called again.
        let has_died = self.claimed.crashes > 0;
        let has_begun =
            has_died || self.claimed.failed_attempts > 0 || self.run.has_recorded_steps();
        // If nobody can tell, one handler too many is better than none.
        has_begun
            || self.function.is_batch()
            || self
                .function
                .wants(&self.run.event_type, &self.run.payload)
                .unwrap_or(true)
    }

    /// The handlers of the program that a worker has, this one or another: nobody would go on with the runs of others.
    async fn served(&self, status: RunStatus) -> Vec<&'static str> {
        let registry = &self.worker.registry;
        let mut handlers = registry.handlers(&self.function.id, status).to_vec();
        let is_own = |handler: &&'static str| registry.index(handler).is_some();
        if handlers.iter().all(is_own) {
            return handlers;
        }
        // If the store cannot tell, a run that waits is better than none.
        let Ok(served) = self.worker.store.subscriptions().await else {
            return handlers;
        };
        handlers.retain(|handler| {
            let known = |one: &Subscription| *one.function_id == **handler;
            let is_served = is_own(handler) || served.iter().any(known);
            if !is_served && self.worker.warned.is_first(&format!("no {handler}").into()) {
                tracing::warn!(
                    function = %self.function.id, handler,
                    "no worker has registered this failure handler, so it was not started; add it to the functions of a worker"
                );
            }
            is_served
        });
        handlers
    }

    /// The event, without what differs from handler to handler.
    fn told(&self, error: &Error, attempts: u32, status: RunStatus) -> NewEvent {
        let run = self.run;
        // Nobody can read a payload that is not JSON. The handler cannot read `null` either: it fails as the run did, and can be found.
        let event: &RawValue = serde_json::from_slice(&run.payload).unwrap_or(RawValue::NULL);
        let told = Told {
            function_id: Cow::Borrowed(&run.function_id),
            run_id: Cow::Borrowed(&run.run_id),
            status,
            attempts,
            step: error.step().map(Cow::Borrowed),
            error: Failure::of(error),
            event_type: Cow::Borrowed(&run.event_type),
            event,
        };
        let mut event = NewEvent::new("", FAILED, told.to_payload(), self.worker.clock.now());
        event.traceparent = self.worker.traceparent();
        event
    }
}
