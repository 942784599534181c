//! A family as large as they come: one parent of 5,000, and a chain as deep as it may be.

use std::{sync::Arc, time::Duration};

use belts::{
    Worker, call, step,
    store::{Memory, SharedStore},
    testing::{Reopen, SqliteFile},
};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{
    gated::{looped, within, within_time},
    places::{InSchema, UnderPrefix},
};

const CHILDREN: u32 = 5_000;
/// The most calls of which one may be within the other.
const DEEP: u32 = 64;
/// The machine may be slow.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Serialize, Deserialize, belts::Event)]
#[event(type = "z-many-counted")]
struct Counted {
    number: u32,
}

#[belts::function(id = "z-many-child", on = Counted)]
async fn child(counted: Counted) -> belts::Result<u32> {
    step!("count", counted.number).await
}

#[belts::function(id = "z-many-parent", on = Counted)]
async fn parent(counted: Counted) -> belts::Result<u64> {
    let calls = (0..counted.number)
        .map(|number| async move { call!("child-{number}", child(Counted { number })).await });
    let numbers = try_join_all(calls).await?;
    Ok(numbers.into_iter().map(u64::from).sum())
}

#[belts::function(id = "z-many-nested", on = Counted)]
async fn nested(counted: Counted) -> belts::Result<u32> {
    let Some(number) = counted.number.checked_sub(1) else {
        return step!("bottom", 0).await;
    };
    let below = call!("below", nested(Counted { number })).await?;
    Ok(below + 1)
}

async fn ends(place: impl Reopen) {
    let store: SharedStore = place.open().await.unwrap();
    let worker = Worker::builder()
        .shared_store(Arc::clone(&store))
        .function(parent)
        .function(child)
        .function(nested)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let number = CHILDREN;
    let run = parent(Counted { number })
        .via(&worker)
        .start()
        .await
        .unwrap();
    let sum = within_time(LIMIT, "the family", run.result())
        .await
        .unwrap();
    assert_eq!(sum, (0..u64::from(CHILDREN)).sum::<u64>());
    let number = DEEP;
    let run = nested(Counted { number })
        .via(&worker)
        .start()
        .await
        .unwrap();
    let depth = within_time(LIMIT, "the chain", run.result()).await.unwrap();
    assert_eq!(depth, DEEP);
    worker.shutdown();
    within("it ends", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn five_thousand_children_and_a_deep_chain_end_on_memory() {
    ends(Memory::new()).await;
}

#[tokio::test]
async fn five_thousand_children_and_a_deep_chain_end_on_sqlite() {
    ends(SqliteFile::temporary()).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn five_thousand_children_and_a_deep_chain_end_on_postgres() {
    ends(InSchema::new()).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn five_thousand_children_and_a_deep_chain_end_on_redis() {
    ends(UnderPrefix::new()).await;
}
