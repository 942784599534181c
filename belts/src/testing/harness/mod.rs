//! A worker in memory whose time, steps and death the test controls.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{Crash, Faults, ManualClock, Probe, TestStore, keys};
use crate::{
    clock::Timestamp,
    error::Result,
    store::{RunFilter, RunRecord, StepState},
    worker::Worker,
};

mod builder;
mod deliver;
mod events;
#[cfg(feature = "http")]
mod http;
mod presets;
mod replay;
mod runs;
mod setup;
mod test_run;
mod time;

pub use builder::HarnessBuilder;
pub use deliver::Deliver;
#[cfg(feature = "http")]
pub use http::{Answer, Post};
pub use replay::Replayed;
pub use test_run::TestRun;

use setup::{Opened, Setup};

/// An in-memory worker with a clock that skips sleeps.
///
/// It runs functions to their end in no time: a run that sleeps moves the clock to the end of its sleep as soon as
/// nothing else of it is in progress. Clones are the same harness.
///
/// ```rust,standalone_crate
/// use belts::{Event, sleep, step, testing::Harness};
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "welcome", on = Signup)]
/// async fn welcome(signup: Signup) -> belts::Result<usize> {
///     let length = step!("count", signup.email.len()).await?;
///     sleep!("wait", "720h").await?;
///     Ok(length)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let harness = Harness::new().await?;
/// let start = harness.now();
/// let run = harness.run(welcome, Signup { email: "ada@example.com".into() }).run_id("test-123").await?;
/// assert_eq!(run.output()?, 15);
/// run.assert_steps(&["count", "wait"]);
/// assert_eq!(harness.now().since(start), Duration::from_secs(30 * 24 * 60 * 60));
/// assert_eq!(harness.store().step_result::<usize>("test-123", "count").await?, 15);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Harness {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Setup,
    life: RwLock<Life>,
    /// After which write the next life crashes as well; one more for each life, so that this ends.
    again: Mutex<Option<u32>>,
    crashes: AtomicU32,
}

/// One process, from its start to its crash.
#[derive(Clone)]
struct Life {
    worker: Worker,
    faults: Faults,
}

impl Life {
    async fn begin(setup: &Setup, opened: Opened, before: Option<&Faults>) -> Result<Self> {
        let faults = match before {
            Some(before) => before.reopened(opened.store),
            None => Faults::new(opened.store),
        };
        let worker = setup.worker().store(faults.clone());
        #[cfg(feature = "encryption")]
        let worker = worker.encrypted(opened.encrypted);
        let worker = worker.build().await?;
        Ok(Self { worker, faults })
    }

    /// Whether there may be a step with this path.
    fn check(&self, path: &str) -> Result<()> {
        keys::check(self.worker.shared().registry.functions(), path)
    }

    fn end(&self) {
        self.faults.crash_now();
        self.worker.shared().shutdown.kill();
    }
}

