//! Steps that block their thread for longer than a lease, on a runtime that has no other.

use std::{future::Future, sync::Arc, thread, time::Duration};

use belts::{
    Worker, WorkerBuilder, step,
    store::{Memory, RunStatus, SharedStore},
    testing::{Reopen, SqliteFile},
};
use belts_suite::servers;
use tokio::sync::oneshot;

use crate::gated::{Named, effect, effects, looped, named, publish_named, within_time};

const LEASE: Duration = Duration::from_millis(900);
const LIMIT: Duration = Duration::from_secs(60);

/// Blocks for more than two leases.
#[belts::function(id = "blocks", on = Named, retries = 0)]
async fn blocks(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let blocks = || {
        effect(name.as_str());
        thread::sleep(Duration::from_secs(2));
    };
    step!("block", blocks(), retries = 0).await?;
    step!("after", effect(format!("{name} after"))).await
}

/// Where workers keep their runs: each makes its own connections.
type Place = Arc<dyn Fn() -> WorkerBuilder + Send + Sync>;

fn given(store: SharedStore) -> Place {
    Arc::new(move || Worker::builder().shared_store(Arc::clone(&store)))
}

fn by_url(url: &str, option: &str, value: &str) -> Place {
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}{option}={value}");
    Arc::new(move || Worker::builder().store_url(&url))
}

async fn worker_at(place: &Place) -> Worker {
    let builder = place().function(blocks).lease(LEASE);
    builder
        .sweep(Duration::from_millis(50))
        .build()
        .await
        .unwrap()
}

/// Publishes, waits for the end, and gives way to blocking steps in between.
async fn completes(worker: &Worker, name: &str, runs: usize) {
    let running = looped(worker);
    for _ in 0..runs {
        publish_named(named(name)).via(worker).await.unwrap();
    }
    let ended = async {
        loop {
            let page = worker.runs().list().await.unwrap().runs;
            if page.iter().all(|run| run.status == RunStatus::Completed) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within_time(LIMIT, "the runs", ended).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// A step that blocked its thread for longer than the lease kept its worker from renewing it: what it came to was refused, and
/// the step ran again, and again.
async fn a_blocking_step_is_recorded_at_its_first_evaluation(place: Place, name: &str) {
    completes(&worker_at(&place).await, name, 1).await;
    assert_eq!((effects(name), effects(&format!("{name} after"))), (1, 1));
}

/// The same while a second worker waits for the end of the lease.
async fn a_blocking_step_keeps_its_run_beside_another_worker(place: Place, name: &str) {
    let (stop, stopped) = oneshot::channel::<()>();
    let beside = Arc::clone(&place);
    let other = on_a_runtime(async move {
        let worker = worker_at(&beside).await;
        let running = looped(&worker);
        stopped.await.unwrap();
        worker.shutdown();
        running.await.unwrap().unwrap();
    });
    completes(&worker_at(&place).await, name, 2).await;
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(move || other.join().unwrap())
        .await
        .unwrap();
    // Each once, and once more where the machine itself stood still.
    let times = effects(name);
    assert!((2..=4).contains(&times), "{times}");
    assert_eq!(effects(&format!("{name} after")), 2);
}

fn on_a_runtime(work: impl Future<Output = ()> + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work);
    })
}

#[tokio::test]
async fn a_blocking_step_is_recorded_at_its_first_evaluation_on_memory() {
    let place = given(Arc::new(Memory::new()));
    a_blocking_step_is_recorded_at_its_first_evaluation(place, "blocks on memory").await;
}

#[tokio::test]
async fn a_blocking_step_is_recorded_at_its_first_evaluation_on_sqlite() {
    let file = SqliteFile::temporary();
    let place = given(file.open().await.unwrap());
    a_blocking_step_is_recorded_at_its_first_evaluation(place, "blocks on sqlite").await;
}

#[tokio::test]
async fn a_blocking_step_keeps_its_run_beside_another_worker_on_memory() {
    let place = given(Arc::new(Memory::new()));
    a_blocking_step_keeps_its_run_beside_another_worker(place, "beside on memory").await;
}

#[tokio::test]
async fn a_blocking_step_keeps_its_run_beside_another_worker_on_sqlite() {
    let file = SqliteFile::temporary();
    let place = given(file.open().await.unwrap());
    a_blocking_step_keeps_its_run_beside_another_worker(place, "beside on sqlite").await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn a_blocking_step_keeps_its_run_beside_another_worker_on_postgres() {
    let schema = servers::Postgres::shared().schema();
    let place = by_url(schema.url(), "schema", schema.name());
    a_blocking_step_keeps_its_run_beside_another_worker(place, "beside on postgres").await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn a_blocking_step_keeps_its_run_beside_another_worker_on_redis() {
    let prefix = servers::Redis::shared().prefix();
    let place = by_url(prefix.url(), "key_prefix", prefix.name());
    a_blocking_step_keeps_its_run_beside_another_worker(place, "beside on redis").await;
}
