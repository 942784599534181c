//! What can be set about HTTP when a worker is built.

use super::{HttpMode, InspectionToken, SigningKey};
use crate::{
    error::{Error, ErrorKind, Result},
    worker::WorkerBuilder,
};

/// What the router does.
#[derive(Debug)]
pub(crate) struct HttpOptions {
    pub(crate) mode: Option<HttpMode>,
    pub(crate) max_body_bytes: usize,
    /// The first signs, all verify.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) inspection_token: Option<InspectionToken>,
    pub(crate) url: Option<String>,
    pub(crate) insecure: bool,
    /// The store as a person wants to read it.
    pub(crate) store: String,
    /// Whether the functions were picked by hand, so that none at all is meant.
    pub(crate) picked: bool,
    /// What was wrong with a setting; it comes out when the worker is built.
    wrong: Option<Error>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            mode: None,
            max_body_bytes: 1024 * 1024,
            keys: Vec::new(),
            inspection_token: None,
            url: None,
            insecure: false,
            store: String::new(),
            picked: false,
            wrong: None,
        }
    }
}

impl HttpOptions {
    /// The settings, if all of them are right.
    pub(crate) fn checked(mut self) -> Result<Self> {
        match self.wrong.take() {
            Some(error) => Err(error),
            None if self.max_body_bytes == 0 => Err(Error::new(
                ErrorKind::Config,
                "`max_body_bytes` must be at least 1",
            )),
            None => Ok(self),
        }
    }
}

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

    /// The most bytes that the body of a delivery may have, or a message of a [dispatcher](crate::dispatch), sent or received;
    /// default 1 MiB.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.http.max_body_bytes = bytes;
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
    /// let builder = belts::Worker::builder().store_url("memory:");
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
    /// characters. Where there is none, only this machine may. It gives no right to deliver.
    ///
    /// A token that is too short makes [`build`](Self::build) fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let builder = belts::Worker::builder().store_url("memory:");
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

    /// Where the router is reached from outside, for those who deliver: `https://app.example/belts`.
    ///
    /// A URL that is not `http` or `https` makes [`build`](Self::build) fail.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        match crate::config::check_url(&url) {
            Ok(()) => self.http.url = Some(url),
            Err(expected) => {
                self.http.wrong = Some(Error::new(ErrorKind::Config, format!("`url` {expected}")));
            }
        }
        self
    }

    /// Lets [`serve`](crate::Worker::serve) listen beyond this machine without a signing key: whoever reaches it may then
    /// start functions. `BELTS_INSECURE=1` does the same.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.http.insecure = insecure;
        self
    }
}
