//! Requests to the service: authorized, tried again where that can help, and never for ever.

use std::{fmt, time::Duration};

use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect::Policy,
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
    http: reqwest::Client,
    base: String,
    place: Place,
    authorization: HeaderValue,
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
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(base: String, place: Place, token: &str, timeouts: Timeouts) -> Result<Self> {
        crate::tls::ready();
        let http = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            // The token goes nowhere else.
            .redirect(Policy::none())
            .user_agent(concat!("belts/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error::config("cannot have a client").with_source(error))?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| error::config("has a token that no header can carry"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            http,
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

    /// Posts until there is an answer of success. To post twice is safe, since each message has an id.
    pub(super) async fn post(
        &self,
        url: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer> {
        let url = Url::parse(url)
            .map_err(|error| error::config("has no right URL").with_source(error))?;
        headers.insert(AUTHORIZATION, self.authorization.clone());
        let mut tries = 0;
        loop {
            tries += 1;
            match self.post_once(&url, &headers, &body).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) if answer.may_pass() && tries < TRIES => {}
                Ok(answer) => return Err(self.place.refused(&answer)),
                Err(error) if may_pass(&error) && tries < TRIES => {}
                Err(error) => return Err(self.place.unreachable(error)),
            }
            tracing::debug!(tries, "cannot publish to QStash; trying again");
            pause(tries).await;
        }
    }

    async fn post_once(
        &self,
        url: &Url,
        headers: &HeaderMap,
        body: &[u8],
    ) -> reqwest::Result<Answer> {
        let request = self.http.post(url.clone()).headers(headers.clone());
        let mut response = request.body(body.to_vec()).send().await?;
        let mut answer = Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await? {
            if answer.body.len() + chunk.len() > LONGEST_ANSWER {
                break;
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

impl Answer {
    /// Whether the same request may do better in a moment. One that was too many, or wrong, does not.
    fn may_pass(&self) -> bool {
        matches!(self.status.as_u16(), 500 | 502 | 503 | 504)
    }
}

/// Whether the service was not heard, and not because it took its time.
fn may_pass(error: &reqwest::Error) -> bool {
    !error.is_builder() && (error.is_connect() || !error.is_timeout())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the network is waited for in real time, whatever clock the worker has"
)]
async fn pause(tries: u32) {
    tokio::time::sleep(PAUSE.ceiling(tries).mul_f64(0.5 + fastrand::f64() / 2.0)).await;
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}
