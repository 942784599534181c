//! A run that ends its process each time fails after a while, and takes no other with it.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use belts::{
    Clock, Runs, SystemClock, Worker, step,
    store::{Memory, RunStatus, Sqlite, Store},
    testing::{Faults, ManualClock, Reopen as _, SqliteFile},
};

use crate::{
    gated::{Named, effects, eventually, gated, looped, named, open, publish_named, worker_of},
    late::Meddled,
    runtimes::on_a_short_runtime,
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
    (faults.clone(), process_on(faults, clock).await)
}

pub(crate) async fn process_on(store: impl Store, clock: &ManualClock) -> Worker {
    let builder = Worker::builder().store(store).name("w");
    let builder = builder.clock(clock.clone()).function(gated);
    builder.build().await.unwrap()
}

/// Two processes die with these runs in hand. Then one more is published, which nobody suspects.
pub(crate) async fn suspects_and_one(
    store: &Memory,
    clock: &ManualClock,
    suspects: [&str; 2],
    innocent: &str,
) {
    let publisher = worker_of(store.clone(), gated, clock).await;
    for name in suspects {
        publish_named(named(name)).via(&publisher).await.unwrap();
    }
    for deaths in 1..=2 {
        let (faults, worker) = process(store, clock).await;
        let running = looped(&worker);
        eventually("the steps begin", async || {
            suspects.map(effects) == [deaths; 2]
        })
        .await;
        faults.crash_now();
        running.abort();
    }
    publish_named(named(innocent))
        .via(&publisher)
        .await
        .unwrap();
    for name in suspects {
        open(name);
    }
    open(innocent);
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

/// A runtime ended while its worker gave back one of the suspects that a claim had brought. What had come with them stayed leased to
/// a worker that drove none of it, for as long as it lived.
#[tokio::test]
async fn runs_that_were_claimed_and_not_yet_driven_when_the_runtime_ended_are_given_back() {
    let (clock, memory) = (ManualClock::default(), Memory::new());
    let suspects = ["cut off one", "cut off two"];
    suspects_and_one(&memory, &clock, suspects, "cut off with them").await;
    let store = Meddled::new(memory);
    let worker = process_on(store.clone(), &clock).await;
    store.hold_commits(true);
    let (first, held) = (worker.clone(), store.clone());
    let cut_off = on_a_short_runtime(async move {
        let _running = looped(&first);
        while held.counts().held_commits() == 0 {
            tokio::task::yield_now().await;
        }
    });
    let cut_off = tokio::task::spawn_blocking(move || cut_off.join());
    cut_off.await.unwrap().unwrap();
    store.hold_commits(false);
    let running = looped(&worker);
    eventually("the innocent run", async || {
        clock.advance(Duration::from_millis(100));
        effects("cut off with them after") == 1
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}
