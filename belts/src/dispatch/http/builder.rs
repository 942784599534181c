//! The builder of an HTTP dispatcher.

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

/// Builds an [`Http`] dispatcher.
#[must_use = "`build` makes the dispatcher"]
pub struct HttpBuilder {
    url: String,
    keys: Result<Vec<SigningKey>>,
    timeout: Duration,
    retries: u32,
    backoff: Backoff,
    patience: Duration,
}

impl Http {
    /// A builder of a dispatcher that posts to this URL.
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

    /// The keys, in the format of [`WorkerBuilder::signing_keys`](crate::WorkerBuilder::signing_keys); the first one signs.
    ///
    /// To rotate a key, add the new one to the workers, then to the publishers in first place, then remove the old one.
    pub fn signing_keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.keys = SigningKey::read_all(keys);
        self
    }

    pub(crate) fn read_keys(mut self, keys: Vec<SigningKey>) -> Self {
        self.keys = Ok(keys);
        self
    }

    /// The timeout of one request; default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a failed request is retried; default 5.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The wait before a retry, unless the response names one; default up to 200 ms, doubling up to 5 s.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The longest `Retry-After` that is honoured; if a response asks for more, the publish fails. Default 60 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Builds the dispatcher, without sending a request.
    ///
    /// # Errors
    /// The URL is not that of a router, a key is invalid, or a setting is out of range.
    pub fn build(self) -> Result<Http> {
        check_url(&self.url).map_err(|expected| config(format!("`url` {expected}")))?;
        if self.timeout.is_zero() {
            return Err(config("`timeout` must be longer than zero"));
        }
        let url: Uri = self
            .url
            .parse()
            .map_err(|error| config("`url` is invalid").with_source(error))?;
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
        // Unchecked settings may contain a password.
        let checked = check_url(&self.url).is_ok();
        f.debug_struct("HttpBuilder")
            .field("url", &checked.then_some(&self.url))
            .finish_non_exhaustive()
    }
}
