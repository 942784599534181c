//! Access to inspection: for clients with the token and, on a declared development machine, for local clients.

use std::net::SocketAddr;

use axum::{
    extract::ConnectInfo,
    http::{HeaderValue, header, request::Parts, uri::Authority},
};

use super::url::is_local;
use crate::worker::Worker;

/// Headers added by proxies: the peer then is the proxy, which says nothing about the client.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// The client of an inspection request.
pub(super) enum Inspector {
    /// A client with the token.
    Token,
    /// A local client; there is no token, and local access was enabled.
    ThisMachine,
    /// A client without the token that is required.
    WithoutToken,
    /// A client, and there is no token.
    Nobody,
}

pub(super) fn inspector(worker: &Worker, parts: &Parts) -> Inspector {
    let http = &worker.shared().http;
    match http.token() {
        Some(token) if token.is_in(&parts.headers) => Inspector::Token,
        Some(_) => Inspector::WithoutToken,
        None if http.inspection_local && is_this_machine(parts) => Inspector::ThisMachine,
        None => Inspector::Nobody,
    }
}

/// Whether the client may read results of runs and the description of the worker.
pub(super) fn may_read(worker: &Worker, parts: &Parts) -> bool {
    matches!(
        inspector(worker, parts),
        Inspector::Token | Inspector::ThisMachine
    )
}

/// Whether the request appears to come from this machine and be meant for it. A forwarder that leaves no
/// trace looks the same, so this alone never grants access.
fn is_this_machine(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !FORWARDED
            .iter()
            .any(|name| parts.headers.contains_key(*name))
        && hosts(parts).all(|host| host.is_some_and(|host| is_local(host.host())))
}

/// The hosts that the request names: each `Host`, and that of its own URI; `None` for unreadable ones.
pub(super) fn hosts(parts: &Parts) -> impl Iterator<Item = Option<Authority>> {
    let read = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    let headers = parts.headers.get_all(header::HOST).iter().map(read);
    headers.chain(parts.uri.authority().cloned().map(Some))
}
