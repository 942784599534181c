//! `GET /runs/{id}/result`: what a run came to, for whoever would rather wait than ask again.

use std::time::Duration;

use axum::{
    extract::State,
    http::{Method, StatusCode, Uri},
    response::Response,
};

use super::{
    actor::Id,
    answer,
    modes::Place,
    query::{query, unknown},
    refusal::Refusal,
};
use crate::{
    dispatch::wire,
    inspect::{shape::ShownResult, when},
    worker::Worker,
};

/// The longest wait in one request; proxies rarely keep one open for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Answers 200 with the result of a run that has ended, and 202 if it goes on after the time that the client would wait.
pub(super) async fn result(
    State(worker): State<Worker>,
    Id(id): Id,
    method: Method,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut wait = Duration::ZERO;
    for (name, value) in query(&uri)? {
        if name != "wait" {
            return Err(unknown(&name, "`wait`"));
        }
        wait = patience(&value)?;
    }
    if method == Method::HEAD {
        wait = Duration::ZERO;
    }
    let _place = match wait {
        Duration::ZERO => None,
        _ => Some(Place::take(worker.shared())?),
    };
    let deadline = worker.now().after(wait);
    let record = worker.shared().ended_by(&id.into(), deadline).await?;
    let status = if record.status.is_finished() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let shown = ShownResult::of(&record);
    Ok(answer::json(status, wire::json(&shown)))
}

fn patience(text: &str) -> Result<Duration, Refusal> {
    let wait = when::duration(text).filter(|wait| *wait <= LONGEST_WAIT);
    wait.ok_or_else(|| {
        Refusal::bad_request("`wait` must be a duration of at most one minute, such as `30s`")
    })
}
