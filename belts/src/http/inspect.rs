//! Runs over HTTP: to list, look at, cancel, run again and purge, for those who may.

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    access::{self, Inspector},
    answer, body,
    refusal::Refusal,
    router::method_not_allowed,
};
use crate::{
    inspect::{
        ListRuns, Runs,
        shape::{Changed, Purged, ShownPage, ShownRun},
        when,
    },
    plain::plain,
    store::{RunStatus, Timestamp},
    wire,
    worker::Worker,
};

/// The most runs of a page.
const LONGEST_PAGE: usize = 1000;

/// The routes, each behind [`guard`].
pub(super) fn routes(worker: &Worker) -> Router<Worker> {
    let only = |allowed| move || async move { method_not_allowed(allowed) };
    // A run may have been given the id `purge`.
    let purge_or_run = post(purge)
        .get(|worker: State<Worker>, uri: Uri| show(worker, Path("purge".to_owned()), uri));
    Router::new()
        .route("/runs", get(list).fallback(only("GET, HEAD")))
        .route(
            "/runs/purge",
            purge_or_run.fallback(only("GET, HEAD, POST")),
        )
        .route("/runs/{id}", get(show).fallback(only("GET, HEAD")))
        .route("/runs/{id}/cancel", post(cancel).fallback(only("POST")))
        .route("/runs/{id}/rerun", post(rerun).fallback(only("POST")))
        .route_layer(middleware::from_fn_with_state(worker.clone(), guard))
}

/// Lets those through who may inspect. To others nothing is here, unless there is a token that they could have.
async fn guard(State(worker): State<Worker>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match access::inspector(&worker, &parts) {
        // A web page can have its reader's browser post a form to this machine, but not of this type.
        Inspector::ThisMachine if parts.method == Method::POST => {
            if let Err(refusal) = body::require_json(&parts.headers) {
                return refusal.into_response();
            }
        }
        Inspector::Token | Inspector::ThisMachine => {}
        Inspector::WithoutToken => return unauthorized(),
        Inspector::Nobody => return Refusal::not_found().into_response(),
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn list(State(worker): State<Worker>, uri: Uri) -> Result<Response, Refusal> {
    let mut list = worker.runs().list();
    for (name, value) in query(&uri)? {
        list = narrowed(list, &name, value, worker.now())?;
    }
    Ok(json(&ShownPage::of(&list.await?)))
}

fn narrowed(
    list: ListRuns,
    name: &str,
    value: String,
    now: Timestamp,
) -> Result<ListRuns, Refusal> {
    Ok(match name {
        "function" => list.function(value),
        "event" => list.event(value),
        "status" => {
            let statuses = value.split(',').map(status);
            statuses
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .fold(list, ListRuns::status)
        }
        "since" => list.since(moment(name, &value, now)?),
        "until" => list.until(moment(name, &value, now)?),
        "limit" => list.limit(limit(&value)?),
        "page" => list.after(value),
        _ => {
            return Err(unknown(
                name,
                "`function`, `event`, `status`, `since`, `until`, `limit` and `page`",
            ));
        }
    })
}

async fn show(
    State(worker): State<Worker>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut values = false;
    for (name, value) in query(&uri)? {
        values = match (&*name, &*value) {
            ("values", "true" | "1") => true,
            ("values", "false" | "0") => false,
            ("values", _) => {
                return Err(Refusal::bad_request("`values` must be `true` or `false`"));
            }
            _ => return Err(unknown(&name, "`values`")),
        };
    }
    let runs = worker.runs();
    let run = ShownRun::of(&runs.get(&id).await?, values);
    Ok(json(&run.with_steps(&runs.journal(&id).await?, values)))
}

async fn cancel(State(worker): State<Worker>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let runs = worker.runs();
    let changed = runs.cancel(&id).await?;
    now_stands(&runs, id, changed).await
}

async fn rerun(
    State(worker): State<Worker>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut from = None;
    for (name, value) in query(&uri)? {
        if name != "from" {
            return Err(unknown(&name, "`from`"));
        }
        from = Some(value);
    }
    let runs = worker.runs();
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

async fn purge(State(worker): State<Worker>, uri: Uri) -> Result<Response, Refusal> {
    let mut before = None;
    for (name, value) in query(&uri)? {
        if name != "before" {
            return Err(unknown(&name, "`before`"));
        }
        before = Some(moment(&name, &value, worker.now())?);
    }
    let before = before.ok_or_else(|| {
        Refusal::bad_request("`before` is missing: say how old runs must be to go, such as `30d`")
    })?;
    let purged = worker.runs().purge(before).await?;
    Ok(json(&Purged { purged }))
}

fn query(uri: &Uri) -> Result<Vec<(String, String)>, Refusal> {
    Query::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|_| Refusal::bad_request("the query cannot be read"))
}

fn status(word: &str) -> Result<RunStatus, Refusal> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| {
            let known = RunStatus::ALL.map(RunStatus::as_str).join("`, `");
            Refusal::bad_request(format!("`status` must be of `{known}`"))
        })
}

fn moment(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    when::moment(text, now).map_err(|wrong| Refusal::bad_request(format!("`{name}`: {wrong}")))
}

fn limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
        .ok_or_else(|| {
            Refusal::bad_request(format!(
                "`limit` must be a whole number from 1 to {LONGEST_PAGE}"
            ))
        })
}

fn unknown(name: &str, known: &str) -> Refusal {
    Refusal::bad_request(format!(
        "the query has `{}`, and there is {known}",
        plain(name)
    ))
}

fn unauthorized() -> Response {
    let mut response = Refusal::unauthorized().into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn json(body: &impl serde::Serialize) -> Response {
    answer::json(StatusCode::OK, wire::json(body))
}
