//! The functions that a store knows: paused, resumed, and forgotten where they were removed.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Runs;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    store::{FunctionRecord, Purged, RunStatus, ScheduleChange, Store},
    worker::clockwork,
};

/// The most runs of a function that are counted.
pub(crate) const MOST_COUNTED: usize = 10_000;
/// How many runs are cancelled in one write.
const BATCH: usize = 500;

/// Since when a function is paused.
pub(crate) async fn paused_at(
    store: &dyn Store,
    now: Timestamp,
    function_id: &str,
) -> Result<Option<Timestamp>> {
    let functions = store.functions(now, 1).await?;
    let found = functions
        .iter()
        .find(|known| &*known.function_id == function_id);
    Ok(found.and_then(|known| known.paused_at))
}

impl Runs {
    /// Since when the function of a run is paused, if that is why the run does not go on.
    #[cfg(any(feature = "http", feature = "testing"))]
    pub(crate) async fn held_since(
        &self,
        run: &crate::store::RunRecord,
    ) -> Result<Option<Timestamp>> {
        let now = self.clock.now();
        let waits = run.status == RunStatus::Pending || run.is_suspended();
        if !waits || run.due_at.is_none_or(|due_at| due_at > now) {
            return Ok(None);
        }
        paused_at(&*self.store, now, &run.function_id).await
    }

    /// Every function with subscriptions or unfinished runs, and every one that is paused, sorted by id; of each at most 10,000
    /// runs are counted.
    ///
    /// A function that is not [`living`](FunctionRecord::living) and has runs was removed, or its program is not running at the
    /// moment: its runs wait until a worker has it again, or until it is [forgotten](Self::forget).
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn functions(&self) -> Result<Vec<FunctionRecord>> {
        self.store.functions(self.clock.now(), MOST_COUNTED).await
    }

    /// Cancels every unfinished run of a function that no running worker has, with its attached children, and removes its
    /// subscriptions, so that events no longer start it, and its pause; returns how many runs of the function were cancelled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// for function in worker.runs().functions().await? {
    ///     if !function.living {
    ///         worker.runs().forget(&function.function_id).await?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`UnknownFunction`](ErrorKind::UnknownFunction): it has no subscriptions and no such runs. Of kind
    /// [`Conflict`](ErrorKind::Conflict): a running worker has it. Also if the store cannot be reached or written; some of the
    /// runs may be cancelled.
    pub async fn forget(&self, function: &str) -> Result<Purged> {
        self.forgettable(function).await?;
        self.tell_of(&format!("forget the function {function}"));
        for some in self.unfinished(function).await?.chunks(BATCH) {
            let notes = some
                .iter()
                .map(|run| self.note_quietly(run, "forget its function"));
            try_join_all(notes).await?;
        }
        let mut ended = Purged::default();
        loop {
            let batch = self.store.forget(function, self.clock.now(), BATCH).await?;
            ended.runs += batch.runs;
            if !batch.more {
                self.forget_schedules(function).await?;
                return Ok(ended);
            }
        }
    }

    /// Checks that a function can be forgotten, before anything is noted. The store checks again.
    async fn forgettable(&self, function: &str) -> Result<()> {
        let functions = self.store.functions(self.clock.now(), 1).await?;
        let known = functions
            .iter()
            .find(|known| &*known.function_id == function);
        match known {
            Some(known) if known.living => Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "a running worker has the function `{function}`: shut down the workers that have it, then forget it"
                ),
            )),
            Some(_) => Ok(()),
            None => Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("there is no function `{function}` with subscriptions or unfinished runs"),
            )),
        }
    }

    async fn unfinished(&self, function: &str) -> Result<Vec<Arc<str>>> {
        let open = RunStatus::UNFINISHED
            .into_iter()
            .chain([RunStatus::Undoing]);
        let list = self.list().function(function).limit(BATCH);
        let list = open.fold(list, super::ListRuns::status);
        let mut runs = Vec::new();
        let mut page = list.clone().await?;
        loop {
            runs.extend(page.runs.into_iter().map(|run| run.run_id));
            let Some(mark) = page.next else {
                return Ok(runs);
            };
            page = list.clone().after(mark).await?;
        }
    }

    /// Removes the schedules of a function that was forgotten.
    async fn forget_schedules(&self, function: &str) -> Result<()> {
        let mut last: Option<Arc<str>> = None;
        loop {
            let page = self
                .store
                .schedules(last.as_deref(), clockwork::PAGE)
                .await?;
            let own = page.iter().filter(|row| &*row.function_id == function);
            let changes: Vec<_> = own.map(ScheduleChange::remove).collect();
            if !changes.is_empty() {
                self.store
                    .change_schedules(changes, self.clock.now())
                    .await?;
            }
            last = page.last().map(|row| Arc::clone(&row.name));
            if page.len() < clockwork::PAGE {
                return Ok(());
            }
        }
    }
}
