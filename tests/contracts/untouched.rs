//! Nothing is run and nothing is written by a check.

use std::{
    fmt::Write as _,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use belts::{
    Event, Worker,
    store::{Memory, Postgres, Redis, RunFilter, SharedStore},
    testing::{Reopen, SqliteFile},
};
use belts_suite::{
    Hooked,
    servers::{self, Prefix, Schema},
};
use serde::{Deserialize, Serialize};

use crate::{changes::in_flight, shop};

/// A schema of its own.
pub(crate) struct InSchema(pub(crate) Schema);

impl InSchema {
    pub(crate) fn new() -> Self {
        Self(servers::Postgres::shared().schema())
    }
}

#[async_trait]
impl Reopen for InSchema {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Postgres::builder(self.0.url()).schema(self.0.name());
        Ok(Arc::new(builder.open().await?))
    }
}

/// A prefix of its own.
pub(crate) struct UnderPrefix(pub(crate) Prefix);

impl UnderPrefix {
    pub(crate) fn new() -> Self {
        Self(servers::Redis::shared().prefix())
    }
}

#[async_trait]
impl Reopen for UnderPrefix {
    async fn open(&self) -> belts::Result<SharedStore> {
        let builder = Redis::builder(self.0.url()).key_prefix(self.0.name());
        Ok(Arc::new(builder.open().await?))
    }
}

/// Every run with its journal, as text.
pub(crate) async fn everything(store: &SharedStore) -> String {
    let mut all = String::new();
    for run in store
        .list(RunFilter::new().with_limit(1_000))
        .await
        .unwrap()
        .runs
    {
        let journal = store.journal(&run.run_id).await.unwrap();
        writeln!(all, "{run:?}\n{journal:?}").unwrap();
    }
    writeln!(all, "{:?}", store.subscriptions().await.unwrap()).unwrap();
    writeln!(all, "{:?}", store.awaited().await.unwrap()).unwrap();
    all
}

const READS: &[&str] = &["run", "journal", "list", "functions"];

/// A store that panics when it is asked for anything but what inspection reads.
fn that_panics_on_writes(store: &SharedStore) -> SharedStore {
    Hooked::new(Arc::clone(store), |method| {
        assert!(READS.contains(&method), "`{method}` is no read");
        Box::pin(ready(Ok(())))
    })
}

async fn a_check_only_reads(place: impl Reopen) {
    let store = place.open().await.unwrap();
    in_flight(&store).await;
    let before = everything(&store).await;
    let builder = Worker::builder().shared_store(that_panics_on_writes(&store));
    let builder = builder.function(shop::process).function(shop::audit);
    let report = builder.check().await.unwrap();
    assert!(report.is_ok() && report.runs() == 6, "{report}");
    assert_eq!(everything(&store).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_only_reads_memory() {
    a_check_only_reads(Memory::new()).await;
}

#[tokio::test]
async fn a_check_only_reads_sqlite() {
    a_check_only_reads(SqliteFile::temporary()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn a_check_only_reads_postgres() {
    a_check_only_reads(InSchema::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn a_check_only_reads_redis() {
    a_check_only_reads(UnderPrefix::new()).await;
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "contract-effect")]
struct Effect {
    id: u32,
}

static RUN: AtomicUsize = AtomicUsize::new(0);

/// It does everything outside of its steps that belts can be asked for.
mod outside {
    use std::sync::atomic::Ordering;

    use super::{Effect, RUN};
    use crate::shop::{Settled, publish_settled};
    use belts::{Context, publish_all, sleep, step};

    #[belts::function(id = "contract-effects", on = Effect)]
    pub(super) async fn effects(effect: Effect, cx: Context) -> belts::Result<u32> {
        cx.set_status(&"begun").await?;
        cx.tag("effect", effect.id).await?;
        let settled = |id: &str| publish_settled(Settled { id: id.into() });
        settled("outside")
            .idempotency_key(format!("{}", effect.id))
            .await?;
        publish_all([settled("one"), settled("two")]).all().await?;
        step!("first", RUN.fetch_add(1, Ordering::Relaxed)).await?;
        sleep!("pause", "1h").await?;
        step!("second", RUN.fetch_add(1, Ordering::Relaxed)).await?;
        Ok(effect.id)
    }
}

/// Whatever a function does by belts outside of its steps is not done in a replay.
#[tokio::test]
async fn nothing_is_published_or_shown_by_a_replay() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = Worker::builder()
        .shared_store(Arc::clone(&store))
        .function(outside::effects);
    let worker = worker.build().await.unwrap();
    let driven = worker
        .execute(Effect { id: 1 })
        .run_id("r-1")
        .function("contract-effects")
        .until("first");
    driven.await.unwrap();
    let (run, before) = (RUN.load(Ordering::Relaxed), everything(&store).await);
    assert_eq!(run, 1);
    let builder = Worker::builder().shared_store(that_panics_on_writes(&store));
    let report = builder.function(outside::effects).check().await.unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
    assert_eq!(RUN.load(Ordering::Relaxed), run, "no step was run");
    assert_eq!(everything(&store).await, before);
}

async fn not_yet() -> belts::Result<()> {
    Err(belts::retry_after(
        std::time::Duration::from_secs(3600),
        "not yet",
    ))
}

/// It publishes outside of its steps, and is caught in its undo.
mod undone {
    use super::{Effect, not_yet};
    use crate::shop::{Settled, publish_settled};
    use belts::step;

    #[belts::function(id = "contract-undone-outside", on = Effect, retries = 0)]
    pub(super) async fn trip(effect: Effect) -> belts::Result<u32> {
        let id = format!("undone-{}", effect.id);
        publish_settled(Settled { id: id.clone() })
            .idempotency_key(id)
            .await?;
        step!("flight", effect.id, undo = |_: u32| not_yet()).await?;
        Err(belts::terminal("there is no car"))
    }
}

/// A run that was undone was replayed in earnest: with each check its function published once more.
#[tokio::test]
async fn nothing_is_published_by_the_replay_of_a_run_that_is_undone() {
    let store: SharedStore = Arc::new(Memory::new());
    let builder = Worker::builder().shared_store(Arc::clone(&store));
    let builder = builder.clock(belts::testing::ManualClock::default());
    let worker = builder.function(undone::trip).build().await.unwrap();
    let call = undone::trip(Effect { id: 1 }).run_id("r-1");
    call.via(&worker).start().await.unwrap();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    belts_suite::within("it is undone", async {
        while worker.runs().journal("r-1").await.unwrap().len() < 2 {
            belts_suite::a_moment().await;
        }
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let before = everything(&store).await;
    let builder = Worker::builder().shared_store(that_panics_on_writes(&store));
    let report = builder.function(undone::trip).check().await.unwrap();
    assert!(report.is_ok() && report.runs() == 1, "{report}");
    assert_eq!(everything(&store).await, before);
}
