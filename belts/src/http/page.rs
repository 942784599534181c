//! Keeps out web pages: if no key protects the worker, a page must not drive it from its user's browser.
//!
//! A page may let its own name resolve to this machine (DNS rebinding); then `Host` is that name. Or it may send requests across
//! sites; then the browser says so, in `Origin` or `Sec-Fetch-Site`.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header, request::Parts, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    HttpOptions,
    access::{self, Inspector},
    refusal::Refusal,
    refused,
    url::{address, is_local},
};
use crate::{telemetry::Door, worker::Worker};

/// Keeps web pages away from a worker without a key, on every path. The inspection token counts as a key.
pub(super) async fn guard(State(worker): State<Worker>, request: Request, next: Next) -> Response {
    let shared = worker.shared();
    if shared.verifies() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    if !matches!(access::inspector(&worker, &parts), Inspector::Token)
        && let Err(refusal) = check(&shared.http, &parts)
    {
        let door = match parts.uri.path() {
            "" | "/" => Door::Delivery,
            _ => Door::Inspection,
        };
        if door == Door::Delivery {
            shared.metrics.http.refused();
        }
        refused::tell(shared, door, &parts, &refusal);
        return refusal.into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

fn check(http: &HttpOptions, parts: &Parts) -> Result<(), Refusal> {
    let known = |host: &str| is_local(host) || is_own(http, host);
    // A probe uses the machine's address, and learns nothing.
    let is_health = parts.method != Method::POST && parts.uri.path().ends_with("/health");
    for host in access::hosts(parts) {
        // A bare address has no name that could resolve to something else tomorrow.
        let right = |host: &Authority| {
            known(host.host()) || (http.insecure || is_health) && address(host.host()).is_some()
        };
        if !host.as_ref().is_some_and(right) {
            return Err(Refusal::foreign_host());
        }
    }
    let same = |origin: &Authority| access::hosts(parts).any(|host| host.as_ref() == Some(origin));
    let foreign = origins(&parts.headers)
        .any(|origin| !origin.is_some_and(|origin| known(origin.host()) || same(&origin)));
    // A link in a mail leads across sites to the page of a callback, which decides nothing.
    let shows = parts.uri.path().contains("/callbacks/") && parts.method != Method::POST;
    if foreign || is_cross_site(&parts.headers) && !shows {
        return Err(Refusal::foreign_page());
    }
    Ok(())
}

/// Whether a page of another site sends this form.
pub(super) fn is_foreign(http: &HttpOptions, parts: &Parts) -> bool {
    let same = |origin: &Authority| {
        is_own(http, origin.host())
            || access::hosts(parts).any(|host| host.as_ref() == Some(origin))
    };
    let foreign = origins(&parts.headers).any(|origin| !origin.as_ref().is_some_and(same));
    foreign || is_cross_site(&parts.headers)
}

/// The origin of the requesting page; `None` for unreadable ones, such as `null`.
fn origins(headers: &HeaderMap) -> impl Iterator<Item = Option<Authority>> {
    headers.get_all(header::ORIGIN).iter().map(|origin| {
        let origin: Uri = origin.to_str().ok()?.parse().ok()?;
        origin.scheme()?;
        origin.authority().cloned()
    })
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let mut said = headers.get_all("sec-fetch-site").iter();
    said.any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"))
}

/// Whether a host is that of the worker's public URL.
fn is_own(http: &HttpOptions, host: &str) -> bool {
    http.url_host()
        .is_some_and(|own| own.eq_ignore_ascii_case(host))
}
