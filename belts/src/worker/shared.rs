//! What the clones of a worker, its tasks and its runs share.

use std::{fmt, sync::Arc};

use super::{
    WorkerOptions, driven::Driven, due::Due, looks::Clockwork, loops::Loops, session::Session,
    setbacks::Setbacks, settings::Settings, shutdown::Shutdown, slots::Slots, waiters::Waiters,
    warned::Warned,
};
use crate::{
    clock::Clock, dispatch::SharedDispatcher, live::Host, registry::Registry, store::SharedStore,
    telemetry::WorkerMetrics,
};

/// What the clones of a worker, its tasks and its runs share.
pub(crate) struct Shared {
    /// What its runs are given.
    pub(crate) host: Arc<Host>,
    pub(crate) store: SharedStore,
    /// Where published events go; straight to the store where `None`.
    pub(crate) dispatcher: Option<SharedDispatcher>,
    /// The store, if it is an encrypted one; messages are sealed with its keys.
    #[cfg(feature = "encryption")]
    pub(crate) encrypted: Option<crate::store::Encrypted>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::HttpOptions,
    pub(super) session: Session,
    pub(super) slots: Arc<Slots>,
    pub(super) driven: Driven,
    pub(crate) due: Due,
    pub(crate) clockwork: Clockwork,
    pub(super) waiters: Waiters,
    pub(super) setbacks: Setbacks,
    pub(super) warned: Warned,
    pub(super) loops: Loops,
    pub(crate) shutdown: Shutdown,
    #[cfg(feature = "http")]
    pub(super) chores: super::chores::Chores,
    pub(crate) metrics: WorkerMetrics,
}

impl Shared {
    pub(crate) fn options(&self) -> WorkerOptions {
        self.settings.options()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Whether the shutdown has begun and is not over: nothing more is claimed.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_draining() && !self.shutdown.is_over()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.loops.is_any() && !self.is_draining()
    }

    /// Returns when the shutdown has begun.
    #[cfg(feature = "http")]
    pub(crate) async fn shutdown_begun(&self) {
        self.shutdown.begun().await;
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
