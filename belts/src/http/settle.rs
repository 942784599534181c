//! Settling a step over HTTP.

use axum::{body::Body, extract::State, http::Uri, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    actor::{AskedRuns, Id},
    body,
    query::{json, query, unknown},
    refusal::Refusal,
};
use crate::worker::Worker;

/// What the body says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Settle {
    /// `{"value": …}`
    Value(Box<RawValue>),
    /// `"retry"`
    Retry,
    /// `{"fail": "…"}`
    Fail(String),
}

#[derive(Serialize)]
struct Settled {
    settled: bool,
}

/// `POST /runs/{id}/settle?step=charge`
pub(super) async fn settle(
    State(worker): State<Worker>,
    AskedRuns(runs): AskedRuns,
    Id(id): Id,
    uri: Uri,
    body: Body,
) -> Result<Response, Refusal> {
    let mut step = None;
    for (name, value) in query(&uri)? {
        if name != "step" {
            return Err(unknown(&name, "`step`"));
        }
        step = Some(value);
    }
    let Some(step) = step else {
        return Err(Refusal::bad_request(
            "`step` is missing: say which step is settled, as in `?step=charge`",
        ));
    };
    let shared = worker.shared();
    let (limit, limits) = (shared.settings.max_body_bytes, &shared.http.limits);
    let bytes = body::read_in_time(body, limit, limits, &*shared.clock).await?;
    let said: Settle = serde_json::from_slice(&bytes).map_err(|_| {
        Refusal::bad_request(
            "the body must be `{\"value\": …}` with the result of the step, `\"retry\"`, or `{\"fail\": \"…\"}` with a text",
        )
    })?;
    let step = runs.settle(id, step);
    match said {
        Settle::Value(value) => step.value_of(value).await?,
        Settle::Retry => step.retry().await?,
        Settle::Fail(message) => step.fail(message).await?,
    }
    Ok(json(&Settled { settled: true }))
}
