//! Without a loop, on a clock that stands still and with messages that the test carries: ticks travel as messages, and whoever gets one starts what is due and hands on the next.

use std::{sync::Arc, time::Duration};

use belts::{
    Function, Timestamp, Worker,
    store::{Memory, RunRecord, RunStatus, SharedStore},
    testing::ManualClock,
};

mod cold;
mod flow;
mod gives_way;
mod handled;
mod lost;
mod outside;
mod places;
mod post;
mod pushed;
mod unreadable;
mod woken;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// 2025-01-03T00:30:00Z.
fn start() -> Timestamp {
    Timestamp::from_millis(1_735_864_200_000)
}

fn hour(hour: u32) -> Timestamp {
    start().before(MINUTE * 30).after(HOUR * hour)
}

fn memory() -> SharedStore {
    Arc::new(Memory::new())
}

/// A store, a clock that stands still, and a service that the test moves.
fn house() -> (SharedStore, ManualClock, post::Post) {
    let clock = ManualClock::new(start());
    let post = post::Post::new(&clock);
    (memory(), clock, post)
}

async fn runs_of<M>(worker: &Worker, function: impl Function<M>) -> Vec<RunRecord> {
    let list = worker.runs().list().function(belts::id_of(function));
    list.limit(1_000).await.unwrap().runs
}

async fn statuses<M>(worker: &Worker, function: impl Function<M>) -> Vec<RunStatus> {
    let mut runs = runs_of(worker, function).await;
    runs.sort_by_key(|run| run.created_at);
    runs.iter().map(|run| run.status).collect()
}
