//! Every function of `functions` crashed at each of its writes, on memory and on SQLite.

use belts::{
    store::Memory,
    testing::{Reopen, SqliteFile, sweep},
};

use crate::{functions::*, support::within};

/// Sweeps on both stores.
macro_rules! swept {
    ($($function:ident $(=> $change:expr)?;)*) => {$(
        mod $function {
            use super::*;

            async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
                let swept = sweep(place).function($function).event(order());
                $(let swept = swept.harness($change);)?
                let report = within("a sweep", swept).await.unwrap();
                assert!(report.writes > 1, "{report:?}");
            }

            #[tokio::test]
            async fn survives_every_crash_on_memory() {
                survives_every_crash(Memory::new).await;
            }

            #[tokio::test]
            async fn survives_every_crash_on_sqlite() {
                survives_every_crash(SqliteFile::temporary).await;
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
