//! Runs by a filter, and no longer than a page may take: where few runs pass, the search stops and says so.

use std::time::{Duration, Instant};

use crate::{
    error::Result,
    inspect::{
        Runs,
        count::{RunCount, Tally},
    },
    store::{RunFilter, RunRecord},
};

/// How long a page searches.
const PATIENCE: Duration = Duration::from_millis(80);
/// How many runs the store looks at between two looks at the time.
const LOOKS: usize = 10_000;
/// How many runs are read at once to compare their ids.
const COMPARED: usize = 200;

/// What was found.
pub(super) struct Found {
    pub(super) runs: Vec<RunRecord>,
    /// Where to go on.
    pub(super) next: Option<String>,
    /// Whether the time was over before there were as many as were wanted.
    pub(super) stopped: bool,
}

/// About `wanted` runs that pass, whose ids have this text.
pub(super) async fn search(
    runs: &Runs,
    mut filter: RunFilter,
    text: Option<&str>,
    wanted: usize,
) -> Result<Found> {
    let time = Time::begin();
    let mut found = Vec::new();
    filter.looks = LOOKS;
    loop {
        filter.limit = text.map_or(wanted - found.len(), |_| COMPARED);
        let page = runs.page(filter.clone()).await?;
        let passes = |run: &RunRecord| text.is_none_or(|text| run.run_id.contains(text));
        found.extend(page.runs.into_iter().filter(passes));
        let is_full = found.len() >= wanted;
        if page.next.is_none() || is_full || time.is_over() {
            return Ok(Found {
                runs: found,
                stopped: page.next.is_some() && !is_full,
                next: page.next,
            });
        }
        filter.after = page.next;
    }
}

/// How many runs pass, at most so many and as far as the time reaches.
pub(super) async fn count(runs: &Runs, mut filter: RunFilter, most: usize) -> Result<RunCount> {
    let time = Time::begin();
    let (mut tally, mut counted) = (Tally::default(), 0);
    filter.looks = LOOKS;
    loop {
        filter.limit = (most - counted).min(COMPARED);
        let page = runs.page(filter.clone()).await?;
        for run in &page.runs {
            tally.add(&run.function_id, run.status);
        }
        counted += page.runs.len();
        if page.next.is_none() || counted == most || time.is_over() {
            return Ok(tally.count(page.next.is_some()));
        }
        filter.after = page.next;
    }
}

/// The time that is left, which passes whatever the worker's clock says.
struct Time(Instant);

impl Time {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a request takes is no moment of a run"
    )]
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() >= PATIENCE
    }
}
