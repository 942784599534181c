//! Posts by HTTP: with TLS or without, and never for ever.
//!
//! By hyper and not by reqwest, whose TLS without aws-lc makes `reqwest::Client::new()` panic elsewhere in the program.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind, Result};

/// The most bytes of an answer that are read where nothing else is said.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// A client, with its connections.
#[derive(Debug)]
pub(crate) struct Poster {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// How long a request may take with its answer.
    timeout: Duration,
    /// The most bytes of an answer that are read.
    longest: usize,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) request: Duration,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    Connecting(Source),
    TooSlow(Source),
    Broken(Source),
    /// It answered with more than is read.
    TooLong(Source),
}

type Source = Box<dyn StdError + Send + Sync>;

impl Poster {
    /// A client, which can speak TLS if it has to.
    ///
    /// # Errors
    /// The system has no certificates that it trusts.
    pub(crate) fn new(timeouts: Timeouts, tls: bool) -> Result<Self> {
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector(timeouts.connect, tls)?),
            timeout: timeouts.request,
            longest: LONGEST_ANSWER,
        })
    }

    /// Reads answers of so many bytes.
    #[cfg(feature = "cli")]
    pub(crate) fn longest(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Posts once, and reads the whole answer.
    #[cfg(feature = "qstash")]
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, Failed> {
        self.send(Method::POST, url, headers, body).await
    }

    /// Posts once, and reads no more than the headers where they say enough.
    #[cfg(feature = "http-dispatch")]
    pub(crate) async fn post_until(
        &self,
        url: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
        enough: impl Fn(&HeaderMap) -> bool + Send,
    ) -> Result<Answer, Failed> {
        self.ask(Method::POST, url, headers, body, enough).await
    }

    /// Asks once, and reads the whole answer.
    #[cfg(any(feature = "qstash", feature = "cli"))]
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, Failed> {
        self.ask(method, url, headers, body, |_| false).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
        enough: impl Fn(&HeaderMap) -> bool + Send,
    ) -> Result<Answer, Failed> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers.clone();
        let agent = concat!("belts/", env!("CARGO_PKG_VERSION"));
        let agent = HeaderValue::from_static(agent);
        request.headers_mut().insert(USER_AGENT, agent);
        let answered = tokio::time::timeout(self.timeout, self.exchange(request, enough));
        answered
            .await
            .unwrap_or_else(|elapsed| Err(Failed::TooSlow(elapsed.into())))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        enough: impl Fn(&HeaderMap) -> bool + Send,
    ) -> Result<Answer, Failed> {
        let response = self.http.request(request).await.map_err(Failed::of)?;
        let (parts, body) = response.into_parts();
        let body = if enough(&parts.headers) {
            Bytes::new()
        } else {
            let body = Limited::new(body, self.longest).collect().await;
            body.map_err(Failed::of_body)?.to_bytes()
        };
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

/// Connects with the system's roots, and the same cryptography as sqlx and redis have here.
fn connector(timeout: Duration, tls: bool) -> Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(timeout));
    let provider = rustls::crypto::ring::default_provider();
    let https = if tls {
        HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| untrusting().with_source(error))?
    } else {
        // A small image without certificates can still speak to its neighbours.
        let trusting_nobody = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| untrusting().with_source(error))?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(trusting_nobody)
    };
    Ok(https.https_or_http().enable_http1().wrap_connector(http))
}

fn untrusting() -> Error {
    Error::new(
        ErrorKind::Config,
        "there are no certificates that this system trusts: install its `ca-certificates`",
    )
}

impl Failed {
    fn of(error: legacy::Error) -> Self {
        if error.is_connect() {
            Self::Connecting(error.into())
        } else {
            Self::Broken(error.into())
        }
    }

    fn of_body(error: Source) -> Self {
        if error.is::<LengthLimitError>() {
            Self::TooLong(error)
        } else {
            Self::Broken(error)
        }
    }

    pub(crate) fn into_source(self) -> Source {
        match self {
            Self::Connecting(source)
            | Self::TooSlow(source)
            | Self::Broken(source)
            | Self::TooLong(source) => source,
        }
    }
}
