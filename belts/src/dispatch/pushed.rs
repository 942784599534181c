//! Requests of dispatchers that push: who recognizes one, and how it is answered when no retry can help.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::clock::Timestamp;

/// A request to the router, as it came.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Pushed<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, before anything was read from it.
    pub body: &'a [u8],
    /// Where the router is reached from outside, if [that was said](crate::WorkerBuilder::url).
    pub url: Option<&'a str>,
    /// The worker's time.
    pub now: Timestamp,
}

impl<'a> Pushed<'a> {
    /// A request of this body.
    pub fn new(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Self {
        Self {
            headers,
            body,
            url: None,
            now,
        }
    }

    /// Says where the router is reached from outside.
    #[must_use]
    pub fn with_url(mut self, url: Option<&'a str>) -> Self {
        self.url = url;
        self
    }
}

/// A request that is verified to be a dispatcher's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recognized {
    /// The transport's own id of the message, the same at each arrival.
    pub message_id: Option<String>,
    /// How to say that no retry can help; by the status alone where `None`.
    pub finality: Option<Finality>,
}

impl Recognized {
    /// A verified request.
    pub fn new(message_id: Option<String>) -> Self {
        Self {
            message_id,
            finality: None,
        }
    }

    /// Says how to answer when no retry can help.
    #[must_use]
    pub fn with_finality(mut self, finality: Finality) -> Self {
        self.finality = Some(finality);
        self
    }
}

/// The answer that keeps a transport from trying again.
#[derive(Debug, Clone)]
pub struct Finality {
    /// The status.
    pub status: StatusCode,
    /// A header beside it.
    pub header: (HeaderName, HeaderValue),
}
