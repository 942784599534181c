//! Cancelling all runs that pass a filter, part by part.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;

use super::{Runs, chosen};
use crate::{
    error::{Error, Result},
    store::{RunFilter, RunRecord, RunStatus},
};

/// How many runs are listed at once.
const PAGE: usize = 200;
/// How many runs form one part: a request that cancels is answered within seconds.
const PART: usize = 1_000;
/// How many runs are cancelled side by side.
const AT_ONCE: usize = 8;

/// How many of the runs that pass a filter were cancelled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelledRuns {
    /// Runs that were cancelled.
    pub cancelled: usize,
    /// Runs that had ended before it was their turn.
    pub ended: usize,
    /// Where the next part begins, for [`RunFilter::after`]; `None` if no run is left. After
    /// [`cancel_all`](Runs::cancel_all) some are left only because of the limit.
    pub next: Option<String>,
}

impl Runs {
    /// Cancels every unfinished run that passes the filter now, each as [`cancel`](Self::cancel) does.
    ///
    /// Runs that are published while it is at work are left alone. [`limit`](RunFilter::limit) is the most runs to cancel, the
    /// newest first; without one there is no limit, and a run is cancelled before those that it has called or started. Attached
    /// children of a run are cancelled with it, whether or not they pass the filter; those that do are counted.
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
    /// every run of the store. To do that, name every status of [`RunStatus::UNFINISHED`]. Or it has an id that is empty, names the
    /// status of runs that have ended, or has a mark in [`after`](RunFilter::after).
    ///
    /// Also if the store cannot be reached or written. The error says how many runs were cancelled before.
    pub async fn cancel_all(&self, filter: RunFilter) -> Result<CancelledRuns> {
        chosen::without_mark(&filter)?;
        let mut bulk = self.bulk(filter)?;
        let result = bulk.part(usize::MAX).await;
        result.map_err(|error| after(bulk.done.cancelled, error))?;
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
        result.map_err(|error| after(done.cancelled, error))?;
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
        chosen::check(&filter)?;
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
        })
    }
}

/// Cancelling under way.
struct Bulk<'a> {
    runs: &'a Runs,
    filter: RunFilter,
    action: String,
    done: CancelledRuns,
}

impl Bulk<'_> {
    /// Cancels page after page, until about so many runs were listed. Pages go from newer runs to older ones, so they end although
    /// others are published.
    async fn part(&mut self, most: usize) -> Result<()> {
        let mut listed = 0;
        let mut asked = self.filter.clone();
        while listed < most && !self.is_full() {
            asked.limit = self.room().min(PAGE).min(most - listed);
            let page = self.runs.store.list(asked.clone()).await?;
            listed += page.runs.len();
            self.cancel(page.runs).await?;
            self.done.next.clone_from(&page.next);
            if page.next.is_none() {
                break;
            }
            asked.after = page.next;
        }
        Ok(())
    }

    /// How many more runs may be cancelled.
    fn room(&self) -> usize {
        match self.filter.limit {
            0 => usize::MAX,
            limit => limit - self.done.cancelled.min(limit),
        }
    }

    fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Cancels these runs, each before those that it has called or started: it would hear of their end and go on.
    async fn cancel(&mut self, page: Vec<RunRecord>) -> Result<()> {
        let mut runs = self.with_parents(page).await?;
        let depth = |run: &RunRecord| run.parent.as_ref().map_or(0, |parent| parent.depth);
        runs.sort_by_key(depth);
        let mut gone = HashSet::new();
        for generation in runs.chunk_by(|one, other| depth(one) == depth(other)) {
            for some in generation.chunks(AT_ONCE) {
                self.cancel_at_once(some, &mut gone).await?;
            }
        }
        Ok(())
    }

    async fn cancel_at_once(
        &mut self,
        some: &[RunRecord],
        gone: &mut HashSet<Arc<str>>,
    ) -> Result<()> {
        let ends = join_all(some.iter().map(|run| self.end(run, gone))).await;
        let mut failed = None;
        let mut cancelled = Vec::new();
        for (run, end) in some.iter().zip(ends) {
            match end {
                Ok(true) => cancelled.push(run),
                Ok(false) => self.done.ended += 1,
                Err(error) => failed = Some(error),
            }
        }
        self.done.cancelled += cancelled.len();
        gone.extend(cancelled.iter().map(|run| Arc::clone(&run.run_id)));
        let told = join_all(cancelled.iter().map(|run| self.runs.tell_parent(run))).await;
        for (run, told) in cancelled.into_iter().zip(told) {
            if let Err(error) = told {
                failed = Some(untold(run, error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Cancels a run; whether it was, by this or with its parent just before.
    async fn end(&self, run: &RunRecord, gone: &HashSet<Arc<str>>) -> Result<bool> {
        let runs = self.runs;
        runs.note_quietly(&run.run_id, &self.action).await?;
        if runs.end(&run.run_id).await? {
            return Ok(true);
        }
        let now = runs.store.run(&run.run_id).await?;
        let is_cancelled = now.is_some_and(|run| run.status == RunStatus::Cancelled);
        let with_parent = is_cancelled && self.is_held_by(run, gone).await?;
        if with_parent {
            runs.tell_cancelled(&run.run_id);
        }
        Ok(with_parent)
    }

    /// Whether a run ends with one of these, to which it is attached, though others may be between them.
    async fn is_held_by(&self, run: &RunRecord, gone: &HashSet<Arc<str>>) -> Result<bool> {
        let mut above = run.parent.clone();
        while let Some(parent) = above.filter(|parent| parent.attached) {
            if gone.contains(&parent.run_id) {
                return Ok(true);
            }
            let record = self.runs.store.run(&parent.run_id).await?;
            above = record.and_then(|record| record.parent);
        }
        Ok(false)
    }

    /// The same runs, and those above them that pass the filter too and are on a later page. Once it has heard of the end of a
    /// child, a run may no longer have the status that the filter names.
    async fn with_parents(&self, mut runs: Vec<RunRecord>) -> Result<Vec<RunRecord>> {
        if self.filter.limit > 0 || self.filter.parent.is_some() {
            return Ok(runs);
        }
        let above = |run: &RunRecord| Some(Arc::clone(&run.parent.as_ref()?.run_id));
        let mut seen: HashSet<_> = runs.iter().map(|run| Arc::clone(&run.run_id)).collect();
        let mut next: Vec<_> = runs.iter().filter_map(above).collect();
        while let Some(run_id) = next.pop() {
            if !seen.insert(Arc::clone(&run_id)) {
                continue;
            }
            if let Some(run) = self.runs.store.run(&run_id).await? {
                next.extend(above(&run));
                if chosen::passes(&self.filter, &run) {
                    runs.push(run.listed());
                }
            }
        }
        Ok(runs)
    }
}

/// An error with what was done before it.
fn after(cancelled: usize, error: Error) -> Error {
    let text = match cancelled {
        0 => return error,
        1 => "1 run was cancelled before this failed".to_owned(),
        _ => format!("{cancelled} runs were cancelled before this failed"),
    };
    Error::new(error.kind(), text).with_source(error)
}

fn untold(run: &RunRecord, error: Error) -> Error {
    let run_id = &run.run_id;
    let text = format!(
        "the run `{run_id}` was cancelled, but the one that has called it was not handed on; cancel `{run_id}` again"
    );
    Error::new(error.kind(), text)
        .with_source(error)
        .with_run(run_id)
}
