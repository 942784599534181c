//! Runs over HTTP: list, show, cancel, rerun and purge, for clients with access. Cancelling many is in [`bulk`].

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde_json::{Map, Value};

use super::{
    access::{self, Inspector},
    actor::{AskedRuns, Id, Right},
    body, bulk,
    filters::{self, chosen},
    functions,
    query::{flag, json, moment, query, unknown},
    refusal::{Refusal, method_not_allowed},
    refused, result, schedules, settle,
};
use crate::{
    inspect::{
        Runs,
        shape::{Changed, ShownPage, ShownPurge, ShownRun},
        shown_schedule::Action,
    },
    telemetry::Door,
    worker::Worker,
};

/// The most bytes of a body that says nothing.
const LONGEST_EMPTY: usize = 1024;

/// The routes, each behind [`guard`].
pub(super) fn routes(worker: &Worker) -> Router<Worker> {
    let only = |allowed| move || async move { method_not_allowed(allowed) };
    // A run may have the id `purge` or `cancel`.
    let run = |id: &'static str| {
        get(move |runs: AskedRuns, uri: Uri| show(runs, Id(id.to_owned()), uri))
            .fallback(only("GET, HEAD, POST"))
    };
    Router::new()
        .route("/runs", get(list).fallback(only("GET, HEAD")))
        .route("/runs/purge", run("purge").post(purge))
        .route("/runs/cancel", run("cancel").post(bulk::cancel))
        .route("/runs/{id}", get(show).fallback(only("GET, HEAD")))
        .route(
            "/runs/{id}/result",
            get(result::result).fallback(only("GET, HEAD")),
        )
        .route("/runs/{id}/export", get(export).fallback(only("GET, HEAD")))
        .route("/runs/{id}/cancel", post(cancel).fallback(only("POST")))
        .route("/runs/{id}/rerun", post(rerun).fallback(only("POST")))
        .route(
            "/runs/{id}/settle",
            post(settle::settle).fallback(only("POST")),
        )
        .route(
            "/functions",
            get(functions::list).fallback(only("GET, HEAD")),
        )
        .route(
            "/functions/{id}/pause",
            post(functions::pause).fallback(only("POST")),
        )
        .route(
            "/functions/{id}/resume",
            post(functions::resume).fallback(only("POST")),
        )
        .route(
            "/functions/{id}/forget",
            post(functions::forget).fallback(only("POST")),
        )
        .route(
            "/schedules",
            get(schedules::list).fallback(only("GET, HEAD")),
        )
        .route(
            "/schedules/{id}",
            get(schedules::show).fallback(only("GET, HEAD")),
        )
        .route(
            "/schedules/{id}/put",
            post(schedules::put).fallback(only("POST")),
        )
        .route("/schedules/{id}/pause", changes(Action::Pause))
        .route("/schedules/{id}/resume", changes(Action::Resume))
        .route("/schedules/{id}/trigger", changes(Action::Trigger))
        .route("/schedules/{id}/remove", changes(Action::Remove))
        .route_layer(middleware::from_fn_with_state(worker.clone(), guard))
}

/// Changes of a schedule.
fn changes(action: Action) -> MethodRouter<Worker> {
    post(move |runs, id| schedules::change(action, runs, id))
        .fallback(|| async { method_not_allowed("POST") })
}

/// Lets clients with access through. To others there is nothing here, unless there is a token that they could have.
async fn guard(State(worker): State<Worker>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let right = match access::inspector(&worker, &parts) {
        // A web page can make its user's browser post a form to this machine, but not with this type.
        Inspector::ThisMachine if parts.method == Method::POST => {
            if let Err(refusal) = body::require_json(&parts.headers) {
                return refusal.into_response();
            }
            Right::ThisMachine
        }
        Inspector::Token => Right::Token,
        Inspector::ThisMachine => Right::ThisMachine,
        Inspector::WithoutToken => return refuse(&worker, &parts, Refusal::unauthorized()),
        Inspector::Nobody => return refuse(&worker, &parts, Refusal::not_found()),
    };
    // Only what a step is settled with is too much for a query.
    let has_body = parts.uri.path().ends_with("/settle");
    let body = if parts.method == Method::POST && !has_body {
        match empty(&worker, body).await {
            Ok(()) => Body::empty(),
            Err(refusal) => return refusal.into_response(),
        }
    } else {
        body
    };
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(right);
    next.run(request).await
}

