//! What is set about HTTP, and what the router remembers between requests.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use tokio::sync::Semaphore;

use super::{
    InspectionToken, Limits, last_look::LastLook, mode::HttpMode, replay::Replays, url::is_local,
};
use crate::{
    dispatch::Dispatcher,
    error::{Error, ErrorKind, Result},
    signature::SigningKey,
};

/// What the router does.
#[derive(Debug)]
pub(crate) struct HttpOptions {
    pub(crate) mode: Option<HttpMode>,
    /// The modes that a request may have; `None` for all.
    pub(crate) modes: Option<Vec<HttpMode>>,
    pub(crate) limits: Limits,
    /// The first one signs, all of them verify.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) inspection_token: Option<InspectionToken>,
    /// Whether this is a development machine, on which local clients may inspect.
    pub(crate) inspection_local: bool,
    /// What `serve` made instead of the token.
    pub(crate) made_token: OnceLock<InspectionToken>,
    pub(crate) url: Option<String>,
    pub(crate) insecure: bool,
    /// The store as shown to people.
    pub(crate) store: String,
    /// The store's file, if a URL names it.
    pub(crate) store_file: Option<PathBuf>,
    /// Whether the functions were picked by hand, so that having none is intended.
    pub(crate) picked: bool,
    pub(crate) health: LastLook,
    pub(crate) replays: Replays,
    #[cfg(feature = "dashboard")]
    pub(crate) ui: super::ui::UiOptions,
    /// The places of requests that wait for runs.
    pub(super) waiting: Arc<Semaphore>,
    /// An invalid setting; it is reported when the worker is built.
    /// Why the worker cannot be built.
    pub(super) wrong: Option<Error>,
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
            health: LastLook::default(),
            replays: Replays::default(),
            #[cfg(feature = "dashboard")]
            ui: super::ui::UiOptions::default(),
            waiting: Arc::new(Semaphore::new(0)),
            wrong: None,
        }
    }
}

impl HttpOptions {
    /// The settings, if all of them are valid.
    pub(crate) fn checked(
        mut self,
        insecure_by_env: impl FnOnce() -> Result<bool>,
    ) -> Result<Self> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        if let Some(modes) = &self.modes
            && (modes.is_empty() || self.mode.is_some_and(|mode| !modes.contains(&mode)))
        {
            return Err(config(
                "`modes` must contain at least one mode, including that of `http_mode`",
            ));
        }
        self.limits.check()?;
        self.insecure = self.insecure || insecure_by_env()?;
        self.waiting = Arc::new(Semaphore::new(self.limits.most_waiting()));
        Ok(self)
    }

    /// Refuses local inspection if others can reach the worker.
    pub(crate) fn check_inspection(&self, dispatcher: Option<&dyn Dispatcher>) -> Result<()> {
        let calls = dispatcher.is_some_and(|dispatcher| !dispatcher.capabilities().pulls);
        if self.inspection_local && (!self.keys.is_empty() || self.is_public() || calls) {
            return Err(config(
                "BELTS_INSPECTION=local (`.inspection_local()`) is for a development machine that nobody else can reach, but \
                 signing keys, a public URL or a dispatcher that calls this worker mean that others can: set \
                 BELTS_INSPECTION_TOKEN (`.inspection_token(…)`) instead",
            ));
        }
        Ok(())
    }

    /// The inspection token.
    pub(crate) fn token(&self) -> Option<&InspectionToken> {
        self.inspection_token
            .as_ref()
            .or_else(|| self.made_token.get())
    }

    /// The host of the worker's public URL.
    pub(crate) fn url_host(&self) -> Option<String> {
        let url: axum::http::Uri = self.url.as_deref()?.parse().ok()?;
        url.host().map(str::to_owned)
    }

    /// Whether the public URL is reachable from other machines.
    pub(crate) fn is_public(&self) -> bool {
        self.url.is_some() && !self.url_host().is_some_and(|host| is_local(&host))
    }
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}
