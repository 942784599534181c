//! Drives one run: polls its function, writes what its steps leave behind, and ends with a transition.

mod cancel;
mod driver;
mod ending;
mod finish;
mod handlers;
mod look;
mod routed;
mod stay;
mod turns;
mod undo;
mod waker;
mod watch;
mod write;

use std::sync::Arc;

use driver::Drive;
pub(super) use undo::{Wanted, hear_undos, left_to_undo, unknown_steps};

use super::{ended::Ended, hook::RunFailure, shared::Shared};
use crate::{
    error::{ErrorKind, Result},
    live::{LiveRun, Outbox},
    panic,
    registry::Registered,
    store::{ClaimedRun, Routed, Routing, Transition},
};

/// Drives a claimed run until its lease ends; and why it failed, if it failed for good.
pub(crate) async fn drive(
    worker: &Arc<Shared>,
    function: &Registered,
    mut claimed: ClaimedRun,
    life: u64,
    target: Option<Arc<str>>,
) -> (Ended, Option<RunFailure>) {
    panic::note_places();
    let crashed = worker.crashed(&claimed);
    // A run that is not to be driven has none of its code called.
    let wanted = match &crashed {
        None if claimed.undoing.is_none() => wanted(function, &claimed),
        _ => Ok(true),
    };
    let routed = if function.def.flow.is_some() && matches!(wanted, Ok(true)) {
        let may_start = crashed.is_none() && claimed.undoing.is_none();
        Box::pin(route(worker, function, &mut claimed, may_start)).await
    } else {
        Ok(Routed::Starts)
    };
    let metrics = &function.metrics;
    let run = Arc::new(LiveRun::new(
        &mut claimed,
        life,
        function.options.max_steps,
        Arc::clone(metrics),
        Arc::clone(&worker.host),
    ));
    worker.attach(claimed.lease, &run);
    let drive = Drive::new(worker, &run, function, &claimed, target);
    if let Err(error) = &routed
        && error.is_service_failure()
    {
        return (drive.put_off(error).await, None);
    }
    if let Some(error) = &crashed
        && run.is_undoing()
    {
        return (drive.give_up_undo(error).await, None);
    }
    if let Some(error) = crashed {
        let ended = drive.fail(&error).await;
        if ended == Ended::Failed {
            metrics.runs_failed.increment(1);
        }
        let failure = drive.failure.into_inner();
        return (ended, failure.map(|error| RunFailure::new(&run, error)));
    }
    let wanted = match wanted {
        Ok(true) => Ok(()),
        Ok(false) => {
            let ended = drive.end(Outbox::default(), Transition::Skip).await;
            return (ended, None);
        }
        Err(error) => Err(error),
    };
    if let Some(ended) = drive.routed(&routed) {
        return (ended, None);
    }
    let begun = if run.resumed || run.is_undoing() {
        &metrics.runs_resumed
    } else {
        &metrics.runs_started
    };
    begun.increment(1);
    let _running = metrics.running();
    let ended = match wanted.and_then(|()| routed.map(|_| ())) {
        Ok(()) => match drive.listen_for_cancel().await {
            Ok(_listening) => drive.go_whatever_breaks().await,
            Err(ended) => ended,
        },
        Err(error) if error.kind() == ErrorKind::InvalidEvent => drive.leave_to_others(error).await,
        // The filter fell: a failed attempt like any other.
        Err(error) => drive.returned(Err(error), None).await,
    };
    match ended {
        Ended::Completed(_) => metrics.runs_completed.increment(1),
        Ended::Failed => metrics.runs_failed.increment(1),
        _ => {}
    }
    let failure = drive.failure.into_inner();
    (ended, failure.map(|error| RunFailure::new(&run, error)))
}

/// Applies the flow options of a run's function if it may start, and reads all its events: also of one that is undone, or has failed.
async fn route(
    worker: &Arc<Shared>,
    function: &Registered,
    claimed: &mut ClaimedRun,
    may_start: bool,
) -> Result<Routed> {
    let routed = if may_start {
        worker.route(function, claimed).await?
    } else {
        Routed::Starts
    };
    if routed == Routed::Starts
        && let Some(whole) = worker.whole(function, claimed).await?
    {
        claimed.payload = whole;
    }
    Ok(routed)
}

fn wanted(function: &Registered, claimed: &ClaimedRun) -> Result<bool> {
    // A filter speaks about the event alone, so a run with records has passed it, whatever it says by now. One that has only
    // failed may have failed by it. Of a batch each event was asked about when it came.
    let has_collected = function.is_batch() && claimed.routing != Routing::Not;
    if claimed.journal.is_empty() && !has_collected {
        function.wants(&claimed.event_type, &claimed.payload)
    } else {
        Ok(true)
    }
}
