//! Heartbeats and the status beside crashes: what has returned is not lost, whichever write fails, on each store.

use std::time::Duration;

use belts::{
    Context, step,
    store::Memory,
    testing::{Crash, Reopen, SqliteFile},
};

use super::{SECOND, harness_in, pass};
use crate::{
    gated::{Named, effect, effects, named, only, within_time},
    places::{InSchema, UnderPrefix},
};

const MINUTE: Duration = Duration::from_secs(60);

async fn six_rows(name: &str, cx: &Context) -> belts::Result<u32> {
    let done = cx.last_heartbeat::<u32>()?.unwrap_or(0);
    for row in done..6 {
        effect(format!("{name} rows"));
        cx.heartbeat(&(row + 1)).await?;
        pass(name, SECOND);
    }
    Ok(6)
}

#[belts::function(id = "z-progress-crashes", on = Named)]
async fn crashes(event: Named, cx: Context) -> belts::Result<u32> {
    cx.set_status("importing").await?;
    let rows = step!("import", six_rows(&event.name, &cx)).await?;
    cx.set_status("checking").await?;
    step!("check", {
        cx.set_status("checking closely").await?;
        Ok::<_, belts::Error>(rows)
    })
    .await?;
    cx.set_status(&("done", rows)).await?;
    Ok(rows)
}

/// A heartbeat that has returned is not lost: no row is done twice but for the one whose heartbeat was being written.
async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
    let mut most = 0;
    for write in 0..16 {
        for (crash, rows) in [(Crash::After(write), 6), (Crash::Before(write), 7)] {
            let name = format!("{} {crash}", std::any::type_name::<P>());
            let harness = harness_in(&name, crashes, place()).await;
            harness.faults().crash(crash);
            harness
                .run(crashes, named(&name))
                .run_id("r")
                .await
                .unwrap();
            harness.settle().await.unwrap();
            let run = only(harness.runs_of(crashes).await);
            assert_eq!(run.output().unwrap(), 6, "{name}");
            let done = effects(&format!("{name} rows"));
            assert!(done >= 6 && done <= rows, "{name}: {done}");
            most = most.max(done);
            run.assert_steps(&["import", "check"]);
            assert_eq!(run.attempts("import"), 1, "{name}");
            let status = run.status_value::<(String, u32)>().unwrap();
            assert_eq!(status, Some(("done".to_owned(), 6)), "{name}");
            assert_eq!(run.progress::<u32>("import").unwrap(), Some(6), "{name}");
        }
    }
    assert_eq!(most, 7, "no crash met a heartbeat");
}

#[tokio::test]
async fn progress_survives_every_crash_on_memory() {
    within_time(MINUTE, "the sweep", survives_every_crash(Memory::new)).await;
}

#[tokio::test]
async fn progress_survives_every_crash_on_sqlite() {
    within_time(
        MINUTE,
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
async fn progress_survives_every_crash_on_postgres() {
    within_time(MINUTE, "the sweep", survives_every_crash(InSchema::new)).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn progress_survives_every_crash_on_redis() {
    within_time(MINUTE, "the sweep", survives_every_crash(UnderPrefix::new)).await;
}
