//! Requests to the service: authorized, retried if that can help, but not forever.

use std::{fmt, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION},
};

use super::error::{self, Place};
use crate::{
    Backoff,
    dispatch::post::{Answer, Failed, Poster, Timeouts},
    error::Result,
};

/// How often a request is sent before it fails.
const TRIES: u32 = 4;
const PAUSE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// A client of one region's service.
pub(super) struct Client {
    http: Poster,
    base: String,
    place: Place,
    authorization: HeaderValue,
}

impl Client {
    pub(super) fn new(base: String, place: Place, token: &str, timeouts: Timeouts) -> Result<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| error::config("has a token that no header can carry"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            http: Poster::new(timeouts, base.starts_with("https:"))?,
            base,
            place,
            authorization,
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Posts until there is a success. Posting twice is safe, since each message has an id.
    pub(super) async fn post(
        &self,
        url: &str,
        mut headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let url: Uri = url
            .parse()
            .map_err(|error| error::config("cannot use its URL").with_source(error))?;
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let body = body.into();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.http.post(&url, &headers, &body).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) if passes(&answer) && tries < TRIES => {}
                Ok(answer) => return Err(self.place.refused(&answer)),
                Err(failed) if may_pass(&failed) && tries < TRIES => {}
                Err(failed) => return Err(self.place.unanswered(failed)),
            }
            tracing::debug!(tries, "cannot publish to QStash; trying again");
            pause(rest(tries)).await;
        }
    }
}

/// Whether the same request may succeed in a moment. One over a limit, or an invalid one, will not.
fn passes(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 500 | 502 | 503 | 504)
}

/// Whether the service did not receive the request; after a timeout there is no retry.
fn may_pass(failed: &Failed) -> bool {
    !matches!(failed, Failed::TooSlow(_))
}

/// How long to pause after this many tries. Half of it is random, so that many publishers do not return together.
fn rest(tries: u32) -> Duration {
    PAUSE.ceiling(tries).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the network is waited for in real time, whatever clock the worker has"
)]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}
