//! A run that ends its process each time fails after a while, and takes no other with it.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use belts::{
    Clock, Runs, SystemClock, Worker, step,
    store::{Memory, RunStatus, Sqlite},
    testing::{Faults, ManualClock, Reopen as _, SqliteFile},
};

use crate::gated::{
    Named, effects, eventually, gated, looped, named, open, publish_named, worker_of,
};

const STORE: &str = "BELTS_TEST_CRASHES";

async fn pause(millis: u64) {
    let now = SystemClock.now();
    SystemClock
        .sleep_until(now.after(Duration::from_millis(millis)))
        .await;
}

/// Ends the process where its event says so; the others take long enough to be under way when that happens.
#[belts::function(id = "ends-the-process", on = Named)]
async fn ends_the_process(event: Named) -> belts::Result<()> {
    step!("work", async {
        pause(100).await;
        if event.name == "poison" {
            std::process::abort();
        }
    })
    .await
}

/// Not a test of its own: the process that the next test starts again and again. It ends when no run is left.
#[tokio::test]
async fn child() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let store = Sqlite::open(Path::new(&path)).await.unwrap();
    let worker = Worker::builder().store(store).function(ends_the_process);
    let worker = worker.build().await.unwrap();
    let running = looped(&worker);
    loop {
        let page = worker.runs().list().await.unwrap();
        if page.runs.iter().all(|run| run.status.is_finished()) {
            break;
        }
        pause(20).await;
    }
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// A step that aborts its process ran at every start, for ever. Five innocent runs had been published with it; as all six were
/// in hand at each start, none of them ever came to its end.
#[tokio::test]
async fn a_run_that_ends_its_process_fails_and_the_innocent_complete() {
    let file = SqliteFile::temporary();
    let store = file.open().await.unwrap();
    let publisher = Worker::builder().shared_store(store.clone());
    let publisher = publisher.function(ends_the_process).build().await.unwrap();
    for n in 0..6 {
        let name = if n == 2 { "poison" } else { "innocent" };
        publish_named(named(name)).via(&publisher).await.unwrap();
    }
    // What it does not drive it does not hold.
    drop(publisher);
    let path = file.path();
    let starts = tokio::task::spawn_blocking(move || {
        (1..=20).find(|_| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "crashes::child"]).env(STORE, &path);
            child.output().unwrap().status.success()
        })
    });
    let starts = starts.await.unwrap().expect("a process that ends well");
    assert!(starts <= 8, "{starts} starts");
    let runs = Runs::of(store);
    for run in runs.list().await.unwrap().runs {
        let run = runs.get(&run.run_id).await.unwrap();
        if run.payload.windows(6).any(|part| part == b"poison") {
            assert_eq!(run.status, RunStatus::Failed);
            assert_eq!(run.failure().unwrap().kind, "crashed");
        } else {
            assert_eq!(run.status, RunStatus::Completed);
        }
    }
}

/// A process with a name, and the store as it sees it.
async fn process(store: &Memory, clock: &ManualClock) -> (Faults, Worker) {
    let faults = Faults::new(Arc::new(store.clone()));
    let builder = Worker::builder().store(faults.clone()).name("w");
    let builder = builder.clock(clock.clone()).function(gated);
    (faults, builder.build().await.unwrap())
}

/// Three runs were in hand at each death of the process, and none of them could be told from the one that caused it.
#[tokio::test]
async fn suspects_are_driven_one_at_a_time() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let publisher = worker_of(store.clone(), gated, &clock).await;
    let names = ["poison", "innocent one", "innocent two"];
    for name in names {
        publish_named(named(name)).via(&publisher).await.unwrap();
    }
    for round in 1..=5 {
        let (faults, worker) = process(&store, &clock).await;
        let running = looped(&worker);
        eventually("the steps begin", async || {
            let others = names[1..].iter().all(|name| effects(name) == round);
            effects("poison") == round && (round > 2 || others)
        })
        .await;
        faults.crash_now();
        running.abort();
    }
    assert_eq!(names.map(effects), [5, 2, 2]);

    open("innocent one");
    open("innocent two");
    let (_, worker) = process(&store, &clock).await;
    let running = looped(&worker);
    eventually("the end", async || {
        clock.advance(Duration::from_millis(100));
        let mut runs = worker.runs().list().await.unwrap().runs.into_iter();
        runs.all(|run| run.status.is_finished())
    })
    .await;
    assert_eq!(names.map(effects), [5, 3, 3]);
    let runs = worker.runs().list().await.unwrap().runs;
    let failed = runs.iter().filter(|run| run.status == RunStatus::Failed);
    let failed: Vec<_> = failed.map(|run| run.failure().unwrap().kind).collect();
    assert_eq!(failed, ["crashed"]);
    worker.shutdown();
    running.await.unwrap().unwrap();
}
