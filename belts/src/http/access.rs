//! Who may inspect: whoever has the token and, on a development machine that was said to be one, whoever is on it.

use std::net::SocketAddr;

use axum::{
    extract::ConnectInfo,
    http::{HeaderValue, header, request::Parts, uri::Authority},
};

use super::url::is_local;
use crate::worker::Worker;

/// What a proxy in front leaves behind: the peer is then the proxy, and says nothing of who asks.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Who asks for runs.
pub(super) enum Inspector {
    /// Somebody with the token.
    Token,
    /// This machine, there is no token, and somebody said that this is enough.
    ThisMachine,
    /// Somebody without the token that there is.
    WithoutToken,
    /// Somebody, and there is no token.
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

/// Whether the asker may read what runs came to, and the description of the worker.
pub(super) fn may_read(worker: &Worker, parts: &Parts) -> bool {
    matches!(
        inspector(worker, parts),
        Inspector::Token | Inspector::ThisMachine
    )
}

/// Whether the request comes from this machine and is meant for it, as far as that shows: a forwarder that leaves nothing
/// behind looks the same, so this alone is never a right.
fn is_this_machine(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !FORWARDED
            .iter()
            .any(|name| parts.headers.contains_key(*name))
        && hosts(parts).all(|host| host.is_some_and(|host| is_local(host.host())))
}

/// What the request says it is meant for: each `Host`, and what its own address names; `None` for what cannot be read.
pub(super) fn hosts(parts: &Parts) -> impl Iterator<Item = Option<Authority>> {
    let read = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    let headers = parts.headers.get_all(header::HOST).iter().map(read);
    headers.chain(parts.uri.authority().cloned().map(Some))
}
