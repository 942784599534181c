//! Cancelling all runs that pass a filter, part by part.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;

use super::{Runs, chosen};
use crate::{
    error::{Error, Result},
    store::{RunFilter, RunRecord, RunStatus},
};

mod batch;
mod done;
mod held;
mod under_way;

pub use done::{CancelFailed, CancelledRuns};

use batch::{Batch, depth};
use done::after;
use under_way::{AT_ONCE, Bulk, PAGE};

/// How many runs form one part: a request that cancels is answered within seconds.
const PART: usize = 1_000;

impl Runs {
    /// Cancels every unfinished run that passes the filter now, each as [`cancel`](Self::cancel) does.
    ///
    /// Runs that are published while it is at work are left alone. A run is cancelled before those that it has called or started.
    /// Attached children of a run are cancelled with it, whether or not they pass the filter; those that do are counted.
    ///
    /// [`limit`](RunFilter::limit) is the most runs to cancel, the newest first; without one there is no limit. Where a run does
    /// not fit with those above it that pass, those go first, and it may be left. Attached children that end with the runs
    /// within the limit come on top.
    ///
    /// If there are many runs, [`cancel_part`](Self::cancel_part) lets you show the progress, and [`count`](Self::count) says how
    /// many there are.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, sleep, store::Memory};
    /// use belts::store::RunFilter;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Paid { cents: u64 }
    /// # #[belts::function(id = "ship", on = Paid)]
    /// # async fn ship(_paid: Paid) -> belts::Result<()> {
    /// #     sleep!("until-tomorrow", "24h").await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(Memory::new()).build().await?;
    /// # for cents in [100, 200] {
    /// #     publish_paid(Paid { cents }).via(&worker).await?;
    /// # }
    /// let runs = worker.runs().by("support desk, ada");
    /// let of_ship = RunFilter::new().with_function("ship");
    /// assert_eq!(runs.count(of_ship.clone()).await?.to_string(), "2");
    /// assert_eq!(runs.cancel_all(of_ship).await?.cancelled, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config), before anything is cancelled: the filter has no condition, which would cancel
    /// every run of the store, or only times that leave none out. To do that, name every status of [`RunStatus::UNFINISHED`]. Or it has an id that is empty, names the
    /// status of runs that have ended, or has a mark in [`after`](RunFilter::after).
    ///
    /// Also if the store cannot be reached or written. Where single runs fail, the others are cancelled all the same, though none
    /// that was called or started by one that failed. The error is the first one, and says how many runs were cancelled; see
    /// [`CancelFailed`].
    pub async fn cancel_all(&self, filter: RunFilter) -> Result<CancelledRuns> {
        chosen::without_mark(&filter)?;
        let mut bulk = self.bulk(filter)?;
        let result = bulk.part(usize::MAX).await;
        result.map_err(|error| after(&bulk.done, error))?;
        Ok(bulk.done)
    }

    /// As [`cancel_all`](Self::cancel_all), but about 1,000 runs at most; [`next`](CancelledRuns::next) says where the next part
    /// begins.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
    /// use belts::store::RunFilter;
    /// let mut left = Some(RunFilter::new().with_function("ship"));
    /// let mut cancelled = 0;
    /// while let Some(filter) = left.take() {
    ///     let part = worker.runs().cancel_part(filter.clone()).await?;
    ///     cancelled += part.cancelled;
    ///     println!("{cancelled} runs are cancelled so far");
    ///     left = part.next.map(|mark| filter.with_after(mark));
    /// }
    /// # assert_eq!(cancelled, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`cancel_all`](Self::cancel_all), though a mark is no error here, unless no part gave it.
    pub async fn cancel_part(&self, filter: RunFilter) -> Result<CancelledRuns> {
        let (done, result) = self.cancel_some(filter).await;
        result.map_err(|error| after(&done, error))?;
        Ok(done)
    }

    /// The same, with what was done before an error.
    pub(crate) async fn cancel_some(&self, filter: RunFilter) -> (CancelledRuns, Result<()>) {
        match self.bulk(filter) {
            Ok(mut bulk) => {
                let result = bulk.part(PART).await;
                (bulk.done, result)
            }
            Err(error) => (CancelledRuns::default(), Err(error)),
        }
    }

    fn bulk(&self, mut filter: RunFilter) -> Result<Bulk<'_>> {
        chosen::check(&filter, self.clock.now())?;
        let action = format!("cancel all with {}", chosen::words(&filter));
        self.tell_of(&action);
        if filter.statuses.is_empty() {
            filter.statuses = RunStatus::UNFINISHED.into();
        }
        Ok(Bulk {
            runs: self,
            filter,
            action,
            done: CancelledRuns::default(),
            stuck: HashSet::new(),
            failures: 0,
            error: None,
            gives_up: false,
        })
    }
}

