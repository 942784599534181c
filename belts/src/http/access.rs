//! Who may read the description: whoever may deliver or inspect, and this machine. And who may inspect runs.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{header, request::Parts, uri::Authority},
};

use super::signature;
use crate::worker::Worker;

/// What a proxy in front leaves behind: the peer is then the proxy, and says nothing of who asks.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

pub(super) fn may_read(worker: &Worker, parts: &Parts) -> bool {
    let keys = &worker.shared().http.keys;
    is_this_machine(parts)
        || matches!(inspector(worker, parts), Inspector::Token)
        || (!keys.is_empty() && signature::verify(keys, &parts.headers, b"", worker.now()).is_ok())
}

/// Who asks for runs.
pub(super) enum Inspector {
    /// Somebody with the token.
    Token,
    /// This machine, and there is no token.
    ThisMachine,
    /// Somebody without the token that there is.
    WithoutToken,
    /// Somebody elsewhere, and there is no token.
    Nobody,
}

pub(super) fn inspector(worker: &Worker, parts: &Parts) -> Inspector {
    match &worker.shared().http.inspection_token {
        Some(token) if token.is_in(&parts.headers) => Inspector::Token,
        Some(_) => Inspector::WithoutToken,
        None if is_this_machine(parts) => Inspector::ThisMachine,
        None => Inspector::Nobody,
    }
}

/// Whether the request comes from this machine and is meant for it. A name in `Host` that is not this machine's would be
/// a web page that had its own name point here.
fn is_this_machine(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !FORWARDED
            .iter()
            .any(|name| parts.headers.contains_key(*name))
        && match parts.headers.get(header::HOST) {
            Some(host) => host
                .to_str()
                .ok()
                .and_then(|host| host.parse::<Authority>().ok())
                .is_some_and(|host| is_local(host.host())),
            None => parts.uri.host().is_none_or(is_local),
        }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
