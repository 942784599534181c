//! Lists that look at few runs, and what ended lately.

use std::sync::Arc;

use super::{
    bench::{Bench, Client, at, event, subscription},
    inspection::{complete, fail},
};
use crate::{
    error::Result,
    store::{EndedGroup, RunFilter, RunStatus},
};

/// More pages than any list here can have.
const MOST_PAGES: usize = 100;

impl Client {
    /// The runs of all pages, by their events.
    async fn all_pages(&self, mut filter: RunFilter) -> Result<Vec<String>> {
        let mut seen = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.list(filter.clone()).await?;
            let events = page.runs.iter();
            seen.extend(events.map(|run| format!("{} {}", run.event_id, run.function_id)));
            filter.after = page.next;
            if filter.after.is_none() {
                return Ok(seen);
            }
        }
        panic!("the pages have no end: {filter:?}");
    }
}

pub(super) async fn list_stops_after_some_looks(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let wants = vec![subscription("f", &["x"]), subscription("g", &["y"])];
    let worker = store.subscribe(wants).await?;
    for number in 0..12 {
        let event_type = if number % 4 == 1 { "y" } else { "x" };
        let event = event(&format!("e-{number}"), event_type);
        store.publish_all(vec![event], at(1)).await?;
    }
    for (place, run) in store
        .take(worker, &["f", "g"], at(2))
        .await?
        .runs
        .iter()
        .enumerate()
    {
        // Of those that are left some are driven, and the others wait.
        let end = match place % 5 {
            0 => fail(),
            1 | 2 => complete(),
            _ => continue,
        };
        store
            .must_write(run.lease, Vec::new(), Some(end), at(3))
            .await?;
    }
    store.publish_all(vec![event("e-12", "y")], at(4)).await?;
    let all = RunFilter::new;
    let filters = [
        all(),
        all().with_function("g"),
        all().with_function("nobody"),
        all().with_statuses([RunStatus::Failed]),
        all()
            .with_statuses([RunStatus::Failed, RunStatus::Cancelled])
            .with_function("f"),
        all().with_statuses([RunStatus::Failed, RunStatus::Completed]),
        all().with_statuses(RunStatus::UNFINISHED),
        all().with_statuses([RunStatus::Running]).with_function("g"),
        all().with_statuses([RunStatus::Pending]),
        all().with_event("e-5"),
    ];
    for filter in filters {
        let whole = store
            .all_pages(filter.clone().with_limit(MOST_PAGES))
            .await?;
        for (looks, limit) in [(1, 1), (2, 5), (3, 1), (5, 2), (50, 3)] {
            let asked = filter.clone().with_looks(looks).with_limit(limit);
            let pages = store.all_pages(asked.clone()).await?;
            assert_eq!(pages, whole, "{asked:?}");
        }
    }
    Ok(())
}

pub(super) async fn ended_counts_the_last(bench: Bench) -> Result<()> {
    let store = &bench.store;
    let worker = store.worker(&["f", "g"]).await?;
    if store.ended(at(0), 10).await?.is_none() {
        return Ok(());
    }
    for (number, function) in ["f", "f", "g", "f", "g"].into_iter().enumerate() {
        store.start(&format!("e-{number}"), function).await?;
        let lease = store.take_one(worker, &[function], at(1)).await?.lease;
        let end = if number % 2 == 0 { complete() } else { fail() };
        let now = at(10 + i64::try_from(number).unwrap_or(0));
        store.must_write(lease, Vec::new(), Some(end), now).await?;
    }
    store.start("open", "f").await?;
    let ended = async |since: i64, most: usize| {
        let ended = store
            .ended(at(since), most)
            .await?
            .expect("it has told before");
        Result::Ok((ended.since, ended.groups))
    };
    let group = |function: &str, status, runs, last: i64| {
        EndedGroup::new(Arc::<str>::from(function), status, runs, at(last))
    };
    let all = vec![
        group("f", RunStatus::Completed, 1, 10),
        group("f", RunStatus::Failed, 2, 13),
        group("g", RunStatus::Completed, 2, 14),
    ];
    assert_eq!(ended(10, 100).await?, (at(10), all));
    let last = vec![
        group("f", RunStatus::Failed, 1, 13),
        group("g", RunStatus::Completed, 2, 14),
    ];
    assert_eq!(ended(12, 100).await?, (at(12), last.clone()));
    // No more are counted than were asked for: all of them since the earliest that was.
    assert_eq!(ended(0, 3).await?, (at(12), last));
    assert_eq!(ended(15, 3).await?, (at(15), Vec::new()));
    Ok(())
}
