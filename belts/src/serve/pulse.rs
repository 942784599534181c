//! What a connection is at, and until when it may be.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use crate::{
    clock::{Clock, Timestamp},
    http::Limits,
};

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// It has no request.
    Idle,
    /// A request begins, or the first one should.
    Head,
    /// A request is there and is answered.
    Answering,
    /// It is over, or has become one of another protocol, which is no concern of ours.
    Gone,
}

/// The signs of life of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    clock: Arc<dyn Clock>,
    beat: Mutex<Beat>,
    /// Told when others need this connection's place more.
    given_up: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    at: At,
    since: Timestamp,
    /// Since when the other end has taken nothing, where something waits to be sent.
    stuck: Option<Timestamp>,
}

impl Pulse {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Arc<Self> {
        let beat = Beat {
            at: At::Head,
            since: clock.now(),
            stuck: None,
        };
        Arc::new(Self {
            clock: Arc::clone(clock),
            beat: Mutex::new(beat),
            given_up: Notify::new(),
        })
    }

    /// Says that a request is there; it is answered when the returned value is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> OpenRequest {
        self.is_at(At::Answering);
        OpenRequest(Arc::clone(self))
    }

    /// Says that the connection is over when the returned value is dropped, whoever holds its stream by then.
    pub(super) fn ends(self: &Arc<Self>) -> Ends {
        Ends(Arc::clone(self))
    }

    /// Since when it has had no whole request; `None` while it has one.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        let beat = *self.beat();
        matches!(beat.at, At::Idle | At::Head).then_some(beat.since)
    }

    /// Ends the connection, for one that needs its place.
    pub(super) fn give_up(&self) {
        self.given_up.notify_one();
    }

    /// Returns when the connection has taken longer than it may, or was given up.
    pub(super) async fn stops(&self, limits: &Limits) {
        let overdue = async {
            loop {
                let now = self.clock.now();
                // While it answers, it may get stuck or become idle at any time.
                let deadline = self.deadline(limits);
                let look = deadline.unwrap_or_else(|| now.after(limits.idle));
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return;
                }
                // The headers of the next request may be due before this; they were not begun yet.
                self.clock.expire_at(look.min(now.after(limits.head))).await;
            }
        };
        tokio::select! {
            () = overdue => {}
            () = self.is_given_up() => {}
        }
    }

    /// Returns when others need the place of this connection, and no request has come by it in the meantime.
    async fn is_given_up(&self) {
        loop {
            self.given_up.notified().await;
            if self.silent_since().is_some() {
                return;
            }
        }
    }

    fn deadline(&self, limits: &Limits) -> Option<Timestamp> {
        let beat = *self.beat();
        let stuck = beat.stuck.map(|since| since.after(limits.idle));
        let silent = match beat.at {
            At::Idle => Some(beat.since.after(limits.idle)),
            At::Head => Some(beat.since.after(limits.head)),
            At::Answering | At::Gone => None,
        };
        [stuck, silent].into_iter().flatten().min()
    }

    fn is_at(&self, at: At) {
        let now = self.clock.now();
        let mut beat = self.beat();
        if beat.at != At::Gone {
            beat.at = at;
            beat.since = now;
        }
    }

    /// Bytes came: where there was nothing, a request begins.
    fn received(&self) {
        if self.beat().at == At::Idle {
            self.is_at(At::Head);
        }
    }

    fn sent(&self, taken: bool) {
        let now = self.clock.now();
        let mut beat = self.beat();
        if !taken {
            beat.stuck.get_or_insert(now);
            return;
        }
        beat.stuck = None;
        // The body of an answer is gone before its bytes are.
        if beat.at == At::Idle {
            beat.since = now;
        }
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<Pulse>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.is_at(At::Idle);
    }
}

/// A connection that is served.
#[derive(Debug)]
pub(super) struct Ends(Arc<Pulse>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.is_at(At::Gone);
    }
}

/// The body of an answer, with the request that it is the end of.
pub(super) struct Answer {
    body: Body,
    /// It is answered when the body is dropped.
    _request: OpenRequest,
}

impl Answer {
    pub(super) fn new(body: Body, request: OpenRequest) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose signs of life are noted.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pulse.sent(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.pulse.sent(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
