//! Several workers with one store, each with a loop of its own, in real time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use belts::{
    Schedule, Tick, Worker, step,
    store::{Memory, RunFilter, SharedStore},
    testing::{Reopen, SqliteFile},
};
use belts_suite::within;

use crate::places::{InSchema, UnderPrefix};

#[belts::function(id = "often", every = "100ms", overlap = "allow")]
async fn often(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "tenant")]
async fn tenant(tick: Tick) -> belts::Result<String> {
    step!(
        "tell",
        format!("{} {}", tick.schedule(), tick.scheduled_at())
    )
    .await
}

async fn worker(store: SharedStore) -> Worker {
    let builder = Worker::builder()
        .shared_store(store)
        .sweep(Duration::from_millis(50));
    builder
        .function(often)
        .function(tenant)
        .build()
        .await
        .unwrap()
}

/// How many runs each tick has.
async fn per_tick(store: &SharedStore) -> BTreeMap<Arc<str>, usize> {
    let mut filter = RunFilter::new().with_limit(10_000);
    let mut ticks = BTreeMap::new();
    loop {
        let page = store.list(filter.clone()).await.unwrap();
        for run in page.runs {
            let run = store.run(&run.run_id).await.unwrap().unwrap();
            let tick: serde_json::Value = serde_json::from_slice(&run.payload).unwrap();
            let key = format!("{} {}", tick["schedule"], tick["scheduledAt"]);
            *ticks.entry(key.into()).or_default() += 1;
        }
        match page.next {
            Some(next) => filter = filter.with_after(next),
            None => return ticks,
        }
    }
}

/// Three workers, of which one goes and one comes, start each tick once, and none is left out.
async fn each_tick_starts_one_run(place: impl Reopen) {
    let mut workers = Vec::new();
    for _ in 0..3 {
        let worker = worker(place.open().await.unwrap()).await;
        let running = tokio::spawn({
            let worker = worker.clone();
            async move { worker.run().await }
        });
        workers.push((worker, running));
    }
    let many = workers[0].0.schedules();
    for number in 0..20 {
        let schedule = Schedule::every(Duration::from_millis(200));
        many.put(format!("tenant-{number}"), tenant, schedule, number)
            .await
            .unwrap();
    }
    let store = place.open().await.unwrap();
    let ticks = |count: usize| {
        let store = Arc::clone(&store);
        async move {
            within("ticks", async {
                while per_tick(&store).await.len() < count {
                    belts_suite::a_moment().await;
                }
            })
            .await;
        }
    };
    ticks(60).await;
    let (gone, running) = workers.remove(0);
    gone.shutdown();
    running.await.unwrap().unwrap();
    ticks(150).await;
    for (worker, running) in workers {
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
    // What a worker has begun when it is told to stop comes to its end.
    within("the last of them", async {
        while !add_up(&store).await {
            belts_suite::a_moment().await;
        }
    })
    .await;
}

/// Whether each tick that a schedule counts has its run; none has two.
async fn add_up(store: &SharedStore) -> bool {
    let ticks = per_tick(store).await;
    let twice: Vec<_> = ticks.iter().filter(|(_, runs)| **runs > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let all = belts::Schedules::of(Arc::clone(store))
        .list()
        .await
        .unwrap();
    all.iter().all(|schedule| {
        let name = format!("\"{}\" ", schedule.name);
        let own = ticks.keys().filter(|key| key.starts_with(&name)).count();
        u64::try_from(own) == Ok(schedule.counts.started)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_starts_one_run_on_memory() {
    each_tick_starts_one_run(Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_starts_one_run_on_sqlite() {
    each_tick_starts_one_run(SqliteFile::temporary()).await;
}

#[cfg_attr(not(has_postgres), ignore = "no PostgreSQL found")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_starts_one_run_on_postgres() {
    each_tick_starts_one_run(InSchema::new()).await;
}

#[cfg_attr(not(has_redis), ignore = "no redis-server found")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_starts_one_run_on_redis() {
    each_tick_starts_one_run(UnderPrefix::new()).await;
}
