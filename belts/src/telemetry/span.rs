//! The spans: one around each drive of a run, one around each attempt of a step.
//!
//! Without a subscriber that wants them they are empty, and cost a comparison.

use std::sync::Arc;

use tracing::{Span, field::Empty};

use super::Propagator;
use crate::{
    error::{Error, Result},
    guard,
    plain::Clean,
    store::ClaimedRun,
    worker::live::LiveRun,
};

/// A drive of a run. It begins a trace of its own, or goes on with that of whoever published the event; whatever span the run
/// was started in comes before it.
pub(crate) fn run(
    claimed: &ClaimedRun,
    worker: Option<&str>,
    propagator: Option<&dyn Propagator>,
) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "run",
        function = %Clean(&claimed.function_id),
        run = %Clean(&claimed.run_id),
        event = %Clean(&claimed.event_id),
        attempt = claimed.failed_attempts + 1,
        worker,
        outcome = Empty,
    );
    if let (Some(propagator), Some(traceparent)) = (propagator, &claimed.traceparent) {
        let extracted = guard::call("the propagator", || {
            propagator.extract(traceparent, &span);
            Ok(())
        });
        let _ = extracted.inspect_err(propagator_fell);
    }
    if !span.is_disabled() {
        span.follows_from(Span::current());
    }
    span
}

/// A trace ends here, and the event goes on without it.
pub(crate) fn propagator_fell(error: &Error) {
    tracing::error!(error = %error.report(), "an event is published or driven without its trace");
}

/// An attempt of a step.
pub(crate) fn step(path: &str, attempt: u32) -> Span {
    tracing::info_span!("step", step = %Clean(path), attempt, replayed = false, outcome = Empty)
}

/// Notes what came of an attempt: `ok`, or the kind of its error.
pub(crate) fn outcome<T>(span: &Span, outcome: &Result<T>) {
    // A span that nobody wants would still look for the field among its names.
    if span.is_disabled() {
        return;
    }
    let word = outcome
        .as_ref()
        .map_or_else(|error| error.kind().as_str(), |_| "ok");
    span.record("outcome", word);
}

/// A step that returns what was recorded: a span without length, for those who look closely.
pub(crate) fn replayed(run: &LiveRun, path: &Arc<str>) {
    run.metrics.steps_replayed.increment(1);
    drop(tracing::debug_span!("step", step = %Clean(path), replayed = true));
}
