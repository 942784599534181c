//! Tells the operator about unauthorized requests.

use std::net::SocketAddr;

use axum::{extract::ConnectInfo, http::request::Parts};

use super::refusal::Refusal;
use crate::{plain::Clean, telemetry::Door, worker::Shared};

/// The most characters of a path in the log.
const LONGEST_PATH: usize = 200;

/// Counts the refusal, and logs a warning unless there just was one.
pub(super) fn tell(shared: &Shared, door: Door, parts: &Parts, refusal: &Refusal) {
    let (status, now) = (refusal.status().as_u16(), shared.clock.now());
    let Some(unsaid) = shared.metrics.refusals.count(door, status, now) else {
        return;
    };
    let path = parts.uri.path();
    // The id of a callback is a credential.
    let path = path
        .split_once("/callbacks/")
        .map_or(path, |(mount, _)| mount);
    let path: String = path.chars().take(LONGEST_PATH).collect();
    tracing::warn!(
        door = door.as_str(), status, peer = peer(parts).map(tracing::field::display),
        method = %parts.method, path = %Clean(path), reason = %Clean(refusal.reason()), unsaid,
        "refused a request; `unsaid` more since the last such line"
    );
}

/// The client's address, if the server provides it. Behind a proxy it is the proxy's.
pub(super) fn peer(parts: &Parts) -> Option<SocketAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|ConnectInfo(peer)| *peer)
}
