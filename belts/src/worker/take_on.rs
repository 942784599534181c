//! What becomes of runs that were claimed: each is driven as a task of its own, and what this program cannot drive is told of.

use std::{pin::pin, sync::Arc, time::Duration};

use tracing::{Instrument, Span};

use super::{
    Shared,
    clockwork::schedule_of,
    drive::drive,
    ended::Ended,
    leases::Driving,
    slots::{Reservation, Slot},
    suspects::Suspected,
};
use crate::{
    panic::catch_future,
    plain::Clean,
    store::{Claimed, ClaimedRun, SetAside, UnknownType},
    telemetry::span,
};

/// How long a run waits for others that a store has given to a worker which cannot read its event.
const NOT_OURS: Duration = Duration::from_secs(5);

impl Shared {
    /// Drives a leased run on a task of its own. `life` is the one of the session in which it was asked for.
    pub(super) fn start(
        self: &Arc<Self>,
        claimed: ClaimedRun,
        index: usize,
        slot: Slot,
        suspected: Option<Suspected>,
        life: u64,
    ) {
        let worker = Arc::clone(self);
        let run_id = Arc::clone(&claimed.run_id);
        let driving = Driving::new(self, &run_id, claimed.lease);
        // Whoever asked for it may take it back before the drive is first polled.
        let aim = self.waiters.targets.of(&run_id);
        let span = span::run(
            &claimed,
            self.session.name.as_deref(),
            self.settings.propagator.as_deref(),
        );
        let schedule = schedule_of(&claimed.event_type, &claimed.payload);
        let driven = async move {
            let (lease, deaths) = (claimed.lease, claimed.crashes);
            if deaths > 0 {
                let run = (!span::is_around()).then(|| tracing::field::display(Clean(&*run_id)));
                tracing::info!(
                    run,
                    deaths,
                    "the process that drove this run died; the run continues here"
                );
            }
            let function = &worker.registry.functions()[index];
            let target = aim.as_ref().and_then(|aim| aim.until.clone());
            // Pinned here, since it is large and awaited in one place or the other.
            let drive = pin!(drive(&worker, function, claimed, life, target));
            let driven = async { Ok(worker.in_time(function, drive).await) };
            let (ended, failure) = catch_future(driven).await.unwrap_or_else(|error| {
                let run = (!span::is_around()).then(|| tracing::field::display(Clean(&*run_id)));
                tracing::error!(run, error = %error.report(), "the worker panicked while driving a run; the run will be resumed");
                let pause = worker.setbacks.gave_up(&run_id, false).pause;
                worker.give_back_later(&run_id, lease, pause);
                (Ended::Abandoned, None)
            });
            // The place is free before anybody hears of the end, who may want it.
            drop((slot, suspected));
            driving.end(&ended);
            if let Some(schedule) = schedule.filter(|_| ended.is_final()) {
                worker.clockwork.ended(schedule);
            }
            worker
                .waiters
                .targets
                .take_back(aim.filter(|_| ended.is_final()));
            Span::current().record("outcome", ended.as_str());
            if let Some(failure) = failure {
                worker.tell_failure(failure).await;
            }
            worker.tell(&run_id, &ended);
        };
        // Without a runtime the drive is dropped, which gives the run back.
        if let Some(home) = self.loops.home() {
            self.shutdown.spawn(&home, driven.instrument(span));
        }
    }

    /// Drives what was claimed; how many runs that is.
    pub(super) async fn take_on(
        self: &Arc<Self>,
        claimed: Claimed,
        reservation: &mut Reservation,
        life: u64,
    ) -> usize {
        let mut count = 0;
        for (run, suspected) in self.sort_out(claimed.runs).await {
            if self.leave_closed(&run) {
                continue;
            }
            // The store was asked for these functions and types only.
            if let Some(index) = self.registry.index(&run.function_id) {
                let mut types = self.registry.functions()[index].event_types();
                if !types.any(|known| *known == *run.event_type) {
                    self.give_back_later(&run.run_id, run.lease, NOT_OURS);
                    continue;
                }
                let slot = reservation.take(index);
                self.start(run, index, slot, suspected, life);
                count += 1;
            }
        }
        for function in claimed.unknown_functions {
            if self.warned.is_first(&function) {
                tracing::warn!(
                    function = %Clean(&function),
                    "due runs of a function that this program does not have are waiting for a worker that has it"
                );
            }
        }
        for UnknownType {
            function_id,
            event_type,
        } in claimed.unknown_types
        {
            if self
                .warned
                .is_first(&format!("{function_id} {event_type}").into())
            {
                tracing::warn!(
                    function = %Clean(&function_id), event_type = %Clean(&event_type),
                    "due runs of an event type that the function does not take in this program are waiting for a worker that \
                     takes it"
                );
            }
        }
        for SetAside {
            run_id,
            function_id,
            reason,
        } in claimed.set_aside
        {
            tracing::error!(
                run = %Clean(&run_id), function = %Clean(&function_id), error = %Clean(&reason),
                "the store cannot read a run and has set it aside"
            );
        }
        count
    }
}
