//! Counting runs, by function and status.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::Runs;
use crate::{
    error::Result,
    plain::grouped,
    store::{RunFilter, RunStatus},
};

/// The most runs that are counted, unless a filter says otherwise.
pub(crate) const MOST: usize = 10_000;
/// How many runs are listed at once.
const PAGE: usize = 500;

/// How many runs pass a filter; shown as `1,204`, or as `10,000+` if there are more than were counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunCount {
    /// All that were counted.
    pub runs: usize,
    /// Whether there are more.
    pub more: bool,
    /// The same by function and status: sorted by the function's id, then in the order of a run's life.
    pub groups: Vec<RunGroup>,
}

/// How many runs of one function have one status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunGroup {
    /// The function.
    pub function_id: Arc<str>,
    /// The status.
    pub status: RunStatus,
    /// The runs that were counted.
    pub runs: usize,
}

/// Runs that are being counted.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<Arc<str>, BTreeMap<RunStatus, usize>>);

impl Tally {
    pub(crate) fn add(&mut self, function_id: &str, status: RunStatus) {
        let of_function = match self.0.get_mut(function_id) {
            Some(of_function) => of_function,
            None => self.0.entry(function_id.into()).or_default(),
        };
        *of_function.entry(status).or_default() += 1;
    }

    pub(crate) fn count(self, more: bool) -> RunCount {
        let mut groups = Vec::new();
        for (function_id, by_status) in self.0 {
            groups.extend(by_status.into_iter().map(|(status, runs)| RunGroup {
                function_id: Arc::clone(&function_id),
                status,
                runs,
            }));
        }
        RunCount {
            runs: groups.iter().map(|group| group.runs).sum(),
            more,
            groups,
        }
    }
}

impl Runs {
    /// Counts the runs that pass the filter, by function and status: at most [`limit`](RunFilter::limit) of them, or 10,000 if
    /// that is 0.
    ///
    /// It reads their list page by page.
    ///
    /// # Errors
    /// As awaiting [`list`](Self::list).
    pub async fn count(&self, mut filter: RunFilter) -> Result<RunCount> {
        let most = if filter.limit == 0 {
            MOST
        } else {
            filter.limit
        };
        let (mut tally, mut counted) = (Tally::default(), 0);
        loop {
            filter.limit = PAGE.min(most - counted);
            let page = self.store.list(filter.clone()).await?;
            for run in &page.runs {
                tally.add(&run.function_id, run.status);
            }
            counted += page.runs.len();
            let more = page.next.is_some();
            if !more || counted >= most {
                return Ok(tally.count(more));
            }
            filter.after = page.next;
        }
    }
}

impl fmt::Display for RunCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more { "+" } else { "" };
        write!(f, "{}{more}", grouped(self.runs))
    }
}
