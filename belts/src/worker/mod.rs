//! The worker: claims due runs, drives each as a task of its own, and publishes.
//!
//! This is the only place that joins [`run`](crate::run), the store, the dispatcher and the clock.

mod backlog;
mod builder;
mod claim;
mod drive;
mod driven;
mod execute;
mod fits;
mod hook;
mod inspect;
mod ledger;
mod listen;
pub(crate) mod live;
mod options;
mod pulse;
mod purge;
#[cfg(feature = "http")]
mod push;
mod receive;
mod refused;
mod running;
mod send;
mod session;
mod setbacks;
mod shutdown;
mod slots;
mod start;
mod suspects;
mod take_on;
mod wait;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

#[cfg(test)]
mod tests;

pub use builder::WorkerBuilder;
pub(crate) use drive::Ended;
pub use execute::{Execute, Executed, FinishedRun};
use hook::ErrorHook;
pub use hook::RunFailure;
pub use options::WorkerOptions;
#[cfg(feature = "http")]
pub(crate) use push::Asked;
use session::Session;
use slots::Slots;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};
#[cfg(feature = "http")]
pub(crate) use wait::Started;

use crate::{
    clock::{Clock, Timestamp},
    dispatch::SharedDispatcher,
    error::{Error, ErrorKind, Result},
    event::EventSet,
    guard,
    middleware::Layers,
    publish,
    registry::Registry,
    state::States,
    store::SharedStore,
    telemetry::{Propagator, WorkerMetrics},
};

/// Drives runs, publishes events and answers HTTP. Cheap to clone; every clone is the same worker.
///
/// ```rust,standalone_crate
/// use belts::{Event, step, store::Memory};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "welcome", on = Signup)]
/// async fn welcome(signup: Signup) -> belts::Result<usize> {
///     step!("count", signup.email.len()).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let worker = belts::Worker::builder().store(Memory::new()).build().await?;
/// let executed = worker.execute(Signup { email: "ada@example.com".into() }).await?;
/// assert_eq!(executed.output::<usize>("welcome")?, 15);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

/// What the clones of a worker, its tasks and its runs share.
pub(crate) struct Shared {
    pub(crate) store: SharedStore,
    /// Where published events go; straight to the store where `None`.
    pub(crate) dispatcher: Option<SharedDispatcher>,
    /// How long a run is driven within one delivery.
    budget: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    /// What the application gave for its functions.
    pub(crate) states: States,
    pub(crate) max_value_bytes: usize,
    /// The limit of events as messages, on whichever road.
    pub(crate) max_body_bytes: usize,
    pub(crate) max_steps: u32,
    random: Option<fn() -> f64>,
    slots: Arc<Slots>,
    options: RwLock<WorkerOptions>,
    session: Session,
    /// Told when a run may have become due.
    due: Notify,
    /// When the earliest run that this worker put to sleep is due, in milliseconds; `i64::MAX` for none.
    next_due: AtomicI64,
    /// The same for what the last claim left behind, which may be due already.
    left_due: AtomicI64,
    /// How many loops run or are about to, so that published runs may be claimed at once; see [`running::Running`].
    running: AtomicUsize,
    pub(crate) shutdown: shutdown::Shutdown,
    /// Where the loop runs, and what goes on after those who asked for it have gone.
    home: Mutex<Option<Handle>>,
    /// The URL of the store, where its connections belong to a runtime.
    lifeline: Option<String>,
    waiting: Mutex<HashMap<Arc<str>, Vec<oneshot::Sender<Ended>>>>,
    driven: driven::Driven,
    #[cfg(feature = "http")]
    last_purge: purge::LastPurge,
    setbacks: setbacks::Setbacks,
    suspects: suspects::Suspects,
    /// How often in a row processes may die with a run in hand before the run fails.
    max_crashes: u32,
    targets: Mutex<HashMap<Arc<str>, Arc<str>>>,
    on_error: Option<ErrorHook>,
    pub(crate) middleware: Layers,
    propagator: Option<Arc<dyn Propagator>>,
    pub(crate) metrics: WorkerMetrics,
    warned: Mutex<std::collections::HashSet<Arc<str>>>,
    /// Asked before a step is evaluated, by tests.
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<Arc<crate::testing::Probe>>,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::HttpOptions,
}

