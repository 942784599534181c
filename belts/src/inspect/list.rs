//! Listing runs: which ones, and how many at once.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    time::SystemTime,
};

use crate::{
    error::Result,
    store::{RunFilter, RunPage, RunRecord, RunStatus, SharedStore, Tag},
};

/// The size limit of a page in bytes, though it has at least one run.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A list of runs to be read: await it, with or without filters. Each filter narrows it.
///
/// It has no payloads and no outputs, and of failures at most 16 KiB each: [`Runs::get`](crate::Runs::get) returns all of one
/// run. A page of more than 4 MiB ends early, and the next continues where it ended.
///
/// ```
/// use belts::store::RunStatus;
/// use std::time::{Duration, SystemTime};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let worker = belts::Worker::builder().store_url("memory:").publish_only().build().await?;
/// # let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let yesterday = now - Duration::from_secs(24 * 3600);
/// let failed = worker.runs().list().function("process-order").status(RunStatus::Failed).since(yesterday);
/// let mut page = failed.clone().await?;
/// while let Some(mark) = page.next.take() {
///     page = failed.clone().after(mark).await?;
/// }
/// # assert!(page.runs.is_empty());
/// # Ok(()) }
/// ```
#[must_use = "nothing is listed until this is awaited: add `.await`"]
#[derive(Clone)]
pub struct ListRuns {
    store: SharedStore,
    filter: RunFilter,
}

impl ListRuns {
    pub(super) fn new(store: SharedStore) -> Self {
        Self {
            store,
            filter: RunFilter::default(),
        }
    }

    /// What was asked for.
    #[cfg(feature = "http")]
    pub(crate) fn into_filter(self) -> RunFilter {
        self.filter
    }

    /// Only runs of this function.
    pub fn function(mut self, id: impl AsRef<str>) -> Self {
        self.filter.function_id = Some(id.as_ref().into());
        self
    }

    /// Only runs with this status; called again, runs with any of them.
    pub fn status(mut self, status: RunStatus) -> Self {
        self.filter.statuses.push(status);
        self
    }

    /// Only runs of this event.
    pub fn event(mut self, id: impl AsRef<str>) -> Self {
        self.filter.event_id = Some(id.as_ref().into());
        self
    }

    /// Only runs that this run has called or started.
    pub fn parent(mut self, id: impl AsRef<str>) -> Self {
        self.filter.parent = Some(id.as_ref().into());
        self
    }

    /// Only runs with this [tag](crate::Context::tag); called again, runs with all of them.
    pub fn tag(mut self, name: impl AsRef<str>, value: impl fmt::Display) -> Self {
        let tag = Tag::new(name.as_ref(), value.to_string());
        self.filter.tags.push(tag);
        self
    }

    /// Only runs that ended at this time or later; of unfinished runs, the time of the event counts.
    pub fn since(mut self, time: impl Into<SystemTime>) -> Self {
        self.filter.since = Some(time.into().into());
        self
    }

    /// Only runs that ended before this time; of unfinished runs, the time of the event counts.
    pub fn until(mut self, time: impl Into<SystemTime>) -> Self {
        self.filter.until = Some(time.into().into());
        self
    }

    /// The most runs per page; default 100.
    pub fn limit(mut self, runs: usize) -> Self {
        self.filter.limit = runs;
        self
    }

    /// Continues after a page, with its [`next`](RunPage::next).
    pub fn after(mut self, mark: impl Into<String>) -> Self {
        self.filter.after = Some(mark.into());
        self
    }
}

impl IntoFuture for ListRuns {
    type Output = Result<RunPage>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut filter = self.filter;
            let page = self.store.list(filter.clone()).await?;
            let fitting = fitting(&page.runs);
            if fitting >= page.runs.len() {
                return Ok(page);
            }
            // Only the store knows where a shorter page ends.
            filter.limit = fitting;
            self.store.list(filter).await
        })
    }
}

/// How many of these runs fit into a page.
fn fitting(runs: &[RunRecord]) -> usize {
    let mut bytes = 0;
    let fits = |run: &&RunRecord| {
        bytes += run.payload.len() + run.result.as_ref().map_or(0, |result| result.len());
        bytes <= MOST_BYTES
    };
    runs.iter().take_while(fits).count().max(1)
}

impl fmt::Debug for ListRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRuns")
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}
