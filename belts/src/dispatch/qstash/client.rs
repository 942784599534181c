//! Requests to the service: authorized, tried again where that can help, and never for ever.

use std::{error::Error as StdError, fmt, time::Duration};

use axum::{
    body::Bytes,
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
        header::{AUTHORIZATION, USER_AGENT},
    },
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::error::{self, Place};
use crate::{Backoff, error::Result};

/// How often a request is made before it has failed.
const TRIES: u32 = 4;
const PAUSE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// The most bytes of an answer that are read.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// A client of one region's service.
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    place: Place,
    authorization: HeaderValue,
    /// How long a request may take with its answer.
    timeout: Duration,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

/// An answer of the service.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    Connecting(Source),
    TooSlow(Source),
    Broken(Source),
}

type Source = Box<dyn StdError + Send + Sync>;

impl Client {
    pub(super) fn new(base: String, place: Place, token: &str, timeouts: Timeouts) -> Result<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| error::config("has a token that no header can carry"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector(timeouts.connect)?),
            base,
            place,
            authorization,
            timeout: timeouts.request,
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Posts until there is an answer of success. To post twice is safe, since each message has an id.
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
        let agent = concat!("belts/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let body = body.into();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.post_once(&url, &headers, &body).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) if answer.may_pass() && tries < TRIES => {}
                Ok(answer) => return Err(self.place.refused(&answer)),
                Err(failed) if failed.may_pass() && tries < TRIES => {}
                Err(failed) => return Err(self.place.unanswered(failed)),
            }
            tracing::debug!(tries, "cannot publish to QStash; trying again");
            pause(rest(tries)).await;
        }
    }

    async fn post_once(
        &self,
        url: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, Failed> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers.clone();
        let answered = tokio::time::timeout(self.timeout, self.exchange(request));
        answered
            .await
            .unwrap_or_else(|elapsed| Err(Failed::TooSlow(elapsed.into())))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failed> {
        let response = self.http.request(request).await.map_err(Failed::of)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.await.map_err(Failed::Broken)?.to_bytes(),
        })
    }
}

/// Connects with TLS or without, with the system's roots, and the same cryptography as sqlx and redis have here.
fn connector(timeout: Duration) -> Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(timeout));
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| {
            error::config(
                "finds no certificates that this system trusts: install its `ca-certificates`",
            )
            .with_source(error)
        })?;
    Ok(https.https_or_http().enable_http1().wrap_connector(http))
}

impl Answer {
    /// Whether the same request may do better in a moment. One that was too many, or wrong, does not.
    fn may_pass(&self) -> bool {
        matches!(self.status.as_u16(), 500 | 502 | 503 | 504)
    }
}

impl Failed {
    fn of(error: legacy::Error) -> Self {
        if error.is_connect() {
            Self::Connecting(error.into())
        } else {
            Self::Broken(error.into())
        }
    }

    /// Whether the service was not heard; one that took its time is not asked again.
    fn may_pass(&self) -> bool {
        !matches!(self, Self::TooSlow(_))
    }

    pub(super) fn into_source(self) -> Source {
        let (Self::Connecting(source) | Self::TooSlow(source) | Self::Broken(source)) = self;
        source
    }
}

/// How long to rest after so many tries. Half of it is chance, so that many publishers do not come back together.
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
