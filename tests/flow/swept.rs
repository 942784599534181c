//! Runs with flow options whose worker dies before and after each of its writes.

use std::time::Duration;

use belts::{
    Event, step,
    testing::{SqliteFile, sweep},
};
use serde::{Deserialize, Serialize};

use crate::places::{InSchema, UnderPrefix};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Tried {
    key: String,
}

#[belts::function(
    id = "tried",
    on = Tried,
    idempotent(key = |e| &e.key),
    rate_limit(limit = 10, per = "1h"),
    singleton(key = |e| &e.key, then = "queue"),
    throttle(limit = 10, per = "1m"),
)]
async fn tried(event: Tried) -> belts::Result<String> {
    let key = step!("key", event.key.clone()).await?;
    step!("length", key.len()).await?;
    Ok(key)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Gathered {
    key: String,
}

#[belts::function(id = "gathered", on = Gathered, batch(size = 3, within = "5s"), throttle(limit = 10, per = "1m"))]
async fn gathered(events: Vec<Gathered>) -> belts::Result<usize> {
    step!("count", events.len()).await
}

fn event() -> Tried {
    Tried {
        key: "a".to_owned(),
    }
}

const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_loses_no_run() {
    let swept = async {
        sweep(SqliteFile::temporary)
            .function(tried)
            .event(event())
            .await
            .unwrap();
        sweep(SqliteFile::temporary)
            .function(gathered)
            .event(vec![Gathered {
                key: "a".to_owned(),
            }])
            .await
            .unwrap();
    };
    tokio::time::timeout(LIMIT, swept).await.expect("in time");
}

#[cfg_attr(not(has_postgres), ignore = "no PostgreSQL server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_loses_no_run_in_postgres() {
    let swept = sweep(InSchema::new).function(tried).event(event());
    tokio::time::timeout(LIMIT, swept.into_future())
        .await
        .expect("in time")
        .unwrap();
}

#[cfg_attr(not(has_redis), ignore = "no Redis server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_loses_no_run_in_redis() {
    let swept = sweep(UnderPrefix::new).function(tried).event(event());
    tokio::time::timeout(LIMIT, swept.into_future())
        .await
        .expect("in time")
        .unwrap();
}
