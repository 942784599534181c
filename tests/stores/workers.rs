//! Several workers on one store, each with functions of its own.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker, step,
    store::{Memory, RunFilter, RunStatus, SharedStore},
};
use belts_suite::servers;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Parcel {
    id: u32,
}

#[belts::function(id = "label", on = Parcel)]
async fn label(parcel: Parcel) -> belts::Result<String> {
    step!("print", format!("label {}", parcel.id)).await
}

#[belts::function(id = "weigh", on = Parcel)]
async fn weigh(parcel: Parcel) -> belts::Result<u32> {
    step!("scale", parcel.id * 2).await
}

/// Longer than anything here takes, and shorter than a lease lasts.
const PATIENCE: Duration = Duration::from_secs(20);

async fn worker_of<M>(store: SharedStore, function: impl belts::Function<M>) -> Worker {
    let builder = Worker::builder().shared_store(store).function(function);
    builder.build().await.unwrap()
}

fn looped(worker: &Worker) -> tokio::task::JoinHandle<belts::Result<()>> {
    let worker = worker.clone();
    tokio::spawn(async move { worker.run().await })
}

async fn count(store: &SharedStore, function: &str, status: RunStatus) -> usize {
    let filter = RunFilter::new()
        .with_function(function)
        .with_statuses([status]);
    store.list(filter).await.unwrap().runs.len()
}

async fn completed(store: &SharedStore, function: &str, runs: usize) {
    let all = async {
        while count(store, function, RunStatus::Completed).await < runs {
            belts_suite::a_moment().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, all).await;
    waited.unwrap_or_else(|_| panic!("{runs} runs of {function} complete"));
}

/// The clients are as if in three processes.
async fn each_worker_runs_its_own(stores: [SharedStore; 3]) {
    const EVENTS: usize = 20;
    let [of_labels, of_scales, of_publisher] = stores;
    let labels = worker_of(of_labels.clone(), label).await;
    let scales = worker_of(of_scales.clone(), weigh).await;
    let publisher = Worker::builder()
        .shared_store(of_publisher)
        .publish_only()
        .build()
        .await
        .unwrap();
    // To register is to subscribe; the loop of the second begins later.
    let running = looped(&labels);
    let subscribed = async {
        while of_labels.subscriptions().await.unwrap().is_empty() {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, subscribed).await.unwrap();
    let scaling = looped(&scales);
    let both = async {
        while of_labels.subscriptions().await.unwrap().len() < 2 {
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    scales.shutdown();
    scaling.await.unwrap().unwrap();

    for id in 0..u32::try_from(EVENTS).unwrap() {
        publish_parcel(Parcel { id }).via(&publisher).await.unwrap();
    }
    completed(&of_labels, "label", EVENTS).await;
    let pending = count(&of_labels, "weigh", RunStatus::Pending).await;
    assert_eq!(pending, EVENTS, "nobody here runs the other's functions");

    let heir = worker_of(of_scales.clone(), weigh).await;
    let weighing = looped(&heir);
    completed(&of_labels, "weigh", EVENTS).await;
    for (worker, task) in [(labels, running), (heir, weighing)] {
        worker.shutdown();
        task.await.unwrap().unwrap();
    }
}

/// Three clients of the store at a URL.
async fn three(url: &str) -> [SharedStore; 3] {
    let open = || async {
        let builder = Worker::builder().store_url(url).publish_only();
        Arc::clone(builder.build().await.unwrap().store())
    };
    [open().await, open().await, open().await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_runs_its_own_in_memory() {
    let store: SharedStore = Arc::new(Memory::new());
    each_worker_runs_its_own([store.clone(), store.clone(), store]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_runs_its_own_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("belts.db").display());
    each_worker_runs_its_own(three(&url).await).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_runs_its_own_on_postgres() {
    let schema = servers::Postgres::shared().schema();
    let url = format!("{}?schema={}", schema.url(), schema.name());
    each_worker_runs_its_own(three(&url).await).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_worker_runs_its_own_on_redis() {
    let prefix = servers::Redis::shared().prefix();
    let url = format!("{}?key_prefix={}", prefix.url(), prefix.name());
    each_worker_runs_its_own(three(&url).await).await;
}
