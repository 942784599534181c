//! The spans: one around each drive of a run, one around each attempt of a step.
//!
//! Without a subscriber that wants them they are empty, and cost a comparison. A line of the log within them does not repeat
//! what they say; where nobody wants them, as with a filter that begins at WARN, it has the ids itself.

use std::sync::Arc;

use tracing::{
    Span,
    field::{DisplayValue, Empty, display},
};

use super::Propagator;
use crate::{
    error::{Error, Result},
    guard,
    plain::Clean,
    store::ClaimedRun,
};

/// The name of a run's span.
const RUN: &str = "run";

/// A drive of a run. It begins a trace of its own, or goes on with that of whoever published the event; whatever span the run
/// was started in comes before it.
pub(crate) fn run(
    claimed: &ClaimedRun,
    worker: Option<&str>,
    propagator: Option<&dyn Propagator>,
) -> Span {
    let span = tracing::info_span!(
        parent: None,
        RUN,
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

/// An id for a line of the log; none where the span around it has it.
pub(crate) type Unsaid<'a> = Option<DisplayValue<Clean<&'a str>>>;

/// The ids of a run, for a line of the log within its span.
pub(crate) struct RunIds<'a> {
    pub(crate) function: Unsaid<'a>,
    pub(crate) run: Unsaid<'a>,
    pub(crate) attempt: Option<u32>,
}

impl<'a> RunIds<'a> {
    /// Those of a run that is driven within its span, or not.
    pub(crate) fn new(function: &'a str, run: &'a str, attempt: u32, in_span: bool) -> Self {
        let unsaid = |id: &'a str| (!in_span).then(|| display(Clean(id)));
        Self {
            function: unsaid(function),
            run: unsaid(run),
            attempt: (!in_span).then_some(attempt),
        }
    }
}

/// A step and its attempt, for a line of the log within its span.
#[derive(Clone, Copy)]
pub(crate) struct StepIds<'a> {
    path: &'a str,
    attempt: u32,
    in_span: bool,
}

impl<'a> StepIds<'a> {
    pub(crate) fn of(span: &Span, path: &'a str, attempt: u32) -> Self {
        Self {
            path,
            attempt,
            in_span: !span.is_disabled(),
        }
    }

    /// A key may hold what somebody else wrote.
    pub(crate) fn step(self) -> Unsaid<'a> {
        (!self.in_span).then(|| display(Clean(self.path)))
    }

    pub(crate) fn attempt(self) -> Option<u32> {
        (!self.in_span).then_some(self.attempt)
    }
}

/// Whether the span of a run is there and wanted, and this is within it.
pub(crate) fn is_around() -> bool {
    let current = Span::current();
    current
        .metadata()
        .is_some_and(|span| span.name() == RUN && span.target() == module_path!())
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
pub(crate) fn replayed(path: &Arc<str>) {
    drop(tracing::debug_span!("step", step = %Clean(path), replayed = true));
}
