//! Every function of `functions` crashed at each of its writes, on every store.

use std::time::Duration;

use belts::{
    Keyring,
    store::Memory,
    testing::{HarnessBuilder, Reopen, SqliteFile, sweep},
};

use crate::{
    functions::*,
    gated::within_time,
    places::{InSchema, UnderPrefix},
};

/// A sweep opens a store some forty times, which takes a server a while.
const LIMIT: Duration = Duration::from_secs(90);

/// Sweeps on every store.
macro_rules! swept {
    ($($function:ident $(=> $change:expr)?;)*) => {$(
        mod $function {
            use super::*;

            async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
                survives(place, false).await;
            }

            async fn survives<P: Reopen>(place: fn() -> P, is_encrypted: bool) {
                let swept = sweep(place).function($function).event(order());
                // Not all that are linked in: those of `versions` share an id.
                let swept = swept.harness(move |harness| {
                    let mut harness = harness.function($function);
                    if is_encrypted {
                        harness = harness.encryption(Keyring::new("a", [7; 32]).and_old("b", [3; 32]));
                    }
                    $(let change: fn(HarnessBuilder) -> HarnessBuilder = $change;
                    let harness = change(harness);)?
                    harness
                });
                let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
                assert!(report.writes > 1, "{report:?}");
            }

            #[tokio::test]
            async fn survives_every_crash_encrypted_on_memory() {
                survives(Memory::new, true).await;
            }

            #[tokio::test]
            async fn survives_every_crash_encrypted_on_sqlite() {
                survives(SqliteFile::temporary, true).await;
            }

            #[tokio::test]
            async fn survives_every_crash_on_memory() {
                survives_every_crash(Memory::new).await;
            }

            #[tokio::test]
            async fn survives_every_crash_on_sqlite() {
                survives_every_crash(SqliteFile::temporary).await;
            }

            #[cfg_attr(
                not(has_postgres),
                ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
            )]
            #[tokio::test]
            async fn survives_every_crash_on_postgres() {
                survives_every_crash(InSchema::new).await;
            }

            #[cfg_attr(
                not(has_redis),
                ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
            )]
            #[tokio::test]
            async fn survives_every_crash_on_redis() {
                survives_every_crash(UnderPrefix::new).await;
            }
        }
    )*};
}

swept! {
    sequential;
    parallel;
    looping;
    flaky => |harness| harness.fail_times("flaky", 2);
    matched_failure;
    fails_for_good;
    sleeping;
    sleeping_beside_a_step;
    publishing;
    scoped;
    per_step;
    retried_whole;
}
