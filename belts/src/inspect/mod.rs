//! What people ask of runs: which there are, how far each one is and why it failed, and to cancel it or run it again.

use std::{sync::Arc, time::SystemTime};

use crate::{
    clock::{Clock, SystemClock, Timestamp},
    error::{Error, ErrorKind, Result},
    store::{Entry, RunRecord, SharedStore},
    worker::Shared,
};

mod list;
mod read;
#[cfg(feature = "http")]
pub(crate) mod shape;
#[cfg(feature = "http")]
pub(crate) mod when;

pub use list::ListRuns;

/// How many runs are purged in one write.
const PURGE_BATCH: usize = 500;

/// The runs of a store: [`Worker::runs`](crate::Worker::runs) gives those of a worker, [`Runs::of`] those of any store.
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
    /// The worker that is to hear at once of a run that is due again.
    worker: Option<Arc<Shared>>,
}

impl Runs {
    /// The runs of a store without a worker: nothing is registered in it, and no run is claimed.
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
        }
    }

    pub(crate) fn of_worker(worker: &Arc<Shared>) -> Self {
        Self {
            store: Arc::clone(&worker.store),
            clock: Arc::clone(&worker.clock),
            worker: Some(Arc::clone(worker)),
        }
    }

    /// Lists runs, newest first: all of them, or those that fit what is asked of the returned builder.
    pub fn list(&self) -> ListRuns {
        ListRuns::new(Arc::clone(&self.store))
    }

    /// One run.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun): there is none of that id. And the store cannot be reached.
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

    /// Cancels a run; `false` if it had ended already.
    ///
    /// A step that runs at this moment is not interrupted. Its result is not recorded any more, and nothing comes after it.
    ///
    /// # Errors
    /// As [`get`](Self::get), and the store cannot be written.
    pub async fn cancel(&self, run_id: &str) -> Result<bool> {
        if self.store.cancel(run_id, self.clock.now()).await? {
            if let Some(worker) = &self.worker {
                worker.revoke(run_id);
            }
            return Ok(true);
        }
        self.get(run_id).await.map(|_| false)
    }

    /// Has a failed or cancelled run go on where it stopped; `false` if it is neither.
    ///
    /// It is the same run: results that are recorded stay and those steps do not run again, what failed does, and its
    /// attempts count from the beginning.
    ///
    /// # Errors
    /// As [`get`](Self::get), and the store cannot be written. Of kind [`Dispatcher`](ErrorKind::Dispatcher): the run is due
    /// again, but a worker without a loop could not hand it on; ask again.
    pub async fn rerun(&self, run_id: &str) -> Result<bool> {
        let rerun = self.store.rerun(run_id, self.clock.now()).await?;
        self.tell(run_id).await?;
        Ok(rerun)
    }

    /// As [`rerun`](Self::rerun), but from this step on nothing stays, although it was recorded: what the step and those that
    /// began after it have done, they do again.
    ///
    /// The step is named by its path, as the journal has it.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, step, store::Memory};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Paid { cents: u64 }
    /// # #[belts::function(id = "ship", on = Paid)]
    /// # async fn ship(paid: Paid) -> belts::Result<()> {
    /// #     step!("weigh", paid.cents).await?;
    /// #     step!("pack", async { Err::<(), _>(belts::terminal("no box is left")) }).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(Memory::new()).build().await?;
    /// # worker.execute(Paid { cents: 100 }).run_id("r-1").function("ship").await?;
    /// assert!(worker.runs().rerun_from("r-1", "weigh").await?);
    /// assert!(worker.runs().journal("r-1").await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`rerun`](Self::rerun). Of kind [`UnknownRun`](ErrorKind::UnknownRun): the run has not recorded the step.
    pub async fn rerun_from(&self, run_id: &str, step: &str) -> Result<bool> {
        let journal = self.store.journal(run_id).await?;
        let Some(entry) = journal.iter().find(|entry| &*entry.path == step) else {
            self.get(run_id).await?;
            return Err(Error::new(
                ErrorKind::UnknownRun,
                format!("the run `{run_id}` has not recorded the step `{step}`"),
            ));
        };
        let now = self.clock.now();
        let rerun = self.store.rerun_from(run_id, entry.seq, now).await?;
        self.tell(run_id).await?;
        Ok(rerun)
    }

    /// Has the worker hear of a run that may be due.
    async fn tell(&self, run_id: &str) -> Result<()> {
        let run = self.get(run_id).await?;
        if let (Some(worker), Some(due_at)) = (&self.worker, run.due_at) {
            worker.expect_due(due_at);
            #[cfg(feature = "http")]
            if worker.hands_on() {
                worker.hand_on(&run.run_id, due_at, 0).await?;
            }
        }
        Ok(())
    }

    /// Removes the runs that ended before a time, with their journals; how many.
    ///
    /// Workers do the same by themselves after their [`retention`](crate::WorkerBuilder::retention).
    ///
    /// # Errors
    /// The store cannot be reached or written; a part of the runs may be gone.
    pub async fn purge(&self, before: impl Into<SystemTime>) -> Result<usize> {
        let before: Timestamp = before.into().into();
        let mut purged = 0;
        loop {
            let gone = self.store.purge(before, PURGE_BATCH).await?;
            purged += gone.runs;
            if !gone.more {
                return Ok(purged);
            }
        }
    }
}
