//! Operator commands on runs: list them, show how far each one is and why it failed, cancel it or rerun it.

use std::sync::Arc;

use crate::{
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    store::{Entry, RunRecord, SharedStore},
    worker::Shared,
};

mod audit;
mod bulk;
mod callback;
mod changes;
pub(crate) mod chosen;
pub(crate) mod count;
mod decided;
mod export;
mod families;
pub(crate) mod functions;
mod list;
mod listed_schedules;
#[cfg(feature = "dashboard")]
pub(crate) mod open_callbacks;
mod pausing;
mod purge;
mod read;
mod scheduled;
mod schedules;
mod settle;
#[cfg(feature = "http")]
pub(crate) mod shape;
#[cfg(feature = "http")]
pub(crate) mod shown_schedule;
mod told;
#[cfg(feature = "http")]
pub(crate) mod when;
#[cfg(feature = "dashboard")]
pub(crate) mod why;

pub use bulk::{CancelFailed, CancelledRuns};
pub use callback::CallbackHandle;
#[cfg(feature = "http")]
pub(crate) use callback::Shown;
pub use count::{RunCount, RunGroup};
#[cfg(any(feature = "cli", feature = "testing"))]
pub(crate) use export::Exported;
pub(crate) use export::as_claimed;
pub use list::ListRuns;
pub use pausing::Functions;
pub use scheduled::{PlannedTick, ScheduleRecord};
pub use schedules::Schedules;
pub use settle::SettleStep;
#[cfg(feature = "testing")]
pub(crate) use told::progress_in;
pub(crate) use told::status_in;

/// The runs of a store: [`Worker::runs`](crate::Worker::runs) for those of a worker, [`Runs::of`] for those of any store.
///
/// ```rust,standalone_crate
/// use belts::{Event, step, store::{Memory, RunStatus}};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Paid { cents: u64 }
///
/// #[belts::function(id = "ship", on = Paid)]
/// async fn ship(paid: Paid) -> belts::Result<()> {
///     step!("pack", async { Err::<(), _>(belts::terminal("no box is left")) }).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let worker = belts::Worker::builder().store(Memory::new()).build().await?;
/// worker.execute(Paid { cents: 100 }).run_id("r-1").function("ship").await?;
/// let failed = worker.runs().list().status(RunStatus::Failed).await?.runs;
/// let why = failed[0].failure().expect("it failed");
/// assert_eq!(why.report(), "step `pack` failed: terminal error: no box is left");
/// let journal = worker.runs().journal("r-1").await?;
/// assert_eq!((&*journal[0].path, journal[0].attempts), ("pack", 1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Runs {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    /// The worker to notify at once of a run that is due again.
    worker: Option<Arc<Shared>>,
    /// Who makes the changes.
    by: Arc<str>,
}

impl Runs {
    /// The runs of a store without a worker: nothing is registered in it, and no runs are claimed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let store = std::sync::Arc::new(belts::store::Memory::new());
    /// assert!(belts::Runs::of(store).list().await?.runs.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn of(store: SharedStore) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            worker: None,
            by: "store API".into(),
        }
    }

    /// The same, by this clock.
    #[cfg(feature = "testing")]
    pub(crate) fn with_clock(mut self, clock: &Arc<dyn Clock>) -> Self {
        self.clock = Arc::clone(clock);
        self
    }

    pub(crate) fn of_worker(worker: &Arc<Shared>) -> Self {
        Self {
            store: Arc::clone(&worker.store),
            clock: Arc::clone(&worker.clock),
            worker: Some(Arc::clone(worker)),
            by: "worker API".into(),
        }
    }

    /// Lists runs, newest first: all of them, or those that match the filters of the returned builder.
    pub fn list(&self) -> ListRuns {
        ListRuns::new(Arc::clone(&self.store))
    }

    /// One page of a list as the store gives it.
    #[cfg(feature = "dashboard")]
    pub(crate) async fn page(
        &self,
        filter: crate::store::RunFilter,
    ) -> Result<crate::store::RunPage> {
        self.store.list(filter).await
    }

    /// One run.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun): there is none with that id. Also if the store cannot be reached.
    pub async fn get(&self, run_id: &str) -> Result<RunRecord> {
        let run = self.store.run(run_id).await?;
        run.ok_or_else(|| Error::new(ErrorKind::UnknownRun, format!("there is no run `{run_id}`")))
    }

    /// The steps that a run has recorded, in the order in which they began; empty if there is no such run.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn journal(&self, run_id: &str) -> Result<Vec<Entry>> {
        self.store.journal(run_id).await
    }
}
