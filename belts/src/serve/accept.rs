//! The loop that takes connections, as many as there is room for, and gives each its deadlines.

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tower_service::Service as _;

use super::{
    listener::Door,
    pulse::{Answer, Pulse, Watched},
};
use crate::{Backoff, clock::Timestamp, worker::Shared};

/// How long connections may take to close after the last run has ended, and a request to begin after the shutdown has.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);
/// How long to wait where no connection can be accepted, as the process has too many files open.
const REST: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
/// How long a connection may be silent before its place is given to one that waits.
const SPARED: Duration = Duration::from_secs(1);

/// Accepts connections until the shutdown begins, and returns when all have ended.
pub(super) async fn accept(listener: impl Door, app: Router, shared: Arc<Shared>) {
    let crowd = Crowd::new(&shared);
    let mut connections = JoinSet::new();
    let mut failures = 0;
    let mut draining = pin!(shared.shutdown_begun());
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = &mut draining => break,
            accepted = crowd.next(&listener) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                failures = 0;
                let (app, pulse, shared) = (app.clone(), crowd.add(), Arc::clone(&shared));
                connections.spawn(async move {
                    converse(stream, peer, app, pulse, shared).await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "cannot accept connections; trying again");
                let rested = shared.clock.now().after(REST.ceiling(failures));
                tokio::select! {
                    () = &mut draining => break,
                    () = shared.clock.expire_at(rested) => {}
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Whether an error is that of the connection which was about to be accepted, and not of the process.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// The connections that there are, and the places of all that there may be.
struct Crowd {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    visitors: Mutex<Vec<Weak<Pulse>>>,
}

impl Crowd {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            places: Arc::new(Semaphore::new(shared.http.limits.most_connections())),
            visitors: Mutex::default(),
        }
    }

    /// The next connection, once there is a place for it.
    async fn next<D: Door>(
        &self,
        listener: &D,
    ) -> io::Result<(D::Stream, Option<SocketAddr>, OwnedSemaphorePermit)> {
        let (stream, peer) = listener.next().await?;
        Ok((stream, peer, self.place().await))
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            let again = self.make_room();
            tokio::select! {
                place = Arc::clone(&self.places).acquire_owned() => {
                    return place.expect("nobody closes the semaphore");
                }
                () = self.shared.clock.expire_at(again) => {}
            }
        }
    }

    /// Gives up the connection that has been silent for longest, if that is long enough; when to look again.
    fn make_room(&self) -> Timestamp {
        let now = self.shared.clock.now();
        let visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = visitors
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|pulse| Some((pulse.silent_since()?, pulse)));
        match silent.min_by_key(|(since, _)| *since) {
            Some((since, _)) if now.since(since) < SPARED => since.after(SPARED),
            Some((_, pulse)) => {
                pulse.give_up();
                now.after(SPARED)
            }
            None => now.after(SPARED),
        }
    }

    fn add(&self) -> Arc<Pulse> {
        let pulse = Pulse::new(&self.shared.clock);
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        visitors.retain(|visitor| visitor.strong_count() > 0);
        visitors.push(Arc::downgrade(&pulse));
        pulse
    }
}

/// Answers what comes by one connection, until it ends, takes too long or the worker has shut down.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Option<SocketAddr>,
    app: Router,
    pulse: Arc<Pulse>,
    shared: Arc<Shared>,
) {
    let _ended = pulse.ends();
    let service = service_fn(|request| answer(app.clone(), request, peer, &pulse));
    let watched = Watched {
        stream,
        pulse: Arc::clone(&pulse),
    };
    let connection = http1::Builder::new()
        // The pulse has the deadlines, which tell a slow request from a quiet connection.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(watched), service)
        .with_upgrades();
    let (mut connection, mut stops) = (pin!(connection), pin!(pulse.stops(&shared.http.limits)));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stops.as_mut() => return,
        () = shared.shutdown_begun() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = stops => {}
        () = stays_silent(&pulse, &shared) => {}
    }
}

/// Returns when a connection has had no request for so long that none is on its way; never while it answers one.
async fn stays_silent(pulse: &Pulse, shared: &Shared) {
    let clock = &shared.clock;
    clock.expire_at(clock.now().after(FAREWELL)).await;
    if pulse.silent_since().is_none() {
        // It is the last one.
        pending::<()>().await;
    }
}

async fn answer(
    mut app: Router,
    mut request: Request<Incoming>,
    peer: Option<SocketAddr>,
    pulse: &Arc<Pulse>,
) -> Result<Response<Answer>, Infallible> {
    let begun = pulse.begin();
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    let response = app.call(request.map(Body::new)).await?;
    Ok(response.map(|body| Answer::new(body, begun)))
}
