//! Runs that wait, and crashes before and after each write.

use belts::{
    store::Memory,
    testing::{Crash, Harness, Reopen, SqliteFile},
};

use super::{created, paid, payment};
use crate::places::UnderPrefix;

/// A crash before and after each write, of the run until it waits and of what the event sets going: the event is taken once, and
/// no recorded step runs again. The event comes after the wait, or before it.
async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
    for (write, kind) in (0..=7).flat_map(|write| [(write, 0), (write, 1)]) {
        let crash = || match kind {
            0 => Crash::Before(write),
            _ => Crash::After(write),
        };
        for comes_first in [false, true] {
            let name = format!("crash-{write}-{kind}-{comes_first}");
            let builder = Harness::builder().store(place()).function(payment);
            let harness = builder.build().await.unwrap();
            let call = || payment(created(&name)).run_id(&*name);
            call().via(&harness.worker()).start().await.unwrap();
            if !comes_first {
                if write > 0 {
                    harness.faults().crash(crash());
                }
                harness.settle().await.unwrap();
                harness.faults().disarm();
            }
            if write > 0 {
                harness.faults().crash(crash());
            }
            let publish = || harness.publish(paid(&name, 5)).idempotency_key(&*name);
            if publish().await.is_err() || harness.faults().has_crashed() {
                harness.restart().await.unwrap();
                publish().await.unwrap();
            }
            harness.settle().await.unwrap();
            let runs = harness.runs_of(payment).await.unwrap();
            assert_eq!(runs.len(), 1, "{name}");
            assert_eq!(runs[0].output().unwrap(), 5, "{name}");
            runs[0].assert_steps(&["begin", "payment", "ship"]);
        }
    }
}

#[tokio::test]
async fn a_wait_survives_every_crash_on_memory() {
    survives_every_crash(Memory::new).await;
}

#[tokio::test]
async fn a_wait_survives_every_crash_on_sqlite() {
    survives_every_crash(SqliteFile::temporary).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn a_wait_survives_every_crash_on_redis() {
    survives_every_crash(UnderPrefix::new).await;
}
