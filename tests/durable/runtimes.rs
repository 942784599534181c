//! A run outlives the runtime that it was published from.

use std::{
    future::{Future, IntoFuture},
    sync::Arc,
    time::Duration,
};

use belts::{
    Clock, SystemClock, Worker, step,
    store::{Memory, RunStatus, SharedStore},
    testing::{Reopen, SqliteFile},
};

use crate::gated::{
    Named, effect, effects, eventually, gate, looped, named, open, publish_named, runs_of, within,
};

/// Does its effect, waits at its gate, and goes on only where there is a timer.
#[belts::function(id = "far-from-home", on = Named)]
async fn far_from_home(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("work", async {
        effect(name.as_str());
        gate(name).await;
        let now = SystemClock.now();
        SystemClock
            .sleep_until(now.after(Duration::from_millis(1)))
            .await;
    })
    .await
}

pub(crate) fn on_a_short_runtime<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work)
    })
}

async fn worker_on(store: SharedStore) -> Worker {
    let builder = Worker::builder()
        .shared_store(store)
        .function(far_from_home);
    builder
        .sweep(Duration::from_millis(50))
        .build()
        .await
        .unwrap()
}

async fn are_completed(store: &SharedStore) -> bool {
    let runs = runs_of(&**store, "far-from-home").await;
    runs.iter().all(|run| run.status == RunStatus::Completed) && !runs.is_empty()
}

/// A thread of a blocking web server made a small runtime, published on it and dropped it. The drive was a task of that
/// runtime; it went with it, and the run stayed leased to a worker that lived on.
async fn a_run_published_from_a_runtime_that_ends_is_driven(store: SharedStore, name: &str) {
    let worker = worker_on(Arc::clone(&store)).await;
    let running = looped(&worker);
    // From its end on the loop is known to run.
    let first = format!("{name} first");
    open(&first);
    publish_named(named(&first)).via(&worker).await.unwrap();
    eventually("the first run", async || are_completed(&store).await).await;

    let (publisher, event) = (worker.clone(), named(name));
    let publishing = on_a_short_runtime(async move {
        publish_named(event).via(&publisher).await.unwrap();
    });
    tokio::task::spawn_blocking(move || publishing.join().unwrap())
        .await
        .unwrap();
    open(name);
    eventually("the run", async || are_completed(&store).await).await;
    assert_eq!(effects(name), 1);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_published_from_a_runtime_that_ends_is_driven_on_memory() {
    let store = Arc::new(Memory::new());
    a_run_published_from_a_runtime_that_ends_is_driven(store, "short on memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_published_from_a_runtime_that_ends_is_driven_on_sqlite() {
    let file = SqliteFile::temporary();
    let store = file.open().await.unwrap();
    a_run_published_from_a_runtime_that_ends_is_driven(store, "short on sqlite").await;
}

/// A test installed a worker, which others used after its runtime had ended: `execute` drove the run on the runtime of its
/// caller, and what was cut off there stayed `running` for as long as the process lived.
#[tokio::test]
async fn a_drive_that_is_dropped_gives_its_run_back() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = worker_on(Arc::clone(&store)).await;
    let (executing, name) = (worker.clone(), "cut off");
    let cut_off = on_a_short_runtime(async move {
        let executed = executing.execute(named(name)).run_id(name).into_future();
        let executed = tokio::spawn(executed);
        while effects(name) == 0 {
            tokio::task::yield_now().await;
        }
        executed.abort();
    });
    tokio::task::spawn_blocking(move || cut_off.join().unwrap())
        .await
        .unwrap();
    open(name);
    // Another worker, which the living session of the first one kept from the run.
    let other = worker_on(Arc::clone(&store)).await;
    let running = looped(&other);
    eventually("the run", async || are_completed(&store).await).await;
    assert_eq!(effects(name), 2);
    other.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    drop(worker);
}
