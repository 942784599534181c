//! Reads page after page, although a server might send them endlessly.

use std::collections::HashSet;

use super::{
    place::{Filters, Place},
    wrong::Wrong,
};
use crate::inspect::{RunCount, count::Tally, shape::ShownRun};

/// The most runs per request.
const PAGE: usize = 500;
/// How many pages in a row may be empty.
const MOST_EMPTY: usize = 1_000;

/// Reads pages until there are this many runs, and returns where to continue.
pub(super) async fn collect(
    place: &dyn Place,
    asked: Filters,
    most: usize,
) -> Result<(Vec<ShownRun>, Option<String>), Wrong> {
    let mut runs: Vec<ShownRun> = Vec::new();
    let next = each_page(place, asked, most, |mut page| runs.append(&mut page)).await?;
    Ok((runs, next))
}

/// Counts the runs, but no more than these.
pub(super) async fn count(
    place: &dyn Place,
    asked: Filters,
    most: usize,
) -> Result<RunCount, Wrong> {
    let mut tally = Tally::default();
    let next = each_page(place, asked, most, |page| {
        for run in page {
            tally.add(&run.function_id, run.status);
        }
    })
    .await?;
    Ok(tally.count(next.is_some()))
}

/// Takes page after page until there were this many runs, and returns where to continue.
async fn each_page(
    place: &dyn Place,
    mut asked: Filters,
    most: usize,
    mut take: impl FnMut(Vec<ShownRun>) + Send,
) -> Result<Option<String>, Wrong> {
    let mut taken = 0;
    let mut marks = HashSet::new();
    let mut empty = 0;
    loop {
        let room = most - taken;
        asked.limit = room.min(PAGE);
        let page = place.list(asked.clone()).await?;
        empty = if page.runs.is_empty() { empty + 1 } else { 0 };
        if page.runs.len() > asked.limit {
            return Err(endless("it sends more runs than requested"));
        }
        taken += page.runs.len();
        take(page.runs);
        let Some(next) = page.next else {
            return Ok(None);
        };
        if taken >= most {
            return Ok(Some(next));
        }
        if empty >= MOST_EMPTY {
            return Err(endless("every page is empty"));
        }
        if !marks.insert(next.clone()) {
            return Err(endless("a page links back to an earlier one"));
        }
        asked.page = Some(next);
    }
}

fn endless(what: &str) -> Wrong {
    Wrong::Failed(format!(
        "the list of runs does not end, so nothing was done: {what}; is this a worker?"
    ))
}
