//! Requests of dispatchers that push: how they are recognized, and how they are answered when no retry can help.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::clock::Timestamp;

/// A request to the router, unmodified.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Pushed<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
    /// The public URL of the router, if [it was set](crate::WorkerBuilder::url).
    pub url: Option<&'a str>,
    /// The worker's time.
    pub now: Timestamp,
}

impl<'a> Pushed<'a> {
    /// A request with this body.
    pub fn new(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Self {
        Self {
            headers,
            body,
            url: None,
            now,
        }
    }

    /// Sets the public URL of the router.
    #[must_use]
    pub fn with_url(mut self, url: Option<&'a str>) -> Self {
        self.url = url;
        self
    }
}

/// A request verified to come from a dispatcher.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recognized {
    /// The transport's own id of the message, the same for each delivery.
    pub message_id: Option<String>,
    /// The response if no retry can help; `None` if the status alone says so.
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

    /// Sets the response for when no retry can help.
    #[must_use]
    pub fn with_finality(mut self, finality: Finality) -> Self {
        self.finality = Some(finality);
        self
    }
}

/// The response that keeps a transport from retrying.
#[derive(Debug, Clone)]
pub struct Finality {
    /// The status.
    pub status: StatusCode,
    /// An additional header.
    pub header: (HeaderName, HeaderValue),
}
