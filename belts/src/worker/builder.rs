//! Building a worker.

use std::{future::Future, sync::Arc, time::Duration};

use super::{
    handle::Worker,
    hook::{ErrorHook, RunFailure},
    options::WorkerOptions,
};
use crate::{
    clock::{Clock, Guarded, SystemClock},
    dispatch::{self, Dispatcher, SharedDispatcher},
    error::Result,
    function::{self, Function, FunctionDef, state::States},
    middleware::{Layers, Middleware},
    store::{SharedStore, Store},
    telemetry::Propagator,
};

/// Sets up a [`Worker`]. Only the store is required.
#[must_use = "a worker is made by `build`"]
pub struct WorkerBuilder {
    pub(super) store: Option<StoreSource>,
    pub(super) dispatcher: Option<DispatcherSource>,
    pub(super) budget: Option<Duration>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) functions: Option<Vec<&'static FunctionDef>>,
    pub(crate) states: States,
    pub(super) name: Option<Arc<str>>,
    pub(super) build: Option<Arc<str>>,
    pub(super) lease: Duration,
    pub(super) options: WorkerOptions,
    pub(super) max_value_bytes: usize,
    pub(super) max_body_bytes: usize,
    pub(super) max_steps: u32,
    pub(super) max_crashes: u32,
    pub(super) random: Option<fn() -> f64>,
    pub(super) on_error: Option<ErrorHook>,
    pub(super) middleware: Layers,
    pub(super) propagator: Option<Arc<dyn Propagator>>,
    #[cfg(feature = "encryption")]
    pub(crate) encryption: super::encryption::Encryption,
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<Arc<crate::testing::Probe>>,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::HttpOptions,
}

pub(super) enum StoreSource {
    Given(SharedStore),
    Url(String),
}

pub(super) enum DispatcherSource {
    Given(SharedDispatcher),
    Url(String),
}

impl DispatcherSource {
    pub(super) async fn open(
        self,
        around: dispatch::url::Surroundings,
    ) -> Result<Option<SharedDispatcher>> {
        match self {
            Self::Given(dispatcher) => Ok(Some(dispatcher)),
            Self::Url(url) => dispatch::url::open(&url, around).await,
        }
    }
}

impl Default for WorkerBuilder {
    fn default() -> Self {
        Self {
            store: None,
            dispatcher: None,
            budget: None,
            clock: Arc::new(SystemClock),
            functions: None,
            states: States::default(),
            name: None,
            build: None,
            lease: Duration::from_secs(30),
            options: WorkerOptions::default(),
            max_value_bytes: 4 * 1024 * 1024,
            max_body_bytes: 1024 * 1024,
            max_steps: 10_000,
            max_crashes: 5,
            random: None,
            on_error: None,
            middleware: Vec::new(),
            propagator: None,
            #[cfg(feature = "encryption")]
            encryption: super::encryption::Encryption::default(),
            #[cfg(feature = "testing")]
            probe: None,
            #[cfg(feature = "http")]
            http: crate::http::HttpOptions::default(),
        }
    }
}

impl Worker {
    /// Begins to build a worker.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::default()
    }
}

