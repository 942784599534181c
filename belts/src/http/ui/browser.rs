//! What a request tells of the visitor's browser, and the cookie that it is to keep.

use axum::http::{HeaderMap, HeaderValue, request::Parts};

use super::cookie;
use crate::worker::Worker;

/// Whether the visitor's browser speaks TLS, as far as anybody says.
pub(super) fn speaks_tls(worker: &Worker, parts: &Parts) -> bool {
    let url = worker.shared().http.url.as_deref();
    let forwarded = parts.headers.get("x-forwarded-proto");
    url.is_some_and(|url| url.starts_with("https://"))
        || forwarded.is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Whether a link on another site leads here. Browsers keep the cookie to themselves then, and send it when the page loads itself again.
pub(super) fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site.as_bytes() != b"same-origin" && site.as_bytes() != b"none")
}

/// The header that ends or begins a session.
pub(super) fn session_cookie(worker: &Worker, parts: &Parts, value: &str) -> Option<HeaderValue> {
    let token = worker.shared().http.token()?;
    cookie::set(&cookie::name_of(token), value, speaks_tls(worker, parts))
}
