//! The worker's description of itself: its functions and events.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use serde::Serialize;

use super::{access, answer};
use crate::{
    dispatch::wire,
    function::{Continuation, EventEntry, FAILED, FunctionOptions, OnCancel, contract},
    registry::Registered,
    run::RetryPolicy,
    schedule::{Schedule, TICK},
    worker::Worker,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    belts: bool,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    functions: Vec<DescribedFunction<'a>>,
    events: Vec<DescribedEvent<'a>>,
}

#[derive(Serialize)]
struct DescribedFunction<'a> {
    id: &'a str,
    events: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    options: DescribedOptions,
    /// What its code may record, by path.
    keys: Vec<DescribedKey>,
}

#[derive(Serialize)]
struct DescribedKey {
    path: String,
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribedOptions {
    retries: u32,
    backoff: DescribedBackoff,
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_within_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_within_ms: Option<u64>,
    concurrency: Option<usize>,
    continuation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_cancel: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribedBackoff {
    first_ms: u64,
    max_ms: u64,
}

#[derive(Serialize)]
struct DescribedEvent<'a> {
    r#type: &'a str,
    functions: Vec<&'a str>,
}

pub(super) async fn describe(State(worker): State<Worker>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let body = if access::may_read(&worker, &parts) {
        wire::json(&Description::of(&worker))
    } else {
        br#"{"belts":true}"#.to_vec()
    };
    answer::json(StatusCode::OK, body)
}

impl<'a> Description<'a> {
    fn of(worker: &'a Worker) -> Self {
        let shared = worker.shared();
        let functions: Vec<_> = shared
            .registry
            .functions()
            .iter()
            .map(DescribedFunction::of)
            .collect();
        let mut events: BTreeMap<&str, Vec<&str>> = inventory::iter::<EventEntry>
            .into_iter()
            .flat_map(|entry| entry.types)
            .map(|event_type| (*event_type, Vec::new()))
            .collect();
        for function in &functions {
            let published = function
                .events
                .iter()
                .filter(|it| ![FAILED, TICK].contains(*it));
            for event_type in published {
                events.entry(event_type).or_default().push(function.id);
            }
        }
        Self {
            belts: true,
            version: env!("CARGO_PKG_VERSION"),
            url: shared.http.url.as_deref(),
            functions,
            events: events
                .into_iter()
                .map(|(r#type, functions)| DescribedEvent { r#type, functions })
                .collect(),
        }
    }
}

impl<'a> DescribedFunction<'a> {
    fn of(function: &'a Registered) -> Self {
        Self {
            id: &function.id,
            events: function.event_types().collect(),
            schedule: function.def.schedule.map(|schedule| schedule().schedule()),
            options: DescribedOptions::of(&function.options),
            keys: contract(function.def)
                .into_iter()
                .map(|key| DescribedKey {
                    path: key.path,
                    kind: key.kind,
                })
                .collect(),
        }
    }
}

impl DescribedOptions {
    fn of(options: &FunctionOptions) -> Self {
        let policy = RetryPolicy::new(options.retries, options.backoff);
        Self {
            retries: policy.retries,
            backoff: DescribedBackoff {
                first_ms: millis(policy.backoff.first),
                max_ms: millis(policy.backoff.max),
            },
            timeout_ms: options.timeout.map(millis),
            start_within_ms: options.start_within.map(millis),
            finish_within_ms: options.finish_within.map(millis),
            concurrency: options.concurrency,
            continuation: match options.continuation {
                Continuation::Inline => "inline",
                Continuation::PerStep => "per-step",
            },
            on_cancel: (options.on_cancel == OnCancel::Finish).then_some("finish"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
