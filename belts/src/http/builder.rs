//! The HTTP settings of a worker.

use super::{HttpMode, InspectionToken, Limits, url::check_url};
use crate::{
    error::{Error, ErrorKind},
    signature::SigningKey,
    worker::WorkerBuilder,
};

impl WorkerBuilder {
    /// How the router answers a delivery that does not select a mode; see [`HttpMode`] for the default.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// use belts::http::HttpMode;
    /// let worker = belts::Worker::builder()
    ///     .store_url("memory:")
    ///     .publish_only()
    ///     .http_mode(HttpMode::Sync)
    ///     .build()
    ///     .await?;
    /// let app: axum::Router = axum::Router::new().nest("/belts", worker.router());
    /// # drop(app);
    /// # Ok(()) }
    /// ```
    pub fn http_mode(mut self, mode: HttpMode) -> Self {
        self.http.mode = Some(mode);
        self
    }

    /// The modes that a request may select; by default all. The mode is not signed: whoever can send a
    /// delivery can send it with another mode. A request for a mode that is not allowed gets 403.
    ///
    /// A list without the mode of [`http_mode`](Self::http_mode) makes [`build`](Self::build) fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// use belts::http::HttpMode;
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only();
    /// let worker = builder.modes([HttpMode::Accept]).build().await?;
    /// # drop(worker);
    /// # Ok(()) }
    /// ```
    pub fn modes(mut self, modes: impl IntoIterator<Item = HttpMode>) -> Self {
        self.http.modes = Some(modes.into_iter().collect());
        self
    }

    /// How many connections and waiting requests are allowed, and how long each may take; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.http.limits = limits;
        self
    }

    /// The keys that deliveries are signed with; see [`SigningKey`] for their format. The first one signs, and each
    /// of them verifies, so a new key can be added before an old one. If any key is set, every delivery must verify.
    ///
    /// A key that is invalid or too short makes [`build`](Self::build) fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only();
    /// let error = builder.signing_keys(["whsec_c2hvcnQ="]).build().await.unwrap_err();
    /// assert_eq!(error.to_string(), "signing key 1 has 5 bytes, and needs at least 24");
    /// # Ok(()) }
    /// ```
    pub fn signing_keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        match SigningKey::read_all(keys) {
            Ok(keys) => self.http.keys = keys,
            Err(error) => self.http.wrong = Some(error),
        }
        self
    }

    /// The token for inspecting and changing runs over HTTP, sent as `Authorization: Bearer …`; at least 16
    /// characters. Without one there is no access, unless [`serve`](crate::Worker::serve) makes one on a
    /// [development machine](crate::guide::inspection). It does not allow deliveries.
    ///
    /// A token that is too short makes [`build`](Self::build) fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only();
    /// let error = builder.inspection_token("hunter2").build().await.unwrap_err();
    /// assert!(error.to_string().starts_with("the inspection token has 7 characters, and needs at least 16"));
    /// # Ok(()) }
    /// ```
    pub fn inspection_token(mut self, token: impl AsRef<str>) -> Self {
        match InspectionToken::new(token.as_ref()) {
            Ok(token) => self.http.inspection_token = Some(token),
            Err(wrong) => {
                let text = format!("the inspection token {wrong}");
                self.http.wrong = Some(Error::new(ErrorKind::Config, text));
            }
        }
        self
    }

    /// Declares a development machine: without a token, local clients may inspect and change runs over HTTP.
    /// `BELTS_INSPECTION=local` does the same. A [token](Self::inspection_token) takes precedence.
    ///
    /// A proxy or a forwarder on this machine that leaves no trace makes everybody look local. So
    /// [`build`](Self::build) fails if others are expected: with [signing keys](Self::signing_keys), a public
    /// [`url`](Self::url), or a dispatcher that calls this worker. And `serve` then listens on loopback only.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let builder = belts::Worker::builder().store_url("memory:").publish_only().inspection_local();
    /// let error = builder.url("https://app.example/belts").build().await.unwrap_err();
    /// assert!(error.to_string().contains("BELTS_INSPECTION_TOKEN"));
    /// # Ok(()) }
    /// ```
    pub fn inspection_local(mut self) -> Self {
        self.http.inspection_local = true;
        self
    }

    /// The public URL of the router, for those who deliver: `https://app.example/belts`.
    ///
    /// A URL that is not `http` or `https` makes [`build`](Self::build) fail.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        match check_url(&url) {
            Ok(()) => self.http.url = Some(url),
            Err(expected) => {
                self.http.wrong = Some(Error::new(ErrorKind::Config, format!("`url` {expected}")));
            }
        }
        self
    }

    /// Lets the [router](crate::Worker::router) accept deliveries without a signing key, and [`serve`](crate::Worker::serve)
    /// listen beyond this machine: anyone who reaches it may then start functions. `BELTS_INSECURE=1` does the same.
    ///
    /// Web pages stay out: `Host` must be this machine, an IP address or the host of [`url`](Self::url), and `Origin` the same.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.http.insecure = insecure;
        self
    }
}
