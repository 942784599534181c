//! Reading page after page, though what answers may never come to an end.

use std::collections::HashSet;

use super::{
    place::{Asked, Place},
    wrong::Wrong,
};
use crate::inspect::shape::ShownRun;

/// The most runs that are asked for at once.
const PAGE: usize = 500;
/// How many pages in a row may hold nothing.
const MOST_EMPTY: usize = 1_000;

/// Reads pages until there are so many runs; and where to go on.
pub(super) async fn collect(
    place: &dyn Place,
    mut asked: Asked,
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
            return Err(endless("it sends more runs than it was asked for"));
        }
        runs.append(&mut page.runs);
        let Some(next) = page.next else {
            return Ok((runs, None));
        };
        if runs.len() >= most {
            return Ok((runs, Some(next)));
        }
        if empty >= MOST_EMPTY {
            return Err(endless("page after page holds nothing"));
        }
        if !marks.insert(next.clone()) {
            return Err(endless("a page names an earlier one as its next"));
        }
        asked.page = Some(next);
    }
}

fn endless(what: &str) -> Wrong {
    Wrong::Failed(format!(
        "the list of runs does not come to an end, so nothing was done: {what}; is what answers a worker?"
    ))
}