impl Bulk<'_> {
    /// Cancels page after page, until about so many runs were listed. Pages go from newer runs to older ones, so they end although
    /// others are published.
    async fn part(&mut self, most: usize) -> Result<()> {
        let result = self.pages(most).await;
        self.error.take().map_or(result, Err)
    }

    async fn pages(&mut self, most: usize) -> Result<()> {
        let mut listed = 0;
        let mut asked = self.filter.clone();
        self.done.next.clone_from(&asked.after);
        while listed < most && self.room() > 0 {
            asked.limit = self.room().min(PAGE).min(most - listed);
            let batch = self.batch(&mut asked).await?;
            listed += batch.listed.max(1);
            let next = batch.next.clone();
            self.cancel(batch).await;
            if self.gives_up {
                break;
            }
            self.done.next.clone_from(&next);
            if next.is_none() {
                break;
            }
            asked.after = next;
        }
        Ok(())
    }

    /// Cancels these runs, each before those that it has called or started: it would hear of their end and go on.
    async fn cancel(&mut self, mut batch: Batch) {
        let mut runs = std::mem::take(&mut batch.runs);
        runs.sort_by_key(depth);
        for generation in runs.chunk_by(|one, other| depth(one) == depth(other)) {
            let left = generation.iter().filter(|run| {
                !batch.settled.contains(&run.run_id) && !batch.is_below(run, &self.stuck)
            });
            let left: Vec<_> = left.collect();
            for some in left.chunks(AT_ONCE) {
                if self.gives_up {
                    return;
                }
                self.cancel_at_once(some, &mut batch).await;
            }
        }
    }

    async fn cancel_at_once(&mut self, some: &[&RunRecord], batch: &mut Batch) {
        let ends = join_all(some.iter().map(|run| self.end(run, batch))).await;
        let mut cancelled = Vec::new();
        for (run, end) in some.iter().zip(ends) {
            match end {
                Ok(Some(with_it)) => {
                    self.done.cancelled += 1 + with_it.cancelled;
                    self.done.ended += with_it.ended;
                    batch.settled.extend(with_it.settled);
                    batch.gone.insert(Arc::clone(&run.run_id));
                    cancelled.push(run);
                }
                Ok(None) => self.done.ended += 1,
                Err(error) => {
                    self.fail(&run.run_id, error);
                    continue;
                }
            }
            self.failures = 0;
        }
        let told = join_all(cancelled.iter().map(|run| self.runs.tell_parent(run))).await;
        let mut first = None;
        let mut left = Vec::new();
        for (run, told) in cancelled.into_iter().zip(told) {
            if let Err(error) = told {
                first.get_or_insert(error);
                left.push(&run.run_id);
            }
        }
        if let Some(error) = first {
            self.gives_up = true;
            self.error = Some(untold(&left, error));
        }
    }

    /// Cancels a run; if it was, by this or with its parent just before, what has ended with it.
    async fn end(&self, run: &RunRecord, batch: &Batch) -> Result<Option<held::WithIt>> {
        let runs = self.runs;
        if run.status == RunStatus::Undoing {
            // It is on its way to its end.
            return Ok(None);
        }
        runs.note_quietly(&run.run_id, &self.action).await?;
        let held = self.held(run, batch).await?;
        if runs.end(&run.run_id).await? {
            return Ok(Some(self.ended(held, batch).await));
        }
        let now = runs.store.run(&run.run_id).await?;
        let is_cancelled = now.is_some_and(|run| run.status == RunStatus::Cancelled);
        let with_parent = is_cancelled && batch.is_held(run);
        if with_parent {
            runs.tell_cancelled(&run.run_id);
        }
        Ok(with_parent.then(held::WithIt::default))
    }
}

/// An error that matters more than others: nothing but another cancel hands these parents on.
fn untold(runs: &[&Arc<str>], error: Error) -> Error {
    let text = if let [run_id] = runs {
        format!(
            "the run `{run_id}` was cancelled, but the one that has called it was not handed on; cancel `{run_id}` again"
        )
    } else {
        let ids: Vec<_> = runs.iter().map(|run_id| format!("`{run_id}`")).collect();
        let ids = ids.join(", ");
        format!(
            "the runs {ids} were cancelled, but those that have called them were not handed on; cancel each of them again"
        )
    };
    Error::new(error.kind(), text)
        .with_source(error)
        .with_run(runs[0])
}
