//! Setting up an HTTP dispatcher.

use std::{fmt, time::Duration};

use axum::http::{Uri, uri::Scheme};

use super::Http;
use crate::{
    Backoff,
    dispatch::post::{Poster, Timeouts},
    error::{Error, ErrorKind, Result},
    http::url::check_url,
    signature::SigningKey,
};

/// Sets up an [`Http`] dispatcher.
#[must_use = "a dispatcher is made by `build`"]
pub struct HttpBuilder {
    url: String,
    keys: Result<Vec<SigningKey>>,
    timeout: Duration,
    retries: u32,
    backoff: Backoff,
    patience: Duration,
}

impl Http {
    /// Begins to set up a dispatcher that posts to this URL.
    pub fn builder(url: impl Into<String>) -> HttpBuilder {
        HttpBuilder::new(url.into())
    }
}

impl HttpBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            keys: Ok(Vec::new()),
            timeout: Duration::from_secs(10),
            retries: 5,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(5)),
            patience: Duration::from_secs(60),
        }
    }

    /// The keys, as [`WorkerBuilder::signing_keys`](crate::WorkerBuilder::signing_keys) takes them; the first signs.
    ///
    /// To change a key, give the workers the new one before the old one, then the publishers, then take the old one away.
    pub fn signing_keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.keys = SigningKey::read_all(keys);
        self
    }

    pub(crate) fn read_keys(mut self, keys: Vec<SigningKey>) -> Self {
        self.keys = Ok(keys);
        self
    }

    /// The longest that one request may take; default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request that failed is made again; default 5.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How long to wait before that, where the answer does not say; default up to 200 ms, doubling up to 5 s.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The longest wait that `Retry-After` may ask for; an answer that asks for more makes the publish fail. Default 60 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the dispatcher, without a request.
    ///
    /// # Errors
    /// The URL is not one of a router, a key cannot be read, or a setting is out of range.
    pub fn build(self) -> Result<Http> {
        check_url(&self.url).map_err(|expected| config(format!("`url` {expected}")))?;
        if self.timeout.is_zero() {
            return Err(config("`timeout` must be longer than zero"));
        }
        let url: Uri = self
            .url
            .parse()
            .map_err(|error| config("`url` cannot be read").with_source(error))?;
        let timeouts = Timeouts {
            connect: self.timeout,
            request: self.timeout,
        };
        let client = Poster::new(timeouts, url.scheme() == Some(&Scheme::HTTPS))?;
        Ok(Http {
            url,
            client,
            key: self.keys?.into_iter().next(),
            retries: self.retries,
            backoff: self.backoff,
            patience: self.patience,
        })
    }
}

fn config(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl fmt::Debug for HttpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was not checked yet may hold a password.
        let checked = check_url(&self.url).is_ok();
        f.debug_struct("HttpBuilder")
            .field("url", &checked.then_some(&self.url))
            .finish_non_exhaustive()
    }
}