/// Requires that a body says nothing: a condition in it would be passed over, and more be changed than was meant.
async fn empty(worker: &Worker, body: Body) -> Result<(), Refusal> {
    let shared = worker.shared();
    let limits = &shared.http.limits;
    let says_nothing = match body::read_in_time(body, LONGEST_EMPTY, limits, &*shared.clock).await {
        Ok(bytes) => {
            let text = bytes.trim_ascii();
            let object = || serde_json::from_slice::<Map<String, Value>>(text).ok();
            text.is_empty() || object().is_some_and(|object| object.is_empty())
        }
        Err(refusal) if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE => false,
        Err(refusal) => return Err(refusal),
    };
    if says_nothing {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "the body is not read here, so it must be empty or `{}`: whatever the request asks for goes into the query string, such as \
         filters in `/runs/cancel?function=…&status=…`",
    ))
}

fn refuse(worker: &Worker, parts: &Parts, refusal: Refusal) -> Response {
    refused::tell(worker.shared(), Door::Inspection, parts, &refusal);
    let mut response = refusal.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

async fn list(State(worker): State<Worker>, uri: Uri) -> Result<Response, Refusal> {
    let list = chosen(worker.runs().list(), &uri, worker.now())?;
    let page = list.await.map_err(filters::refusal)?;
    Ok(json(&ShownPage::of(&page)))
}

async fn show(AskedRuns(runs): AskedRuns, Id(id): Id, uri: Uri) -> Result<Response, Refusal> {
    let mut values = false;
    for (name, value) in query(&uri)? {
        if name != "values" {
            return Err(unknown(&name, "`values`"));
        }
        values = flag(&name, &value)?;
    }
    let run = runs.get(&id).await?;
    let held = runs.held_since(&run).await?;
    let run = ShownRun::of(&run, values).with_paused_at(held);
    Ok(json(&run.with_steps(&runs.journal(&id).await?, values)))
}

/// A run with all that it was given and has recorded.
async fn export(AskedRuns(runs): AskedRuns, Id(id): Id) -> Result<Response, Refusal> {
    Ok(json(&runs.exported(&id).await?))
}

async fn cancel(AskedRuns(runs): AskedRuns, Id(id): Id) -> Result<Response, Refusal> {
    let changed = runs.cancel(&id).await?;
    now_stands(&runs, id, changed).await
}

async fn rerun(AskedRuns(runs): AskedRuns, Id(id): Id, uri: Uri) -> Result<Response, Refusal> {
    let mut from = None;
    for (name, value) in query(&uri)? {
        if name != "from" {
            return Err(unknown(&name, "`from`"));
        }
        from = Some(value);
    }
    let changed = match from {
        Some(step) => runs.rerun_from(&id, &step).await?,
        None => runs.rerun(&id).await?,
    };
    now_stands(&runs, id, changed).await
}

async fn now_stands(runs: &Runs, run_id: String, changed: bool) -> Result<Response, Refusal> {
    let status = runs.get(&run_id).await?.status;
    Ok(json(&Changed {
        run_id,
        changed,
        status,
    }))
}

/// Removes a part: purging everything may take longer than anyone waits for a response.
async fn purge(
    State(worker): State<Worker>,
    AskedRuns(runs): AskedRuns,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut before = None;
    for (name, value) in query(&uri)? {
        if name != "before" {
            return Err(unknown(&name, "`before`"));
        }
        before = Some(moment(&name, &value, worker.now())?);
    }
    let before = before.ok_or_else(|| {
        Refusal::bad_request("`before` is missing: say how old runs have to be, such as `30d`")
    })?;
    Ok(json(&ShownPurge::from(runs.purge_part(before).await?)))
}
