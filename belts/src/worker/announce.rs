//! What a worker says when it begins to serve or to drive runs.

use std::time::Duration;

use crate::{
    function::{Continuation, OnCancel},
    registry::Registered,
    store::parts::in_words,
    worker::Shared,
};

/// Tells the log which functions a loop drives that no server of ours is around.
pub(crate) fn tell_of_the_loop(shared: &Shared) {
    let functions = shared.registry.functions();
    #[cfg(feature = "http")]
    let store = tracing::field::display(&shared.http.store);
    #[cfg(not(feature = "http"))]
    let store = tracing::field::debug(&shared.store);
    tracing::info!(store, functions = functions.len(), "belts drives runs");
    tell_of_functions(shared);
    #[cfg(feature = "http")]
    if functions.is_empty() && !shared.http.picked {
        tracing::warn!("{}", no_functions(false));
    }
}

/// That there are none, and whether that was meant.
#[cfg(feature = "http")]
pub(crate) fn no_functions(meant: bool) -> &'static str {
    if meant {
        "no functions: this worker only publishes events"
    } else {
        "no functions were found: a crate that is only in Cargo.toml is not linked, so name it in the code, as by \
         `use my_functions as _;` in `main.rs`; where none are meant, `.publish_only()` says so"
    }
}

/// Tells the log what each function is.
pub(crate) fn tell_of_functions(shared: &Shared) {
    if let Some(dispatcher) = &shared.dispatcher {
        tracing::info!(?dispatcher, "publishing through a dispatcher");
    }
    for function in shared.registry.functions() {
        let (events, options, package) =
            (events(function), options(function), function.def.package);
        tracing::info!(function = %function.id, package, %events, %options, "found a function");
    }
    tell_of_ticks(shared);
}

/// Tells the log when the clock next starts each function with a schedule.
fn tell_of_ticks(shared: &Shared) {
    let now = shared.clock.now();
    for function in shared.registry.functions() {
        let Some(schedule) = function.def.schedule.map(|schedule| schedule().schedule()) else {
            continue;
        };
        if let Some(next) = schedule.times().ok().and_then(|times| times.after(now)) {
            tracing::info!(function = %function.id, %schedule, %next, "the clock starts this function");
        }
    }
}

pub(crate) fn events(function: &Registered) -> String {
    function.event_types().collect::<Vec<_>>().join(", ")
}

/// The options that a function sets, as it would write them.
pub(crate) fn options(function: &Registered) -> String {
    let options = &function.options;
    let mut parts = Vec::new();
    parts.extend(
        options
            .retries
            .map(|retries| format!("retries = {retries}")),
    );
    parts.extend(
        options
            .backoff
            .map(|backoff| format!("backoff = {}..{}", short(backoff.first), short(backoff.max))),
    );
    parts.extend(
        options
            .timeout
            .map(|timeout| format!("timeout = {}", short(timeout))),
    );
    parts.extend(
        options
            .start_within
            .map(|limit| format!("start_within = {}", in_words(limit))),
    );
    parts.extend(
        options
            .finish_within
            .map(|limit| format!("finish_within = {}", in_words(limit))),
    );
    parts.extend(
        options
            .concurrency
            .map(|runs| format!("concurrency = {runs}")),
    );
    if let Some(schedule) = function.def.schedule {
        parts.push(format!("schedule = {}", schedule().schedule()));
    }
    let handled = function.def.on_failure.iter();
    let handled: Vec<_> = handled.map(|handled| (handled.function)().id).collect();
    if !handled.is_empty() {
        parts.push(format!("on_failure = {}", handled.join(" + ")));
        if function.def.handles_cancels {
            parts.push("cancelled = true".to_owned());
        }
    }
    if options.on_cancel == OnCancel::Finish {
        parts.push("on_cancel = finish".to_owned());
    }
    if options.continuation == Continuation::PerStep {
        parts.push("continuation = per-step".to_owned());
    }
    parts.join(", ")
}

fn short(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let rest = duration.saturating_sub(Duration::from_secs(minutes * 60));
    match (minutes, rest.is_zero()) {
        (0, _) => format!("{duration:?}"),
        (_, true) => format!("{minutes}m"),
        (_, false) => format!("{minutes}m{rest:?}"),
    }
}
