//! The worker as its users hold it.

use std::{fmt, sync::Arc};

use super::{WorkerOptions, shared::Shared};
use crate::{clock::Timestamp, dispatch::SharedDispatcher, store::SharedStore};

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
    pub(super) shared: Arc<Shared>,
}

impl Worker {
    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The store.
    pub fn store(&self) -> &SharedStore {
        &self.shared.store
    }

    /// The dispatcher, if published events do not go straight to the store.
    pub fn dispatcher(&self) -> Option<&SharedDispatcher> {
        self.shared.dispatcher.as_ref()
    }

    /// The ids of the functions that this program has, sorted.
    pub fn function_ids(&self) -> impl Iterator<Item = &str> {
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
        let shared = &self.shared;
        shared.settings.change(change, |options| {
            shared.slots.set_limit(options.concurrency.max(1));
        });
        shared.due.notify();
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("store", &self.shared.store)
            .field("functions", &self.function_ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
