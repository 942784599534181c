//! Flow options of functions: what they make of events that are published here, and of runs that nobody has routed.

use std::sync::Arc;

use super::Shared;
use crate::{
    error::{Error, ErrorKind, Result},
    function::whole,
    registry::Registered,
    store::{ClaimedRun, Flow, Mark, NewEvent, PublishedEvent, Route, Routed, Routing},
};

impl Shared {
    /// Says what the flow options of local functions make of an event. Others decide when they claim the run.
    pub(super) fn apply_flow(&self, event: &mut NewEvent) -> Result<()> {
        if !self.registry.has_flow() {
            return Ok(());
        }
        let mut flows = Vec::new();
        for index in self.targets_here(event) {
            let function = &self.registry.functions()[index];
            match function.flow(&event.event_type, &event.payload) {
                Some(Ok(flow)) => flows.push((Arc::clone(&function.id), flow)),
                // Whoever publishes it can help it, and a run could not.
                Some(Err(error)) if error.kind() == ErrorKind::TooLarge => return Err(error),
                // The run that it gets fails by the function's policy, where it is seen and can be run again.
                Some(Err(error)) if error.kind() == ErrorKind::Panicked => tracing::error!(
                    function = %function.id, error = %error.report(), "a key of the flow options panicked; the event starts a run of \
                     its function, which fails with the panic"
                ),
                // It has none, or cannot read the event: another version may.
                None | Some(Err(_)) => {}
            }
        }
        event.flows = flows;
        Ok(())
    }

    /// Notes which runs of an event that was there before were skipped by flow options, as whoever published it first was told.
    pub(super) async fn tell_skipped(&self, published: &mut PublishedEvent) -> Result<()> {
        if !published.duplicate || !self.registry.has_flow() {
            return Ok(());
        }
        for run in &mut published.runs {
            let function = self.registry.get(&run.function_id);
            if function.is_none_or(|function| function.def.flow.is_none()) {
                continue;
            }
            let record = self.store.run(&run.run_id).await?;
            if let Some(Mark::Skipped(skipped)) = record.and_then(|record| record.mark) {
                run.routed = Some(Routed::Skipped(skipped));
            }
        }
        Ok(())
    }

    /// Whether the store applies the flow options that functions here have.
    ///
    /// # Errors
    /// It does not; the error names one of them.
    pub(super) fn store_has_flow(&self) -> Result<()> {
        let mut functions = self.registry.functions().iter();
        if !self.store.capabilities().lanes
            && let Some(function) = functions.find(|function| function.limits().is_some())
        {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the function `{}` has `concurrency(…)` or `priority`, and this store does not apply them; use one whose \
                     `Capabilities::lanes` is true, as those of belts are",
                    function.id
                ),
            ));
        }
        if self.store.capabilities().flow {
            return Ok(());
        }
        let mut functions = self.registry.functions().iter();
        let Some(function) = functions.find(|function| function.def.flow.is_some()) else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "the function `{}` has flow options, such as `throttle(…)`, and this store does not apply them; use one whose \
                 `Capabilities::flow` is true, as those of belts are",
                function.id
            ),
        ))
    }

    /// Applies the flow options of its function to a run to which they have not been applied, before it is driven.
    pub(super) async fn route(
        &self,
        function: &Registered,
        claimed: &ClaimedRun,
    ) -> Result<Routed> {
        let Some(flow) = flow_to_apply(function, claimed)? else {
            return Ok(Routed::Starts);
        };
        let route = Route::new(
            claimed.lease,
            Arc::clone(&claimed.function_id),
            flow,
            self.clock.now(),
        );
        self.store.route(route).await
    }

    /// The events of a run whose function takes several at once, as one payload; `None` if it has one.
    pub(crate) async fn whole(
        &self,
        function: &Registered,
        claimed: &ClaimedRun,
    ) -> Result<Option<Arc<[u8]>>> {
        if !function.is_batch() {
            return Ok(None);
        }
        let events = self.store.batch(&claimed.run_id).await?;
        if events.len() < 2 {
            return Ok(None);
        }
        let events = events.iter();
        whole(events.map(|event| (&*event.event_type, &*event.payload))).map(Some)
    }
}

/// What is still to be applied to a run, if anything is.
fn flow_to_apply(function: &Registered, claimed: &ClaimedRun) -> Result<Option<Flow>> {
    let Some(def) = &function.def.flow else {
        return Ok(None);
    };
    match claimed.routing {
        Routing::Done => return Ok(None),
        Routing::Held if !def.by_turns => return Ok(None),
        Routing::Held | Routing::Not => {}
    }
    let flow = function.flow(&claimed.event_type, &claimed.payload);
    let flow = flow.transpose()?;
    // One whose filter or key failed has not begun by that.
    if claimed.journal.is_empty() {
        return Ok(flow);
    }
    // It began before its function had these options: only what counts while it is driven concerns it.
    let lanes = flow.map(Flow::of_a_begun_run);
    Ok(lanes.filter(|flow| !flow.lanes.is_empty()))
}
