//! The functions of a store, to be paused and resumed.

use std::sync::Arc;

use super::Runs;
use crate::{
    error::{Error, ErrorKind, Result},
    registry::Registry,
    store::{FunctionRecord, Purged, SharedStore},
};

/// The most functions that an error names.
const MOST_NAMED: usize = 20;

/// The functions of a store: [`Worker::functions`](crate::Worker::functions) for those of a worker's, [`Functions::of`] for those of
/// any.
///
/// A function that is paused is not driven: its runs are not claimed, in whichever process, until it is resumed. Events still start runs
/// of it, which wait. What is driven at that moment goes on until it sleeps, waits, is retried or ends.
///
/// ```rust,standalone_crate
/// use belts::{Event, step, store::{Memory, RunStatus}};
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Paid { cents: u64 }
///
/// #[belts::function(id = "ship", on = Paid)]
/// async fn ship(paid: Paid) -> belts::Result<u64> {
///     step!("pack", paid.cents).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let worker = belts::Worker::builder().store(Memory::new()).build().await?;
/// # let running = tokio::spawn({ let worker = worker.clone(); async move { worker.run().await } });
/// let functions = worker.functions().by("ada");
/// functions.pause("ship").await?;
/// publish_paid(Paid { cents: 100 }).via(&worker).await?;
/// # tokio::time::sleep(Duration::from_millis(50)).await;
/// let run = worker.runs().list().await?.runs.remove(0);
/// assert_eq!(run.status, RunStatus::Pending);
/// assert!(functions.list().await?[0].paused_at.is_some());
///
/// functions.resume("ship").await?;
/// while worker.runs().get(&run.run_id).await?.status != RunStatus::Completed {
///     tokio::time::sleep(Duration::from_millis(5)).await;
/// }
/// # worker.shutdown();
/// # running.await.expect("it does not panic")?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Functions {
    runs: Runs,
}

impl Functions {
    /// The functions of a store without a worker.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let store = std::sync::Arc::new(belts::store::Memory::new());
    /// assert!(belts::Functions::of(store).list().await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn of(store: SharedStore) -> Self {
        Self::with(Runs::of(store))
    }

    pub(crate) fn with(runs: Runs) -> Self {
        Self { runs }
    }

    /// Names who makes the changes, as [`Runs::by`] does.
    #[must_use]
    pub fn by(self, who: impl AsRef<str>) -> Self {
        Self::with(self.runs.by(who))
    }

    /// The same as [`Runs::functions`].
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn list(&self) -> Result<Vec<FunctionRecord>> {
        self.runs.functions().await
    }

    /// Pauses a function until it is [resumed](Self::resume), whatever happens to this program; `false` if it was paused already.
    ///
    /// # Errors
    /// Of kind [`UnknownFunction`](ErrorKind::UnknownFunction): neither this program nor the store knows it. Also if the store cannot be
    /// reached or written.
    pub async fn pause(&self, id: &str) -> Result<bool> {
        if self
            .known(id)
            .await?
            .is_some_and(|known| known.paused_at.is_some())
        {
            return Ok(false);
        }
        self.runs.tell_of_function(id, "pause");
        self.runs.store.pause(id, self.runs.clock.now()).await
    }

    /// Resumes a function: what is due of it goes on at once; `false` if it was not paused.
    ///
    /// # Errors
    /// As [`pause`](Self::pause). Of kind [`Dispatcher`](ErrorKind::Dispatcher): the function is resumed, but a worker without a loop
    /// could not hand on its runs or its next tick; try again.
    pub async fn resume(&self, id: &str) -> Result<bool> {
        let paused = self
            .known(id)
            .await?
            .is_some_and(|known| known.paused_at.is_some());
        let mut resumed = false;
        if paused {
            self.runs.tell_of_function(id, "resume");
            resumed = self.runs.store.resume(id, self.runs.clock.now()).await?;
        }
        #[cfg(feature = "http")]
        if let Some(worker) = self.runs.worker.as_ref().filter(|worker| worker.hands_on()) {
            worker.hand_on_due(id).await?;
            worker.push_ticks_of(id).await?;
        }
        Ok(resumed)
    }

    /// The same as [`Runs::forget`].
    ///
    /// # Errors
    /// As [`Runs::forget`].
    pub async fn forget(&self, id: &str) -> Result<Purged> {
        self.runs.forget(id).await
    }

    /// What the store knows of a function; an error if the program does not have it either.
    async fn known(&self, id: &str) -> Result<Option<FunctionRecord>> {
        let runs = &self.runs;
        let all = runs.store.functions(runs.clock.now(), 1).await?;
        let known = all.iter().find(|known| &*known.function_id == id);
        let registry = runs.worker.as_ref().map(|worker| &worker.registry);
        if known.is_some() || registry.is_some_and(|registry| registry.get(id).is_some()) {
            return Ok(known.cloned());
        }
        let own = registry.into_iter().flat_map(Registry::functions);
        let own = own.map(|function| Arc::clone(&function.id));
        let stored = all.into_iter().map(|known| known.function_id);
        Err(unknown(id, own.chain(stored).collect()))
    }
}

fn unknown(id: &str, mut there: Vec<Arc<str>>) -> Error {
    there.sort_unstable();
    there.dedup();
    let are = if there.is_empty() {
        "there are none yet: start a worker that has it".to_owned()
    } else {
        let more = if there.len() > MOST_NAMED {
            ", …"
        } else {
            ""
        };
        there.truncate(MOST_NAMED);
        format!("there are: {}{more}", there.join(", "))
    };
    Error::new(
        ErrorKind::UnknownFunction,
        format!("no function has the id `{id}`; {are}"),
    )
}
