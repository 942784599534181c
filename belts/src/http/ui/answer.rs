//! Answers: pages and JSON from one model, and what keeps browsers from doing more with them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    super::{answer, refusal::Refusal},
    cookie::hex,
    layout::{self, Place},
    visit::Visit,
};
use crate::{dispatch::wire, error::Error, plain::plain};

/// Scripts and styles are those of this path; nothing is loaded from anywhere else, and nobody shows it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Why there is no such page; [`refused`] makes one of it.
#[derive(Debug, Clone)]
pub(super) struct Wrong(pub(super) Refusal);

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let mut response = self.0.clone().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A page of this model, or the model as JSON. Whoever has the same already is told so: times that are told from now on change nothing
/// in it.
pub(super) fn page(
    visit: &Visit,
    place: Place,
    title: &str,
    model: &impl Serialize,
    body: impl FnOnce() -> Markup,
) -> Response {
    let json = wire::json(model);
    let mark = mark(visit, &json);
    if visit.has.as_deref() == Some(&*mark) {
        return with_mark(StatusCode::NOT_MODIFIED.into_response(), &mark);
    }
    if visit.json {
        return with_mark(answer::json(StatusCode::OK, json), &mark);
    }
    let page = layout::page(visit, place, title, Some(&mark), &body());
    with_mark(html_page(StatusCode::OK, page), &mark)
}

/// What became of a change, where that has no address of its own: the page is not asked for again.
pub(super) fn outcome(
    visit: &Visit,
    place: Place,
    title: &str,
    model: &impl Serialize,
    body: impl FnOnce() -> Markup,
) -> Response {
    if visit.json {
        return answer::json(StatusCode::OK, wire::json(model));
    }
    html_page(
        StatusCode::OK,
        layout::page(visit, place, title, None, &body()),
    )
}

fn mark(visit: &Visit, json: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [
        env!("CARGO_PKG_VERSION").as_bytes(),
        visit.here.as_bytes(),
        visit.form.as_bytes(),
        &[u8::from(visit.json), u8::from(visit.operates)],
        json,
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    format!("\"{}\"", hex(&hash.finalize()[..12]))
}

fn with_mark(mut response: Response, mark: &str) -> Response {
    if let Ok(mark) = HeaderValue::try_from(mark) {
        response.headers_mut().insert(header::ETAG, mark);
    }
    response
}

pub(super) fn html_page(status: StatusCode, page: Markup) -> Response {
    let mut response = Response::new(Body::from(page.into_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// A change that was made: the page on which it shows, or what became of it as JSON.
pub(super) fn done(visit: &Visit, to: &str, model: &impl Serialize) -> Response {
    if visit.json {
        return answer::json(StatusCode::OK, wire::json(model));
    }
    see_other(&visit.to(to))
}

/// Leads to another address, relative to this one.
pub(super) fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // An empty address would be the same one.
    let to = if to.is_empty() { "./" } else { to };
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// The page of a refusal.
pub(super) fn refused(visit: &Visit, refusal: &Refusal) -> Response {
    if visit.json {
        return refusal.clone().into_response();
    }
    let status = refusal.status();
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT | StatusCode::GONE => "It is too late for that",
        StatusCode::SERVICE_UNAVAILABLE => "Not available",
        status if status.is_client_error() => "This cannot be done",
        _ => "Something went wrong",
    };
    let body = html! {
        h1 { (title) }
        p.reason { (plain(refusal.reason())) }
        p { a href=(visit.to("functions")) { "To the functions" } }
    };
    html_page(
        status,
        layout::page(visit, Place::Elsewhere, title, None, &body),
    )
}

/// Adds what holds for every answer.
pub(super) fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`, with which browsers hide that a form is of this site.
        (header::REFERRER_POLICY, "same-origin"),
        (header::VARY, "accept, cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
