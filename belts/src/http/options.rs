//! What can be set about HTTP when a worker is built.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use tokio::sync::Semaphore;

use super::{
    HttpMode, InspectionToken, Limits, SigningKey, access, health::Health, replay::Replays,
};
use crate::{
    dispatch::Dispatcher,
    error::{Error, ErrorKind, Result},
    worker::WorkerBuilder,
};

/// What the router does.
#[derive(Debug)]
pub(crate) struct HttpOptions {
    pub(crate) mode: Option<HttpMode>,
    /// The modes that a request may have; all of them where `None`.
    pub(crate) modes: Option<Vec<HttpMode>>,
    pub(crate) limits: Limits,
    /// The first signs, all verify.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) inspection_token: Option<InspectionToken>,
    /// Whether this is a development machine, on which whoever is there may inspect.
    pub(crate) inspection_local: bool,
    /// What `serve` made in place of the token.
    pub(crate) made_token: OnceLock<InspectionToken>,
    pub(crate) url: Option<String>,
    pub(crate) insecure: bool,
    /// The store as a person wants to read it.
    pub(crate) store: String,
    /// The store's file, where a URL names it.
    pub(crate) store_file: Option<PathBuf>,
    /// Whether the functions were picked by hand, so that none at all is meant.
    pub(crate) picked: bool,
    pub(crate) health: Health,
    pub(crate) replays: Replays,
    /// The places of requests that wait for runs.
    pub(super) waiting: Arc<Semaphore>,
    /// What was wrong with a setting; it comes out when the worker is built.
    wrong: Option<Error>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            mode: None,
            modes: None,
            limits: Limits::new(),
            keys: Vec::new(),
            inspection_token: None,
            inspection_local: false,
            made_token: OnceLock::new(),
            url: None,
            insecure: false,
            store: String::new(),
            store_file: None,
            picked: false,
            health: Health::default(),
            replays: Replays::default(),
            waiting: Arc::new(Semaphore::new(0)),
            wrong: None,
        }
    }
}

impl HttpOptions {
    /// The settings, if all of them are right.
    pub(crate) fn checked(mut self) -> Result<Self> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        if let Some(modes) = &self.modes
            && (modes.is_empty() || self.mode.is_some_and(|mode| !modes.contains(&mode)))
        {
            return Err(config(
                "`modes` must have at least one mode, and that of `http_mode` among them",
            ));
        }
        self.limits.check()?;
        self.insecure = self.insecure || crate::config::insecure_by_env()?;
        self.waiting = Arc::new(Semaphore::new(self.limits.most_waiting()));
        Ok(self)
    }

    /// Refuses to let whoever is on this machine inspect where others have a way to it.
    pub(crate) fn check_inspection(&self, dispatcher: Option<&dyn Dispatcher>) -> Result<()> {
        let calls = dispatcher.is_some_and(|dispatcher| !dispatcher.capabilities().pulls);
        if self.inspection_local && (!self.keys.is_empty() || self.is_public() || calls) {
            return Err(config(
                "BELTS_INSPECTION=local (`.inspection_local()`) is for a development machine that nobody else reaches, and \
                 signing keys, a public URL or a dispatcher that calls this worker say that others do: set \
                 BELTS_INSPECTION_TOKEN (`.inspection_token(…)`) in its place",
            ));
        }
        Ok(())
    }

    /// The token of those who may inspect.
    pub(crate) fn token(&self) -> Option<&InspectionToken> {
        self.inspection_token
            .as_ref()
            .or_else(|| self.made_token.get())
    }

    /// The host of the URL at which this worker is reached.
    pub(crate) fn url_host(&self) -> Option<String> {
        let url: axum::http::Uri = self.url.as_deref()?.parse().ok()?;
        url.host().map(str::to_owned)
    }

    /// Whether others than this machine reach this worker, as its URL says.
    pub(crate) fn is_public(&self) -> bool {
        self.url.is_some() && !self.url_host().is_some_and(|host| access::is_local(&host))
    }
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
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
        match crate::config::check_url(&url) {
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
