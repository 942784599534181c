//! Reading what a run has recorded.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    inspect::{progress_in, status_in},
    store::{Entry, RunRecord, SharedStore, StepState},
};

/// The store of a [`Harness`](super::Harness), with shortcuts to recorded results. It reads past all faults.
#[derive(Debug, Clone)]
pub struct TestStore {
    store: SharedStore,
}

impl TestStore {
    /// Reads this store.
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// The store itself.
    pub fn shared(&self) -> SharedStore {
        Arc::clone(&self.store)
    }

    /// The recorded result of a step. A scope's steps have paths such as `parcel-1/label`.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ping { n: u32 }
    ///
    /// #[belts::function(id = "count", on = Ping)]
    /// async fn count(ping: Ping) -> belts::Result<()> {
    ///     step!("step-1", ping.n + 1).await?;
    ///     step!("step-2", ()).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// harness.run(count, Ping { n: 1 }).run_id("test-123").until("step-1").await?;
    /// assert_eq!(harness.store().step_result::<u32>("test-123", "step-1").await?, 2);
    /// assert!(harness.store().step_result::<()>("test-123", "step-2").await.is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The step is not recorded (the error lists those that are), it failed, or its result is not a `T`.
    pub async fn step_result<T: DeserializeOwned>(&self, run_id: &str, path: &str) -> Result<T> {
        match codec::decode::<T>(&self.recorded(run_id, path).await?.value) {
            Ok(Decoded::Ok(value)) => Ok(value),
            Ok(Decoded::Err(failure)) => Err(failure.into_error()),
            Err(error) => Err(error),
        }
        .map_err(|error| error.with_step(&path.into()).with_run(&run_id.into()))
    }

    /// The recorded failure of a step.
    ///
    /// # Errors
    /// The step is not recorded, or it succeeded.
    pub async fn step_error(&self, run_id: &str, path: &str) -> Result<Error> {
        match codec::raw(&self.recorded(run_id, path).await?.value)? {
            Decoded::Err(failure) => Ok(failure.into_error()),
            Decoded::Ok(value) => Err(Error::new(
                ErrorKind::Mismatch,
                format!("the step `{path}` of run `{run_id}` did not fail; it returned {value}"),
            )),
        }
    }

    /// The value that a run has set last with [`Context::set_status`](crate::Context::set_status).
    ///
    /// # Errors
    /// It is no `V`.
    pub async fn status_value<V: DeserializeOwned>(&self, run_id: &str) -> Result<Option<V>> {
        status_in(&self.store.journal(run_id).await?)
    }

    /// The last [heartbeat](crate::Context::heartbeat) of a step, as far as it is durable.
    ///
    /// # Errors
    /// It is no `P`.
    pub async fn progress<P: DeserializeOwned>(
        &self,
        run_id: &str,
        path: &str,
    ) -> Result<Option<P>> {
        progress_in(&self.store.journal(run_id).await?, path)
    }

    /// What a run has recorded, in the order in which its steps began.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn journal(&self, run_id: &str) -> Result<Vec<Entry>> {
        self.store.journal(run_id).await
    }

    /// A run.
    ///
    /// # Errors
    /// There is no such run, or the store cannot be reached.
    pub async fn run(&self, run_id: &str) -> Result<RunRecord> {
        self.store.run(run_id).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownRun,
                format!("the store has no run `{run_id}`"),
            )
        })
    }

    async fn recorded(&self, run_id: &str, path: &str) -> Result<Entry> {
        let journal = self.store.journal(run_id).await?;
        let recorded = |entry: &&Entry| entry.state != StepState::Waiting && entry.is_shown();
        if let Some(entry) = journal
            .iter()
            .filter(recorded)
            .find(|entry| &*entry.path == path)
        {
            return Ok(entry.clone());
        }
        let known: Vec<_> = journal
            .iter()
            .filter(recorded)
            .map(|entry| &*entry.path)
            .collect();
        let known = if known.is_empty() {
            "nothing".to_owned()
        } else {
            known.join(", ")
        };
        Err(Error::new(
            ErrorKind::UnknownRun,
            format!("run `{run_id}` has not recorded the step `{path}`; it has recorded {known}"),
        ))
    }
}