impl WorkerBuilder {
    /// Keeps runs in this store.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(StoreSource::Given(Arc::new(store)));
        self
    }

    /// Keeps runs in this store, which others share.
    pub fn shared_store(mut self, store: SharedStore) -> Self {
        self.store = Some(StoreSource::Given(store));
        self
    }

    /// Keeps runs in the store that the URL names: `sqlite://belts.db`, `memory:`.
    pub fn store_url(mut self, url: impl Into<String>) -> Self {
        self.store = Some(StoreSource::Url(url.into()));
        self
    }

    /// Sends published events by this dispatcher, and receives what it brings; without one they go straight to the store.
    ///
    /// A worker that [publishes only](Self::publish_only) needs no store then.
    pub fn dispatcher(mut self, dispatcher: impl Dispatcher) -> Self {
        self.dispatcher = Some(DispatcherSource::Given(Arc::new(dispatcher)));
        self
    }

    /// Sends published events by this dispatcher, which others share.
    pub fn shared_dispatcher(mut self, dispatcher: SharedDispatcher) -> Self {
        self.dispatcher = Some(DispatcherSource::Given(dispatcher));
        self
    }

    /// Sends published events by the dispatcher that this names, as `BELTS_DISPATCHER` does: `store`, `http`,
    /// `redis://host:6379`, `sqs://…`, `qstash`. What else it needs is taken from [`url`](Self::url), from
    /// [`signing_keys`](Self::signing_keys) and from its own variables.
    pub fn dispatcher_url(mut self, url: impl Into<String>) -> Self {
        self.dispatcher = Some(DispatcherSource::Url(url.into()));
        self
    }

    /// The longest that a run is driven within one delivery, where no loop runs: after the step that is under way then, what
    /// is left is handed on as a message of its own. Leave the longest step and a second below the limit of the host.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(Guarded::new(clock));
        self
    }

    /// Adds a function by hand. Once one is added, only added functions count, not every one in the program.
    pub fn function<M>(self, function: impl Function<M>) -> Self {
        self.define(function::of(function))
    }

    pub(crate) fn define(mut self, function: &'static FunctionDef) -> Self {
        self.functions.get_or_insert_default().push(function);
        self
    }

    /// Gives functions a value of the application, such as a connection pool: they take it as a [`State<T>`](crate::State)
    /// beside their event. Of several values of one type the last one counts, so a test can put a fake in place of the real one.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.states.put(state);
        self
    }

    /// Has no functions at all: the worker publishes only.
    pub fn publish_only(mut self) -> Self {
        self.functions = Some(Vec::new());
        self
    }

    /// A name that outlives the process and that no other live worker has: a worker that restarts under its name takes
    /// its own runs back at once.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// How long other workers wait for a sign of life before they take this one's runs over; default 30 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The most runs at once; default 64.
    pub fn concurrency(mut self, runs: usize) -> Self {
        self.options.concurrency = runs;
        self
    }

    /// How often the store is looked at without any message; default 1 s.
    pub fn sweep(mut self, sweep: Duration) -> Self {
        self.options.sweep = sweep;
        self
    }

    /// How long running steps may take after a shutdown began; default 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// How long finished runs are kept; default 30 days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.options.retention = retention;
        self
    }

    /// The most bytes that a step's result or a function's output may have as JSON; default 4 MiB.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// The most bytes that an event may have as a message, by whichever road it is published: from Rust, in the body of a
    /// delivery by HTTP, or as a message of a [dispatcher](crate::dispatch), sent or received; default 1 MiB.
    ///
    /// A bigger one is an error of kind [`TooLarge`](crate::ErrorKind::TooLarge) to whoever publishes it.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// What this build of the program is called, such as a commit: runs keep the one that began them. By default it is what
    /// `BELTS_BUILD` says, or else the version of the package that the functions are in.
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
    /// let worker = Worker::builder().store(Memory::new()).build_id("7f3a9c1").build().await?;
    /// let run = welcome(Signup { email: "ada@example.com".into() }).run_id("r-1").via(&worker).start().await?;
    /// run.result().await?;
    /// assert_eq!(worker.runs().get("r-1").await?.build.as_deref(), Some("7f3a9c1"));
    /// # Ok(()) }
    /// ```
    pub fn build_id(mut self, build: impl Into<Arc<str>>) -> Self {
        self.build = Some(build.into());
        self
    }

    /// The most steps that one run may have, sleeps among them, where its function says nothing else; default 10,000.
    ///
    /// A run that reaches one more fails for good, with an error of kind [`TooManySteps`](crate::ErrorKind::TooManySteps) that names
    /// the last keys: a loop that never ends would fill the store. What is recorded is replayed, however much it is.
    pub fn max_steps(mut self, steps: u32) -> Self {
        self.max_steps = steps;
        self
    }

    /// How often in a row a process may die with a run in hand, and nothing of it recorded in between, before the run fails;
    /// default 5.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.max_crashes = crashes;
        self
    }

    /// Replaces chance in the jitter of retries by this number in 0..1, for tests.
    pub fn jitter(mut self, random: fn() -> f64) -> Self {
        self.random = Some(random);
        self
    }

    /// Puts this around every function and every step, inside what was put there before; see
    /// [`belts::middleware`](crate::middleware).
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Carries traces from where events are published into the runs that they start; see [`Propagator`].
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagator = Some(Arc::new(propagator));
        self
    }

    /// Encrypts what users write, before it reaches the store or a dispatcher: events, results, failures, statuses, heartbeats and
    /// what completes callbacks. The first key of the ring seals, every key opens.
    ///
    /// [Secrets](crate::guide::secrets) says what is sealed and what is not, and how to change keys.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Keyring, Worker, step, store::{Memory, Store}};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<String> {
    ///     step!("greet", format!("hello, {}", signup.email)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let (key, old) = ([7; 32], [3; 32]);
    /// let store = Memory::new();
    /// let worker = Worker::builder()
    ///     .store(store.clone())
    ///     .encryption(Keyring::new("2026-11", key).and_old("2026-01", old))
    ///     .build()
    ///     .await?;
    /// worker.execute(Signup { email: "ada@example.com".into() }).function("welcome").run_id("r-1").await?;
    /// assert_eq!(worker.runs().get("r-1").await?.output().map(|json| json.get()), Some(r#""hello, ada@example.com""#));
    /// let stored = store.run("r-1").await?.and_then(|run| run.result).expect("it completed");
    /// assert!(stored.starts_with(br#"{"belts.sealed":1,"key":"2026-11","data":""#));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "encryption")]
    pub fn encryption(mut self, keys: crate::seal::Keyring) -> Self {
        self.encryption.keys = Some(keys);
        self
    }

    /// Says that the store which was given has this one inside.
    #[cfg(all(feature = "encryption", feature = "testing"))]
    pub(crate) fn encrypted(mut self, encrypted: Option<crate::store::Encrypted>) -> Self {
        self.encryption.given = encrypted;
        self
    }

    /// Is called once for each run that fails for good, after the failure is durable.
    ///
    /// Whoever waits for the run in this process hears of its end when the hook has returned, and a shutdown gives it the
    /// grace period; other runs do not wait for it. If the process dies in between, it is not called again.
    ///
    /// ```no_run
    /// # async fn example() -> belts::Result<()> {
    /// let worker = belts::Worker::builder()
    ///     .store(belts::store::Memory::new())
    ///     .on_error(|failure| async move { eprintln!("{} failed: {}", failure.run_id, failure.error.report()) })
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn on_error<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(RunFailure) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.on_error = Some(Arc::new(move |failure| Box::pin(hook(failure))));
        self
    }
}

impl std::fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
