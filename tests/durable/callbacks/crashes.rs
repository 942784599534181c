//! Callbacks beside crashes: completed before or after, whichever write the process dies at, on each store.

use std::time::Duration;

use belts::{
    ErrorKind,
    store::{Memory, RunStatus},
    testing::{Crash, Harness, Reopen, SqliteFile},
};

use super::{Decision, asks};
use crate::{
    gated::{named, only, within_time},
    places::{InSchema, UnderPrefix},
};

/// A sweep opens a store two dozen times, which takes a server a while.
const LIMIT: Duration = Duration::from_secs(90);

/// Whoever hears nothing tries again.
async fn complete(harness: &Harness, id: &str) {
    while let Err(error) = harness.complete(id, &Decision::NotNow).await {
        assert_eq!(error.kind(), ErrorKind::Store, "{error:?}");
        harness.restart().await.unwrap();
    }
}

/// A process that dies at any of its writes, with the callback completed before or after, on each store.
async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
    for early in [true, false] {
        for write in 0..12 {
            let harness = Harness::builder().store(place()).function(asks);
            let harness = harness.build().await.unwrap();
            let name = format!("{} {early} {write}", std::any::type_name::<P>());
            harness.faults().crash(Crash::After(write));
            let run = harness.run(asks, named(&name)).run_id("r").await.unwrap();
            let id = run.callback("approval").unwrap();
            if early {
                complete(&harness, &id).await;
            }
            harness.settle().await.unwrap();
            complete(&harness, &id).await;
            harness.settle().await.unwrap();
            let run = only(harness.runs_of(asks).await);
            assert_eq!(run.output().unwrap(), Decision::NotNow, "write {write}");
            run.assert_steps(&["approval", "ask", "approval/result", "book"]);
            let record = run.record().unwrap();
            assert_eq!(
                (record.status, record.failed_attempts),
                (RunStatus::Completed, 0)
            );
        }
    }
}

#[tokio::test]
async fn callbacks_survive_every_crash_on_memory() {
    within_time(LIMIT, "the sweep", survives_every_crash(Memory::new)).await;
}

#[tokio::test]
async fn callbacks_survive_every_crash_on_sqlite() {
    within_time(
        LIMIT,
        "the sweep",
        survives_every_crash(SqliteFile::temporary),
    )
    .await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn callbacks_survive_every_crash_on_postgres() {
    within_time(LIMIT, "the sweep", survives_every_crash(InSchema::new)).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn callbacks_survive_every_crash_on_redis() {
    within_time(LIMIT, "the sweep", survives_every_crash(UnderPrefix::new)).await;
}
