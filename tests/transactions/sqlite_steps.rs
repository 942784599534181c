//! `transaction!` on SQLite.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use belts::{
    Worker,
    rusqlite::TransactionBehavior,
    store::{RunFilter, RunStatus, Sqlite, StepState, Store as _},
    testing::{Harness, Reopen as _},
    transaction,
};
use belts_suite::{a_moment, within, within_time};

use crate::{
    orders::receives,
    place::looped,
    sqlite::{
        FileDebit, begins_again, commits, count, debit, debits, ended, fails, file, insert, panics,
        publish_file_debit,
    },
};

async fn result(worker: &Worker, run: belts::RunHandle<i64>) -> belts::Result<i64> {
    within("the result", run.via(worker).result()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_record_are_one_commit() {
    let (file, connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(debits)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    for n in 1..=3 {
        let published = publish_file_debit(debit("ada", 5))
            .via(&worker)
            .await
            .unwrap();
        let run = &published.runs[0].run_id;
        assert_eq!(
            result(&worker, belts::run_of(debits, run.clone()))
                .await
                .unwrap(),
            n * 10
        );
        let journal = store.journal(run).await.unwrap();
        let states: Vec<_> = journal
            .iter()
            .map(|entry| (&*entry.path, entry.state, entry.attempts))
            .collect();
        assert_eq!(
            states,
            [
                ("debit", StepState::Completed, 1),
                ("after", StepState::Completed, 1)
            ]
        );
    }
    assert_eq!(count(&connection, "debits"), 3);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_panics_or_commits_by_itself_is_told() {
    let (file, connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(fails)
        .function(commits)
        .function(panics)
        .function(receives)
        .build()
        .await
        .unwrap();
    worker.install();
    let running = looped(&worker);
    let published = publish_file_debit(debit("ada", -1))
        .via(&worker)
        .await
        .unwrap();
    let failure = async |function: &str| {
        let run = published
            .runs
            .iter()
            .find(|run| run.function_id == function)
            .unwrap();
        ended(&store, &run.run_id, RunStatus::Failed).await;
        store
            .run(&run.run_id)
            .await
            .unwrap()
            .unwrap()
            .failure()
            .unwrap()
            .report()
    };
    let told = failure("tx-file-fails").await;
    assert!(told.contains("less than nothing"), "{told}");
    let told = failure("tx-file-commits").await;
    assert!(told.contains("leave the end"), "{told}");
    let told = failure("tx-file-panics").await;
    assert!(told.contains("no money"), "{told}");
    // The first step of the one, and what the other has committed by itself.
    assert_eq!(
        (
            count(&connection, "debits"),
            store
                .list(RunFilter::new().with_function("tx-receives"))
                .await
                .unwrap()
                .runs
                .len()
        ),
        (2, 0)
    );
    let published = publish_file_debit(debit("ada", 1))
        .via(&worker)
        .await
        .unwrap();
    let run = published
        .runs
        .iter()
        .find(|run| run.function_id == "tx-file-fails")
        .unwrap();
    ended(&store, &run.run_id, RunStatus::Completed).await;
    assert_eq!(
        store
            .list(RunFilter::new().with_function("tx-receives"))
            .await
            .unwrap()
            .runs
            .len(),
        1
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
}

// Two processes, as it were, and many runs at once, beside ordinary publishes and steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_in_several_processes_lose_nothing() {
    const RUNS: usize = 200;
    let (file, connection) = file().await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let store = Sqlite::open(file.path()).await.unwrap();
        workers.push(
            Worker::builder()
                .store(store)
                .function(debits)
                .build()
                .await
                .unwrap(),
        );
    }
    let running: Vec<_> = workers.iter().map(looped).collect();
    let all = (0..RUNS).map(|n| {
        let worker = &workers[n % 2];
        async move {
            publish_file_debit(debit(&format!("a-{n}"), 5))
                .via(worker)
                .await
                .unwrap()
        }
    });
    futures_util::future::join_all(all).await;
    let store = file.open().await.unwrap();
    within_time(Duration::from_secs(60), "their ends", async {
        loop {
            let runs = store
                .list(
                    RunFilter::new()
                        .with_statuses(vec![RunStatus::Completed])
                        .with_limit(1_000),
                )
                .await
                .unwrap()
                .runs;
            if runs.len() == RUNS {
                break;
            }
            a_moment().await;
        }
    })
    .await;
    assert_eq!(count(&connection, "debits"), i64::try_from(RUNS).unwrap());
    for worker in &workers {
        worker.shutdown();
    }
    for running in running {
        running.await.unwrap().unwrap();
    }
}

// Another process holds the database for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_waited_for() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(debits)
        .build()
        .await
        .unwrap();
    let published = publish_file_debit(debit("ada", 5))
        .via(&worker)
        .await
        .unwrap();
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let running = looped(&worker);
    for _ in 0..20 {
        a_moment().await;
    }
    tx.commit().unwrap();
    ended(&store, &published.runs[0].run_id, RunStatus::Completed).await;
    assert_eq!(count(&connection, "debits"), 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// How often the step below was evaluated.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Its run is taken while it writes: as another worker does it, but by the closure itself, since nobody else can write meanwhile.
#[belts::function(id = "tx-file-taken", on = FileDebit)]
async fn taken(debit: FileDebit) -> belts::Result<()> {
    transaction!("debit", |tx| {
        insert(tx, &debit)?;
        if TAKEN.fetch_add(1, Ordering::Relaxed) == 0 {
            tx.execute("UPDATE runs SET token = token + 1", [])?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_worker_rolls_back() {
    let (file, connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store)
        .function(taken)
        .lease(Duration::from_secs(1))
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let published = publish_file_debit(debit("ada", 5))
        .via(&worker)
        .await
        .unwrap();
    // Nothing is left of the first time, and it is done again under the next lease.
    let store = file.open().await.unwrap();
    ended(&*store, &published.runs[0].run_id, RunStatus::Completed).await;
    assert_eq!(
        (count(&connection, "debits"), TAKEN.load(Ordering::Relaxed)),
        (1, 2)
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_test_presets_it_or_has_it_on_a_file() {
    let harness = Harness::builder()
        .function(debits)
        .preset("debit", Ok(7_i64))
        .build()
        .await
        .unwrap();
    assert_eq!(
        harness
            .run(debits, debit("ada", 5))
            .await
            .unwrap()
            .output()
            .unwrap(),
        70
    );
    let (file, connection) = file().await;
    let harness = Harness::builder()
        .function(debits)
        .store(file)
        .build()
        .await
        .unwrap();
    assert_eq!(
        harness
            .run(debits, debit("ada", 5))
            .await
            .unwrap()
            .output()
            .unwrap(),
        10
    );
    assert_eq!(count(&connection, "debits"), 1);
}

/// A transaction that was begun after the one of the step is not taken for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_and_begins_again_is_told() {
    let (file, connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let builder = Worker::builder().store(store.clone());
    let worker = builder
        .function(begins_again)
        .function(debits)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let published = publish_file_debit(debit("ada", 1)).via(&worker);
    for run in published.await.unwrap().runs {
        if run.function_id == "tx-file-debits" {
            // The connection is of use to others.
            ended(&store, &run.run_id, RunStatus::Completed).await;
            continue;
        }
        ended(&store, &run.run_id, RunStatus::Failed).await;
        let record = store.run(&run.run_id).await.unwrap().unwrap();
        let told = record.failure().unwrap().report();
        assert!(told.contains("leave the end"), "{told}");
        assert_eq!(
            store.journal(&run.run_id).await.unwrap()[0].state,
            StepState::Failed
        );
    }
    // What it has committed by itself, and the other's.
    assert_eq!(count(&connection, "debits"), 2);
    worker.shutdown();
    running.await.unwrap().unwrap();
}
