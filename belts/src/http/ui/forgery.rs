//! Whether a change was asked for by a page of ours, and not by another site through its visitor's browser.

use axum::http::{HeaderMap, Uri, header, request::Parts, uri::Authority};

use super::super::{HttpOptions, access};

/// Whether the browser says that a page of this origin asks. One that says nothing at all is believed in nothing.
pub(super) fn is_own(http: &HttpOptions, parts: &Parts) -> bool {
    let mut sites = parts.headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site.as_bytes() == b"same-origin");
    }
    let mut origins = origins(&parts.headers).peekable();
    let is_own =
        |origin: Option<Authority>| origin.is_some_and(|origin| is_ours(http, parts, &origin));
    origins.peek().is_some() && origins.all(is_own)
}

fn is_ours(http: &HttpOptions, parts: &Parts, origin: &Authority) -> bool {
    let is_it = |host: Authority| host == *origin;
    // A proxy may put its own in place of the host that was asked. No page can have a browser send this header.
    let forwarded = parts.headers.get_all("x-forwarded-host").iter();
    let mut forwarded = forwarded.filter_map(|host| host.to_str().ok()?.parse().ok());
    access::hosts(parts).flatten().any(is_it)
        || forwarded.any(is_it)
        || http
            .url_host()
            .is_some_and(|own| own.eq_ignore_ascii_case(origin.host()))
}

/// The origins that a request names; `None` for those that are none, such as `null`.
fn origins(headers: &HeaderMap) -> impl Iterator<Item = Option<Authority>> {
    headers.get_all(header::ORIGIN).iter().map(|origin| {
        let origin: Uri = origin.to_str().ok()?.parse().ok()?;
        origin.scheme()?;
        origin.authority().cloned()
    })
}
