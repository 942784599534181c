//! Every write of a family of runs crashed: parents, what they call and start, races with calls, and a parent that fails.

use std::time::Duration;

use belts::{
    ErrorKind, RunHandle, call, race, sleep, start, step,
    store::{Memory, RunFilter, RunRecord, RunStatus},
    testing::{Case, HarnessBuilder, Reopen, SqliteFile, sweep},
};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    gated::{Named, named, within_time},
    places::{InSchema, UnderPrefix},
};

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(300);

/// How many writes there are at least.
const FAMILY_WRITES: u32 = 50;
const FAILING_WRITES: u32 = 10;

#[belts::function(id = "z-swept-child", on = Named)]
async fn child(event: Named) -> belts::Result<usize> {
    let length = step!("length", event.name.len()).await?;
    sleep!("pause", "1h").await?;
    step!("double", length * 2).await
}

#[belts::function(id = "z-swept-bad", on = Named)]
async fn bad(event: Named) -> belts::Result<usize> {
    step!("look", event.name.len()).await?;
    Err(belts::terminal("it is broken"))
}

#[belts::function(id = "z-swept-idle", on = Named)]
async fn idle(event: Named) -> belts::Result<usize> {
    sleep!("long", "240h").await?;
    step!("length", event.name.len()).await
}

#[belts::function(id = "z-swept-family", on = Named)]
async fn family(event: Named) -> belts::Result<String> {
    let name = event.name;
    let audit: RunHandle<usize> = start!("audit", child(named(&name))).await?;
    let one = call!("one", child(named("one"))).await?;
    let both = tokio::join!(
        call!("two", child(named("four"))),
        call!("bad", bad(named("bad")))
    );
    let failed = both.1.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Child);
    let first = race!("first", {
        quick = call!("quick", child(named("quick"))) => format!("quick {}", quick?),
        slow = call!("slow", idle(named("slow"))) => format!("slow {}", slow?)
    })
    .await?;
    let late = race!("late", {
        slow = async { call!("slow", idle(named("slow"))).await } => format!("slow {}", slow?),
        over = sleep!("over", "2h") => { over?; "over".to_owned() }
    })
    .await?;
    let cut = call!("cut", idle(named("cut")), timeout = "1h")
        .await
        .unwrap_err();
    let (audit, two) = (audit.result().await?, both.0?);
    step!(
        "sum",
        format!("{one} {two} {first} {late} {audit} {}", cut.kind().as_str())
    )
    .await
}

/// It fails while its children go on, of which one is not attached.
#[belts::function(id = "z-swept-fails", on = Named, retries = 0)]
async fn fails(event: Named) -> belts::Result<()> {
    let name = event.name;
    start!("free", child(named(&name))).await?;
    start!("held", idle(named(&name)), attached).await?;
    tokio::try_join!(
        call!("pending", idle(named(&name))),
        step!("fail", async { Err::<(), _>(belts::terminal("no")) }),
    )?;
    Ok(())
}

fn functions(harness: HarnessBuilder) -> HarnessBuilder {
    let harness = harness.function(family).function(fails);
    harness.function(child).function(bad).function(idle)
}

/// The runs that the one under test has started.
fn below<T>(case: &Case<'_, T>) -> Vec<RunRecord> {
    let filter = RunFilter::new().with_parent(case.run.run_id());
    let store = case.harness.store().shared();
    let page = block_in_place(|| Handle::current().block_on(store.list(filter)));
    page.unwrap().runs
}

async fn family_survives<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(family).event(named("family"));
    let swept = swept.harness(functions).check(|case| {
        let output = case.run.output().unwrap();
        assert_eq!(output, "6 8 quick 10 over 12 child");
        assert_eq!(below(case).len(), 8, "each is started once");
    });
    let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
    assert!(report.writes >= FAMILY_WRITES, "{report:?}");
}

async fn failing_survives<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(fails).event(named("fails"));
    let swept = swept.harness(functions).check(|case| {
        assert_eq!(case.run.status(), Some(RunStatus::Failed));
        let below = below(case);
        let ended = |run: &RunRecord| run.status == RunStatus::Cancelled;
        let (free, attached): (Vec<_>, Vec<_>) = below
            .iter()
            .partition(|run| &*run.function_id == "z-swept-child");
        assert_eq!(free.len(), 1, "it is started once: {below:?}");
        assert!(!ended(free[0]), "it goes on");
        assert!(!attached.is_empty() && attached.len() <= 2, "{below:?}");
        assert!(attached.into_iter().all(ended), "they end with it");
    });
    let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
    assert!(report.writes >= FAILING_WRITES, "{report:?}");
}

macro_rules! on {
    ($store:ident, $place:expr $(, $attribute:meta)?) => {
        mod $store {
            use super::*;

            $(#[$attribute])?
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_family_survives_every_crash() {
                family_survives($place).await;
            }

            $(#[$attribute])?
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_failing_parent_survives_every_crash() {
                failing_survives($place).await;
            }
        }
    };
}

on!(memory, Memory::new);
on!(sqlite, SqliteFile::temporary);
on!(
    postgres,
    InSchema::new,
    cfg_attr(
        not(has_postgres),
        ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
    )
);
on!(
    redis,
    UnderPrefix::new,
    cfg_attr(
        not(has_redis),
        ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
    )
);
