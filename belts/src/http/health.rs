//! Health: whether the worker takes deliveries and its store responds.

use std::time::Duration;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{answer, refusal::Refusal};
use crate::worker::Worker;

/// How long the store may take to respond.
const STORE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a response of the store is reused, so that frequent requests do not burden it.
const COUNTS: Duration = Duration::from_secs(1);

pub(super) async fn health(State(worker): State<Worker>) -> Response {
    if worker.shared().is_draining() {
        return Refusal::shutdown().into_response();
    }
    // A separate task: a client that disconnects does not cause another query.
    let looked = tokio::spawn(async move { look(&worker).await });
    match looked.await.unwrap_or_else(|_| Err(Refusal::shutdown())) {
        Ok(()) => answer::json(StatusCode::OK, &br#"{"ok":true}"#[..]),
        Err(refusal) => refusal.into_response(),
    }
}

async fn look(worker: &Worker) -> Result<(), Refusal> {
    let clock = &worker.shared().clock;
    let mut last = worker.shared().http.health.0.lock().await;
    let now = clock.now();
    if let Some((at, answer)) = &*last
        && *at <= now
        && now.since(*at) < COUNTS
    {
        return answer.clone();
    }
    let answer = ask(worker).await;
    *last = Some((clock.now(), answer.clone()));
    answer
}

async fn ask(worker: &Worker) -> Result<(), Refusal> {
    let clock = &worker.shared().clock;
    // No run has this id; the question is whether the store responds.
    tokio::select! {
        answer = worker.store().run("-") => answer.map(drop).map_err(Refusal::from),
        () = clock.expire_at(clock.now().after(STORE_PATIENCE)) => {
            Err(crate::Error::store("the store does not respond", "no response within a second").into())
        }
    }
}
