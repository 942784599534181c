//! Callbacks over HTTP. The id in the path is the only credential, and nothing else about the sender counts.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    actor::Id,
    answer, body, callback_page, page,
    query::query,
    refusal::{Refusal, method_not_allowed},
};
use crate::{error::ErrorKind, inspect::CallbackHandle, worker::Worker};

/// The type of what a page's button sends.
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn routes() -> Router<Worker> {
    let only = |allowed| move || async move { method_not_allowed(allowed) };
    Router::new()
        .route(
            "/callbacks/{id}",
            get(show).post(complete).fallback(only("GET, HEAD, POST")),
        )
        .route("/callbacks/{id}/failure", post(fail).fallback(only("POST")))
}

/// `POST /callbacks/{id}`: the value as JSON, or the answer of a page.
async fn complete(
    State(worker): State<Worker>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Refusal> {
    let callback = worker.callback(id);
    let (parts, body) = request.into_parts();
    if is_form(&parts.headers) {
        if page::is_foreign(&worker.shared().http, &parts) {
            return Err(Refusal::foreign_form());
        }
        let form = read(&worker, &parts.headers, body).await?;
        return choose(&callback, &form).await;
    }
    let json = read_json(&worker, &parts.headers, body).await?;
    let value: &RawValue = serde_json::from_slice(&json).map_err(|_| no_json())?;
    callback.complete_with(value).await?;
    Ok(completed())
}

/// `POST /callbacks/{id}/failure`: `{"message": "…"}`.
async fn fail(
    State(worker): State<Worker>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Refusal> {
    #[derive(Deserialize)]
    struct Failure {
        message: String,
    }
    let (parts, body) = request.into_parts();
    let json = read_json(&worker, &parts.headers, body).await?;
    let failure: Failure = serde_json::from_slice(&json).map_err(|_| {
        Refusal::bad_request("the body must be a JSON object with a text, `{\"message\": \"…\"}`")
    })?;
    worker.callback(id).fail(failure.message).await?;
    Ok(completed())
}

/// `GET /callbacks/{id}`: the page, if the function asked for one.
async fn show(State(worker): State<Worker>, Id(id): Id) -> Result<Response, Refusal> {
    match worker.callback(id).page().await {
        Ok(Some(shown)) => Ok(callback_page::page(&shown)),
        Ok(None) => Ok(method_not_allowed("POST")),
        Err(error) if error.kind() == ErrorKind::CallbackClosed => Ok(callback_page::closed()),
        Err(error) => Err(error.into()),
    }
}

/// Takes the answer that a button of the page sent.
async fn choose(callback: &CallbackHandle, form: &[u8]) -> Result<Response, Refusal> {
    let Some(shown) = callback.page().await? else {
        // Without a page only JSON is taken, which no web page can send across sites.
        return Err(Refusal::not_json());
    };
    let answer = answer_of(form)?;
    if !shown.page.choices.contains(&answer) {
        return Err(Refusal::bad_request(
            "the answer is none of those on the page",
        ));
    }
    let json = to_raw_value(&answer).map_err(|_| no_json())?;
    match callback.complete_with(&json).await {
        Ok(()) => Ok(callback_page::answered(&shown.page, &answer)),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Ok(callback_page::conflict(&shown.page))
        }
        Err(error) if error.kind() == ErrorKind::CallbackClosed => Ok(callback_page::closed()),
        Err(error) => Err(error.into()),
    }
}

fn answer_of(form: &[u8]) -> Result<String, Refusal> {
    let wrong = || Refusal::bad_request("the form must have one field, `answer`");
    let form = std::str::from_utf8(form).map_err(|_| wrong())?;
    let uri: Uri = format!("/?{form}").parse().map_err(|_| wrong())?;
    let mut fields = query(&uri)?.into_iter();
    match (fields.next(), fields.next()) {
        (Some((name, answer)), None) if name == "answer" => Ok(answer),
        _ => Err(wrong()),
    }
}

async fn read_json(worker: &Worker, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    body::require_json(headers)?;
    read(worker, headers, body).await
}

async fn read(worker: &Worker, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    body::require_plain(headers)?;
    let shared = worker.shared();
    let limit = shared.settings.max_body_bytes;
    body::read_in_time(body, limit, &shared.http.limits, &*shared.clock).await
}

fn is_form(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    let essence = given.and_then(|given| given.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM))
}

fn no_json() -> Refusal {
    Refusal::bad_json("the body is not JSON; a text needs quotes, as in `\"approve\"`")
}

fn completed() -> Response {
    answer::json(StatusCode::OK, r#"{"completed":true}"#).into_response()
}