impl Harness {
    async fn start(setup: Setup) -> Result<Self> {
        let life = Life::begin(&setup, setup.open().await?, None).await?;
        for path in setup.probe.preset() {
            life.check(&path)?;
        }
        let inner = Inner {
            setup,
            life: RwLock::new(life),
            again: Mutex::new(None),
            crashes: AtomicU32::new(0),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    fn life(&self) -> Life {
        self.inner
            .life
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What runs have recorded.
    pub fn store(&self) -> TestStore {
        TestStore::new(self.life().faults.inner())
    }

    /// The faults of the store; they apply until the next [`restart`](Self::restart).
    pub fn faults(&self) -> Faults {
        self.life().faults
    }

    /// The worker, until the next [`restart`](Self::restart).
    pub fn worker(&self) -> Worker {
        self.life().worker
    }

    /// Makes everything that the future publishes or calls go through the worker of this harness, as [`Worker::scope`] does: code
    /// under test that is not a belts function, such as a handler, then needs no `.via` and no `install`.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> { step!("count", signup.email.len()).await }
    ///
    /// /// A handler of the application.
    /// async fn sign_up(email: &str) -> belts::Result<()> {
    ///     publish_signup(Signup { email: email.to_owned() }).await.map(drop)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// harness.scope(sign_up("ada@example.com")).await?;
    /// harness.settle().await?;
    /// assert_eq!(harness.runs_of(welcome).await?.len(), 1);
    /// # Ok(()) }
    /// ```
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let worker = self.worker();
        worker.scope(future).await
    }

    /// The clock.
    pub fn clock(&self) -> ManualClock {
        self.inner.setup.clock.clone()
    }

    /// The time on the clock.
    pub fn now(&self) -> Timestamp {
        self.inner.setup.clock.now()
    }

    /// How often the expressions of a run's steps were evaluated, by path. Presets do not count.
    pub fn evaluations(&self, run_id: &str) -> BTreeMap<String, u32> {
        self.inner.setup.probe.evaluations(run_id)
    }

    /// Ends the worker as if its process had died, and starts another one on the same store.
    ///
    /// # Errors
    /// The store cannot be opened, or the worker cannot be built.
    pub async fn restart(&self) -> Result<()> {
        let old = self.life();
        old.end();
        self.note_recorded().await?;
        let opened = self.inner.setup.open().await?;
        let life = Life::begin(&self.inner.setup, opened, Some(&old.faults)).await?;
        *self
            .inner
            .life
            .write()
            .unwrap_or_else(PoisonError::into_inner) = life;
        Ok(())
    }

    /// Makes every later life crash as well, the next one after this write.
    pub(crate) fn crash_each_life(&self, write: Option<u32>) {
        *self
            .inner
            .again
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = write;
    }

    /// How often the worker has crashed so far.
    pub(crate) fn crashes(&self) -> u32 {
        self.inner.crashes.load(Ordering::Relaxed)
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.inner.setup.probe
    }

    pub(crate) fn shared_probe(&self) -> Arc<Probe> {
        Arc::clone(&self.inner.setup.probe)
    }

    /// Every run in the store.
    pub(crate) async fn runs(&self) -> Result<Vec<RunRecord>> {
        let filter = RunFilter::new().with_limit(usize::from(u16::MAX));
        Ok(self.store().shared().list(filter).await?.runs)
    }

    async fn note_recorded(&self) -> Result<()> {
        let store = self.store();
        for run in self.runs().await? {
            let journal = store.journal(&run.run_id).await?;
            for entry in journal
                .iter()
                .filter(|entry| entry.state != StepState::Waiting)
            {
                self.probe().recorded(&run.run_id, &entry.path);
            }
        }
        Ok(())
    }

    /// Does some work and, each time the worker crashes meanwhile, restarts it and does it again; returns how often
    /// that happened.
    async fn surviving<T>(
        &self,
        work: impl Fn(Worker) -> Pin<Box<dyn Future<Output = Result<T>> + Send>> + Send,
    ) -> Result<(T, u32)> {
        for crashes in 0.. {
            let life = self.life();
            tokio::select! {
                biased;
                () = life.faults.crashed() => {}
                done = work(life.worker.clone()) => {
                    if !life.faults.has_crashed() {
                        return done.map(|done| (done, crashes));
                    }
                }
            }
            self.inner.crashes.fetch_add(1, Ordering::Relaxed);
            self.restart().await?;
            if let Some(write) = self
                .inner
                .again
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_mut()
            {
                self.faults().crash(Crash::After(*write));
                *write += 1;
            }
        }
        unreachable!("a harness does not crash as often as a number can count")
    }
}

impl Drop for Inner {
    /// A preset that no run has reached is a mistake in the test, most often in its path.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(complaint) = self.setup.probe.complaint() {
            panic!("{complaint}");
        }
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("now", &self.now())
            .field("worker", &self.worker())
            .finish_non_exhaustive()
    }
}
