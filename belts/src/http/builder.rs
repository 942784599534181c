//! What can be set about HTTP when a worker is built.

use super::{HttpMode, InspectionToken, Limits, url::check_url};
use crate::{
    error::{Error, ErrorKind},
    signature::SigningKey,
    worker::WorkerBuilder,
};

impl WorkerBuilder {
    /// How the router answers a delivery that does not ask for a mode itself; see [`HttpMode`] for the default.
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

    /// The modes that a request may ask for; all of them where this is not said. The mode is not signed: whoever can send a
    /// delivery can send it with another. A request for another mode is refused with 403.
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

    /// How many connections and waiting requests there may be, and how long each may take; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.http.limits = limits;
        self
    }

    /// The keys that deliveries are signed with; see [`SigningKey`] for how they are written. The first signs, and each
    /// of them verifies, so that a new key can be put before an old one. With any key set, every delivery must verify.
    ///
    /// A key that cannot be read or is too short makes [`build`](Self::build) fail.
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

    /// The token of those who may look at runs and change them over HTTP, sent as `Authorization: Bearer …`; at least 16
    /// characters. Where there is none, nobody may, unless [`serve`](crate::Worker::serve) makes one on a
    /// [development machine](crate::guide::inspection). It gives no right to deliver.
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

    /// Says that this is a development machine: without a token, whoever is on it may look at runs and change them over HTTP.
    /// `BELTS_INSPECTION=local` does the same. A [token](Self::inspection_token) goes before it.
    ///
    /// A proxy or a forwarder on this machine that leaves no trace of itself makes everybody look local. So
    /// [`build`](Self::build) fails where others are expected: with [signing keys](Self::signing_keys), a public
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

    /// Where the router is reached from outside, for those who deliver: `https://app.example/belts`.
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

    /// Lets the [router](crate::Worker::router) take deliveries without a signing key, and [`serve`](crate::Worker::serve)
    /// listen beyond this machine: whoever reaches it may then start functions. `BELTS_INSECURE=1` does the same.
    ///
    /// Web pages stay out: `Host` must be this machine, an IP address or that of [`url`](Self::url), and `Origin` none other.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.http.insecure = insecure;
        self
    }
}
