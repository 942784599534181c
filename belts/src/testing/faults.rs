//! A store that counts its writes, fails, crashes and delays on demand.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    error::{Error, Result},
    store::{CALLBACK, NewEvent, SharedStore},
};

/// When a process dies, counted in writes from the moment when this is armed; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The write is not applied.
    Before(u32),
    /// The write is applied, but its reply is lost.
    After(u32),
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(write) => write!(f, "a crash before write {write}"),
            Self::After(write) => write!(f, "a crash after write {write}"),
        }
    }
}

/// Wraps a store and makes it fail on demand; it is a store itself. Clones are the same store.
///
/// Every call that changes the store counts as a write: publish, claim, commit, renew, register and the rest.
/// After a crash every call fails and nothing more is written, as if the process had died; what was written before
/// can be read through the inner store.
///
/// ```rust,standalone_crate
/// use belts::{Event, step, store::Memory, testing::{Crash, Faults}};
/// use serde::{Deserialize, Serialize};
/// use std::sync::Arc;
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Ping { n: u32 }
///
/// #[belts::function(id = "double", on = Ping)]
/// async fn double(ping: Ping) -> belts::Result<u32> { step!("double", ping.n * 2).await }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let faults = Faults::new(Arc::new(Memory::new()));
/// let worker = belts::Worker::builder().store(faults.clone()).build().await?;
/// let before = faults.writes();
/// worker.execute(Ping { n: 1 }).await?;
/// // The publish, which claims the run as well; the step; the end.
/// assert_eq!(faults.writes() - before, 3);
///
/// faults.crash(Crash::Before(1));
/// assert!(worker.execute(Ping { n: 1 }).await.is_err());
/// assert!(faults.has_crashed());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Faults {
    pub(super) inner: SharedStore,
    pub(super) state: Arc<State>,
}

#[derive(Default)]
pub(super) struct State {
    plan: Mutex<Plan>,
    crashed: watch::Sender<bool>,
    pub(super) events: Arc<Mutex<Vec<NewEvent>>>,
}

#[derive(Default)]
pub(super) struct Plan {
    writes: u32,
    /// The number of the write at which it crashes, and whether after it.
    crash: Option<(u32, bool)>,
    /// Writes that fail without being applied.
    fails: Vec<u32>,
    /// Writes that are applied and still fail.
    loses: Vec<u32>,
    delay: Option<(Arc<dyn Clock>, Duration)>,
    /// The most bytes of results in a commit.
    pub(super) room: Option<usize>,
}

/// What happens to one write.
enum Fate {
    Write,
    /// It is applied, and then the process dies.
    WriteAndDie,
    /// It is applied, but its reply is lost.
    WriteAndFail,
}

impl Faults {
    /// Wraps a store.
    pub fn new(inner: SharedStore) -> Self {
        Self {
            inner,
            state: Arc::default(),
        }
    }

    /// The store as the next process sees it: the same content and record of events, without faults or count.
    pub(crate) fn reopened(&self, inner: SharedStore) -> Self {
        let state = State {
            events: Arc::clone(&self.state.events),
            ..State::default()
        };
        Self {
            inner,
            state: Arc::new(state),
        }
    }

    /// The store without faults.
    pub fn inner(&self) -> SharedStore {
        Arc::clone(&self.inner)
    }

    /// How many writes were started.
    pub fn writes(&self) -> u32 {
        self.plan().writes
    }

    /// Crashes at a write, counted from now on.
    pub fn crash(&self, crash: Crash) {
        let mut plan = self.plan();
        plan.crash = Some(match crash {
            Crash::Before(write) => (plan.writes + write, false),
            Crash::After(write) => (plan.writes + write, true),
        });
    }

    /// Crashes now.
    pub fn crash_now(&self) {
        self.state.crashed.send_replace(true);
    }

    /// Cancels a crash that has not happened.
    pub fn disarm(&self) {
        self.plan().crash = None;
    }

    /// Makes one write fail without being applied, counted from now on; the first is 1.
    pub fn fail(&self, write: u32) {
        let mut plan = self.plan();
        let write = plan.writes + write;
        plan.fails.push(write);
    }

    /// Applies one write but loses its reply, as when a connection breaks; counted as in [`fail`](Self::fail).
    pub fn lose(&self, write: u32) {
        let mut plan = self.plan();
        let write = plan.writes + write;
        plan.loses.push(write);
    }

    /// Makes each commit fail whose results, and the events of the runs that it starts, have more bytes than this, as on a disk that is
    /// nearly full; `usize::MAX` ends that.
    pub fn fail_commits_over(&self, bytes: usize) {
        self.plan().room = Some(bytes);
    }

    /// Delays each write on this clock before it is applied.
    pub fn delay(&self, clock: impl Clock, delay: Duration) {
        self.plan().delay = Some((Arc::new(clock), delay));
    }

    /// Whether it has crashed.
    pub fn has_crashed(&self) -> bool {
        *self.state.crashed.borrow()
    }

    /// Returns when it has crashed.
    pub async fn crashed(&self) {
        // The sender lives as long as this does, so the wait cannot fail.
        let _ = self
            .state
            .crashed
            .subscribe()
            .wait_for(|crashed| *crashed)
            .await;
    }

    /// The events that were written through this store, in order; duplicates and what completes callbacks are left out.
    pub(crate) fn events(&self) -> Vec<NewEvent> {
        let events = self.state.events.lock();
        let mut events = events.unwrap_or_else(PoisonError::into_inner).clone();
        events.retain(|event| &*event.event_type != CALLBACK);
        events
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.state
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a write and decides what happens to it.
    async fn begin(&self) -> Result<Fate> {
        let delay = self.plan().delay.clone();
        if let Some((clock, delay)) = delay {
            clock.expire_at(clock.now().after(delay)).await;
        }
        self.alive()?;
        let mut plan = self.plan();
        plan.writes += 1;
        let write = plan.writes;
        match plan.crash {
            Some((at, false)) if at == write => {
                drop(plan);
                self.crash_now();
                Err(dead())
            }
            Some((at, true)) if at == write => Ok(Fate::WriteAndDie),
            _ if plan.fails.contains(&write) => Err(Error::store(
                "fault: the write failed",
                "requested by the test",
            )),
            _ if plan.loses.contains(&write) => Ok(Fate::WriteAndFail),
            _ => Ok(Fate::Write),
        }
    }

    /// Applies one write, or not, and crashes after it if armed.
    pub(super) async fn write<T>(
        &self,
        write: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let fate = self.begin().await?;
        let answer = write.await;
        match fate {
            Fate::Write => {
                // A write in progress when the process died was applied, but its reply was lost.
                self.alive()?;
                answer
            }
            Fate::WriteAndDie => {
                self.crash_now();
                Err(dead())
            }
            Fate::WriteAndFail => Err(Error::store(
                "fault: the reply was lost",
                "requested by the test",
            )),
        }
    }

    pub(super) fn alive(&self) -> Result<()> {
        if self.has_crashed() {
            Err(dead())
        } else {
            Ok(())
        }
    }
}

fn dead() -> Error {
    Error::store("fault: the process has crashed", "requested by the test")
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("inner", &self.inner)
            .field("writes", &self.writes())
            .field("crashed", &self.has_crashed())
            .finish_non_exhaustive()
    }
}
