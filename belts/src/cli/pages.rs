//! Reads page after page, although a server might send them endlessly.

use std::collections::HashSet;

use super::{
    place::{Filters, Place},
    wrong::Wrong,
};
use crate::inspect::shape::ShownRun;

/// The most runs per request.
const PAGE: usize = 500;
/// How many pages in a row may be empty.
const MOST_EMPTY: usize = 1_000;

/// Reads pages until there are this many runs, and returns where to continue.
pub(super) async fn collect(
    place: &dyn Place,
    mut asked: Filters,
    most: usize,
) -> Result<(Vec<ShownRun>, Option<String>), Wrong> {
    let mut runs: Vec<ShownRun> = Vec::new();
    let mut marks = HashSet::new();
    let mut empty = 0;
    loop {
        let room = most - runs.len();
        asked.limit = room.min(PAGE);
        let mut page = place.list(asked.clone()).await?;
        empty = if page.runs.is_empty() { empty + 1 } else { 0 };
        if page.runs.len() > asked.limit {
            return Err(endless("it sends more runs than requested"));
        }
        runs.append(&mut page.runs);
        let Some(next) = page.next else {
            return Ok((runs, None));
        };
        if runs.len() >= most {
            return Ok((runs, Some(next)));
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
