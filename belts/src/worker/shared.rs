//! What the clones of a worker, its tasks and its runs share.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

use super::{
    WorkerOptions, driven::Driven, ended::Ended, hook::ErrorHook, session::Session,
    setbacks::Setbacks, shutdown::Shutdown, slots::Slots,
};
use crate::{
    clock::{Clock, Timestamp},
    dispatch::SharedDispatcher,
    error::{Error, ErrorKind, Result},
    live::Host,
    registry::Registry,
    store::SharedStore,
    telemetry::{Propagator, WorkerMetrics},
};

/// What the clones of a worker, its tasks and its runs share.
pub(crate) struct Shared {
    /// What its runs are given.
    pub(crate) host: Arc<Host>,
    pub(crate) store: SharedStore,
    /// Where published events go; straight to the store where `None`.
    pub(crate) dispatcher: Option<SharedDispatcher>,
    /// How long a run is driven within one delivery.
    pub(super) budget: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    /// The limit of events as messages, on whichever road.
    pub(crate) max_body_bytes: usize,
    pub(super) slots: Arc<Slots>,
    pub(super) options: RwLock<WorkerOptions>,
    pub(super) session: Session,
    /// Told when a run may have become due.
    pub(super) due: Notify,
    /// When the earliest run that this worker put to sleep is due, in milliseconds; `i64::MAX` for none.
    pub(super) next_due: AtomicI64,
    /// The same for what the last claim left behind, which may be due already.
    pub(super) left_due: AtomicI64,
    /// How many loops run or are about to, so that published runs may be claimed at once; see [`super::running::Running`].
    pub(super) running: AtomicUsize,
    pub(crate) shutdown: Shutdown,
    /// Where the loops run, and what goes on after those who asked for it have gone.
    pub(super) homes: Mutex<Vec<Handle>>,
    /// The URL of the store, where its connections belong to a runtime.
    pub(super) lifeline: Option<String>,
    pub(super) waiting: Mutex<HashMap<Arc<str>, Vec<oneshot::Sender<Ended>>>>,
    pub(super) driven: Driven,
    #[cfg(feature = "http")]
    pub(super) last_purge: super::last_purge::LastPurge,
    pub(super) setbacks: Setbacks,
    /// Whether a run under suspicion of ending the process is driven.
    pub(super) suspects: AtomicBool,
    /// How often in a row processes may die with a run in hand before the run fails.
    pub(super) max_crashes: u32,
    pub(super) targets: Mutex<HashMap<Arc<str>, Arc<str>>>,
    pub(super) on_error: Option<ErrorHook>,
    pub(super) propagator: Option<Arc<dyn Propagator>>,
    pub(crate) metrics: WorkerMetrics,
    pub(super) warned: Mutex<HashSet<Arc<str>>>,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::HttpOptions,
}

impl Shared {
    pub(crate) fn options(&self) -> WorkerOptions {
        self.options
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The runtime of a loop, or else the one that this is called on, if any.
    pub(crate) fn home(&self) -> Option<Handle> {
        let home = self.homes().last().cloned();
        home.or_else(|| Handle::try_current().ok())
    }

    pub(super) fn homes(&self) -> MutexGuard<'_, Vec<Handle>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a task on it. Without any runtime the process is at its end.
    pub(crate) fn spawn_at_home(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(home) = self.home() {
            home.spawn(task);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Whether the shutdown has begun and is not over: nothing more is claimed.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_draining() && !self.shutdown.is_over()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.has_loop() && !self.is_draining()
    }

    /// The output, unless it exceeds the limit.
    pub(crate) fn check_size(&self, bytes: Arc<[u8]>, what: &str) -> Result<Arc<[u8]>> {
        let (size, limit) = (bytes.len(), self.host.max_value_bytes);
        if size <= limit {
            return Ok(bytes);
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the {what} has {size} bytes, over the limit of {limit}; raise `max_value_bytes` or return less"
            ),
        ))
    }

    /// Has the loop look at the store when a run is due that this worker put to sleep.
    pub(crate) fn expect_due(&self, due_at: Timestamp) {
        let earlier = self
            .next_due
            .fetch_min(due_at.as_millis(), Ordering::AcqRel);
        if due_at.as_millis() < earlier {
            self.due.notify_one();
        }
    }

    pub(crate) fn set_target(&self, run_id: &Arc<str>, step: Arc<str>) {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(Arc::clone(run_id), step);
    }

    pub(crate) fn clear_target(&self, run_id: &str) {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run_id);
    }

    pub(crate) fn target_of(&self, run_id: &str) -> Option<Arc<str>> {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(run_id)
            .cloned()
    }

    pub(super) fn has_loop(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
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
