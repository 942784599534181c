//! What a worker is made of once everything is set: its settings are checked, its store is opened, its functions are subscribed.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

#[cfg(feature = "http")]
use super::config::variables::insecure_by_env;
use super::{
    builder::{StoreSource, WorkerBuilder},
    driven::Driven,
    due::Due,
    handle::Worker,
    looks::Clockwork,
    loops::Loops,
    session::Session,
    setbacks::Setbacks,
    settings::Settings,
    shared::Shared,
    shutdown::Shutdown,
    slots::Slots,
    waiters::Waiters,
    warned::Warned,
};
use crate::{
    dispatch,
    environment::{self, BUILD, of_process},
    error::{Error, ErrorKind, Result},
    live::{Host, SessionLease},
    registry::Registry,
    store::{self, Memory, SharedStore},
    telemetry::WorkerMetrics,
};

impl WorkerBuilder {
    /// Opens the store, and subscribes the functions in it.
    ///
    /// # Errors
    /// No store was given or it cannot be opened, two functions have one id, a function takes a [state](Self::state) that was not
    /// given, or a setting is out of range. Where the functions
    /// are those of the whole program, also: two Rust types of it stand for one event type.
    pub async fn build(self) -> Result<Worker> {
        let checks = !self.is_in_harness() && environment::asks_for_check()?;
        let shared = Arc::new(self.assemble(checks).await?);
        if !checks {
            return shared.begin().await;
        }
        // A worker that only publishes has nothing to check, and writes nothing either.
        if !shared.registry.functions().is_empty() {
            shared.check_by_env().await?;
        }
        Ok(Worker::from_shared(shared))
    }

    /// All that a worker is, before anybody hears of it; one that only `checks` is given no dispatcher.
    pub(super) async fn assemble(self, checks: bool) -> Result<Shared> {
        self.check_settings()?;
        let registry = self.registry()?;
        let build = self.build_name(&registry)?;
        let checks_transactions = !self.is_in_harness();
        #[cfg(feature = "http")]
        let mut http = self.http.checked(insecure_by_env)?;
        #[cfg(feature = "http")]
        {
            http.picked = self.functions.is_some();
            describe_store(self.store.as_ref(), &mut http);
        }
        let around = dispatch::url::Surroundings {
            #[cfg(feature = "http")]
            url: http.url.clone(),
            #[cfg(feature = "http")]
            keys: http.keys.clone(),
            #[cfg(not(feature = "http"))]
            url: None,
        };
        let publishes_only = self.functions.as_ref().is_some_and(Vec::is_empty);
        let needs_none = self.dispatcher.is_some() && publishes_only;
        let dispatcher = match self.dispatcher.filter(|_| !checks) {
            Some(dispatcher) => dispatcher.open(around).await?,
            None => None,
        };
        let store_url = connecting(self.store.as_ref());
        #[cfg(feature = "http")]
        http.check_inspection(dispatcher.as_deref())?;
        let store = opened(self.store, needs_none).await?;
        #[cfg(feature = "encryption")]
        let (store, encrypted) = self.encryption.around(store)?;
        #[cfg(all(feature = "encryption", feature = "postgres"))]
        if let Some(encrypted) = &encrypted {
            encrypted.note().await?;
        }
        #[cfg(feature = "postgres")]
        super::keyless::warn(&*store).await;
        registry.check_waits(store.capabilities().waits)?;
        if checks_transactions {
            registry.check_transactions(&*store)?;
        }
        let slots = Arc::new(Slots::new(self.options.concurrency, &registry));
        let (clock, session) = (self.clock, Session::new(self.name));
        let host = Host {
            clock: Arc::clone(&clock),
            random: self.random,
            states: self.states,
            middleware: self.middleware,
            store: Arc::clone(&store),
            max_value_bytes: self.max_value_bytes,
            max_steps: self.max_steps,
            #[cfg(feature = "http")]
            url: http.url.as_deref().map(Arc::from),
            #[cfg(not(feature = "http"))]
            url: None,
            keeps: store.capabilities(),
            open_waits: std::sync::atomic::AtomicUsize::default(),
            lease: SessionLease::new(self.lease),
            looks: Arc::clone(&session.pulse.looks),
            #[cfg(feature = "testing")]
            probe: self.probe,
        };
        Ok(Shared {
            host: Arc::new(host),
            store,
            dispatcher,
            #[cfg(feature = "encryption")]
            encrypted,
            clock,
            registry,
            settings: Settings {
                options: RwLock::new(self.options),
                budget: self.budget,
                max_body_bytes: self.max_body_bytes,
                max_crashes: self.max_crashes,
                build,
                store_url,
                on_error: self.on_error,
                propagator: self.propagator,
            },
            #[cfg(feature = "http")]
            http,
            session,
            slots,
            driven: Driven::default(),
            due: Due::default(),
            clockwork: Clockwork::default(),
            waiters: Waiters::default(),
            setbacks: Setbacks::default(),
            warned: Warned::default(),
            loops: Loops::default(),
            shutdown: Shutdown::default(),
            #[cfg(feature = "http")]
            chores: super::chores::Chores::default(),
            metrics: WorkerMetrics::new(),
        })
    }