impl Worker {
    /// Begins to build a worker.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::default()
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Makes this the worker that `publish_*` helpers use, in place of any before.
    pub fn install(&self) {
        publish::install(self);
    }

    /// Has whatever the future publishes or calls go through this worker, in place of the [installed](Self::install) one:
    /// workers side by side, as those of parallel tests, do not get in each other's way.
    ///
    /// It reaches as far as the task of the future; what that spawns has to be put into a scope of its own. The functions of a
    /// worker publish through it in any case.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Worker, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> { step!("count", signup.email.len()).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let length = worker.scope(async { welcome(Signup { email: "ada@example.com".into() }).await }).await?;
    /// assert_eq!(length, 15);
    /// # Ok(()) }
    /// ```
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        publish::scope(self.clone(), future).await
    }

    /// The store.
    pub fn store(&self) -> &SharedStore {
        &self.shared.store
    }

    /// The dispatcher, if published events do not go straight to the store.
    pub fn dispatcher(&self) -> Option<&SharedDispatcher> {
        self.shared.dispatcher.as_ref()
    }

    /// The ids of the functions, sorted.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.shared
            .registry
            .functions()
            .iter()
            .map(|function| &*function.id)
    }

    /// A copy of the settings in force.
    pub fn options(&self) -> WorkerOptions {
        self.shared.options()
    }

    /// Changes settings while the worker runs. Runs above a lowered `concurrency` go on to their end.
    ///
    /// ```rust,standalone_crate
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
    /// worker.configure(|options| options.concurrency = 10);
    /// assert_eq!(worker.options().concurrency, 10);
    /// # Ok(()) }
    /// ```
    pub fn configure(&self, change: impl FnOnce(&mut WorkerOptions)) {
        let mut options = self
            .shared
            .options
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut options);
        self.shared.slots.set_limit(options.concurrency.max(1));
        drop(options);
        self.shared.due.notify_one();
    }

    /// Delivers an event in process and waits until every function that it starts has ended.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, step};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Ping { n: u32 }
    /// # #[belts::function(id = "double", on = Ping)]
    /// # async fn double(ping: Ping) -> belts::Result<u32> { step!("double", ping.n * 2).await }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
    /// let executed = worker.execute(Ping { n: 4 }).function("double").run_id("test-123").await?;
    /// assert_eq!(executed.runs[0].run_id, "test-123");
    /// assert_eq!(executed.output::<u32>("double")?, 8);
    /// # Ok(()) }
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is given away, as by the `publish_*` helpers"
    )]
    pub fn execute<E: EventSet>(&self, event: E) -> Execute {
        let event = publish::checked(&event).and_then(|event| {
            self.shared.check_event_size(&event)?;
            Ok(event)
        });
        Execute::new(self.clone(), event)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("store", &self.shared.store)
            .field("functions", &self.functions().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn options(&self) -> WorkerOptions {
        self.options
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The runtime of the loop, or else the one that this is called on, if any.
    pub(crate) fn home(&self) -> Option<Handle> {
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        home.clone().or_else(|| Handle::try_current().ok())
    }

    fn set_home(&self, home: Option<Handle>) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = home;
    }

    /// Begins a task on it. Without any runtime the process is at its end.
    pub(crate) fn spawn_at_home(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(home) = self.home() {
            home.spawn(task);
        }
    }

    /// A number in 0..1 for the jitter of retries.
    pub(crate) fn random(&self) -> f64 {
        let Some(random) = self.random else {
            return fastrand::f64();
        };
        let given = guard::quiet(random).filter(|given| given.is_finite());
        given.map_or_else(fastrand::f64, |given| given.clamp(0.0, 1.0))
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
        let (size, limit) = (bytes.len(), self.max_value_bytes);
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

    fn has_loop(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// Says that a loop is about to run, so that deliveries meanwhile need not wait for their runs; hand it to
    /// [`Worker::run_expected`].
    #[cfg(feature = "http")]
    pub(crate) fn expect_loop(self: &Arc<Self>) -> running::Running {
        running::Running::begin(self)
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
