//! The spans: one each time a run is driven, one for each attempt of a step.
//!
//! Without an interested subscriber they are empty and cost a comparison. A log line inside them does not repeat
//! their fields; if they are disabled, as with a filter at WARN, the line has the ids itself.

use std::sync::Arc;

use tracing::{
    Span,
    field::{DisplayValue, Empty, display},
};

use super::Propagator;
use crate::{
    error::{Error, Result},
    panic,
    plain::Clean,
    store::ClaimedRun,
};

/// The name of a run's span.
const RUN: &str = "run";

/// Driving a run once. It starts a trace of its own, or continues that of the event's publisher; it follows from the span that
/// the run was started in.
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
        let extracted = panic::catch("the propagator", || {
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

/// The trace ends here, and the event continues without it.
pub(crate) fn propagator_fell(error: &Error) {
    tracing::error!(error = %error.report(), "publishing or driving an event without its trace");
}

/// An attempt of a step.
pub(crate) fn step(path: &str, attempt: u32) -> Span {
    tracing::info_span!("step", step = %Clean(path), attempt, replayed = false, outcome = Empty)
}

/// An id for a log line; none if the surrounding span has it.
pub(crate) type Unsaid<'a> = Option<DisplayValue<Clean<&'a str>>>;

/// The ids of a run, for a log line inside its span.
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

/// A step and its attempt, for a log line inside its span.
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

    /// A key may contain text from others.
    pub(crate) fn step(self) -> Unsaid<'a> {
        (!self.in_span).then(|| display(Clean(self.path)))
    }

    pub(crate) fn attempt(self) -> Option<u32> {
        (!self.in_span).then_some(self.attempt)
    }
}

/// Whether the span of a run is enabled, and this is inside it.
pub(crate) fn is_around() -> bool {
    let current = Span::current();
    current
        .metadata()
        .is_some_and(|span| span.name() == RUN && span.target() == module_path!())
}

/// Records the result of an attempt: `ok`, or the kind of its error.
pub(crate) fn outcome<T>(span: &Span, outcome: &Result<T>) {
    // A disabled span would still look up the field by name.
    if span.is_disabled() {
        return;
    }
    let word = outcome
        .as_ref()
        .map_or_else(|error| error.kind().as_str(), |_| "ok");
    span.record("outcome", word);
}

/// A step that returns its recorded result: a span without duration, at DEBUG.
pub(crate) fn replayed(path: &Arc<str>) {
    drop(tracing::debug_span!("step", step = %Clean(path), replayed = true));
}