    /// What this build of the program is called.
    fn build_name(&self, registry: &Registry) -> Result<Option<Arc<str>>> {
        match &self.build {
            Some(build) => Ok(Some(Arc::clone(build))),
            None => Ok(build_by_env()?.or_else(|| registry.build())),
        }
    }

    /// The functions, which have the states that they take.
    fn registry(&self) -> Result<Registry> {
        let registry = match &self.functions {
            Some(functions) => Registry::of(functions.iter().copied())?,
            None => Registry::linked()?,
        };
        if self.asks_for_states() {
            registry.check_needs(&self.states)?;
        }
        Ok(registry)
    }

    /// A harness with every function of the program runs one or two of them: the others may lack what they take.
    fn asks_for_states(&self) -> bool {
        self.functions.is_some() || !self.is_in_harness()
    }

    fn is_in_harness(&self) -> bool {
        #[cfg(feature = "testing")]
        let in_harness = self.probe.is_some();
        #[cfg(not(feature = "testing"))]
        let in_harness = false;
        in_harness
    }

    fn check_settings(&self) -> Result<()> {
        if self.options.concurrency == 0 {
            return Err(config("`concurrency` must be at least 1"));
        }
        if self.lease < Duration::from_millis(100) {
            return Err(config(
                "`lease` must be at least 100 ms, and should be several seconds",
            ));
        }
        if self.options.sweep.is_zero() {
            return Err(config("`sweep` must be longer than zero"));
        }
        if self.build.as_deref().is_some_and(|build| !is_name(build)) {
            return Err(config(
                "`build_id` must have 1 to 100 bytes, and no control characters",
            ));
        }
        if self.max_steps == 0 {
            return Err(config("`max_steps` must be at least 1"));
        }
        if self.max_crashes == 0 {
            return Err(config("`max_crashes` must be at least 1"));
        }
        if self.max_body_bytes == 0 {
            return Err(config("`max_body_bytes` must be at least 1"));
        }
        if self.max_value_bytes < 1024 {
            return Err(config("`max_value_bytes` must be at least 1024"));
        }
        Ok(())
    }
}

/// The URL of a store that has connections, which belong to the runtime that they were made on.
fn connecting(store: Option<&StoreSource>) -> Option<String> {
    match store {
        Some(StoreSource::Url(url)) if store::url::has_connections(url) => Some(url.clone()),
        _ => None,
    }
}

fn is_name(build: &str) -> bool {
    (1..=100).contains(&build.len()) && !build.chars().any(char::is_control)
}

/// What the environment calls this build.
fn build_by_env() -> Result<Option<Arc<str>>> {
    let build = BUILD.read(&of_process).map_err(|text| config(&text))?;
    match build {
        Some(build) if !is_name(&build) => Err(config(&format!(
            "{BUILD} must have at most 100 bytes, and no control characters"
        ))),
        build => Ok(build.map(Into::into)),
    }
}

/// Notes where the runs are, for those who are told of the worker.
#[cfg(feature = "http")]
fn describe_store(store: Option<&StoreSource>, http: &mut crate::http::HttpOptions) {
    http.store = match store {
        Some(StoreSource::Given(store)) => format!("{store:?}"),
        Some(StoreSource::Url(url)) => store::url::shown(url),
        None => "none, as this worker only publishes".to_owned(),
    };
    http.store_file = match store {
        Some(StoreSource::Url(url)) => store::url::file(url).map(Into::into),
        _ => None,
    };
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// The store that was given; one that nothing touches if the worker needs none.
async fn opened(source: Option<StoreSource>, needs_none: bool) -> Result<SharedStore> {
    match source {
        Some(StoreSource::Given(store)) => Ok(store),
        Some(StoreSource::Url(url)) => store::url::open(&url).await,
        // What such a worker publishes never touches its store.
        None if needs_none => Ok(Arc::new(Memory::new())),
        None => Err(config(
            "a worker needs a store: add `.store(belts::store::Sqlite::open(\"belts.db\").await?)`",
        )),
    }
}
