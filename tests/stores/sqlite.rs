//! What SQLite can do, and how it fails.

use std::time::Duration;

use belts::{
    ErrorKind, Timestamp,
    store::{
        Capacity, Claim, Claimed, Commit, CommitBatch, CommitOutcome, Entry, FunctionCapacity,
        Lease, NewEvent, Publish, Register, RunFilter, Sqlite, StepKind, StepState, Store,
        Subscription, Synchronous, WorkerId,
    },
};
use tempfile::TempDir;

mod crashes;
#[cfg(unix)]
mod files;
#[cfg(target_os = "linux")]
mod full;
mod previous;
mod runtimes;
mod spoiled;

const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) async fn worker(store: &Sqlite) -> belts::Result<WorkerId> {
    let subscriptions = vec![Subscription::new("f", ["t"])];
    store
        .register(Register::new(at(0), LEASE).with_subscriptions(subscriptions))
        .await
}

fn event(id: &str, size: usize) -> NewEvent {
    NewEvent::new(id, "t", vec![b'x'; size], at(0))
}

pub(crate) async fn publish(store: &Sqlite, id: &str) -> belts::Result<()> {
    store
        .publish(Publish::new(vec![event(id, 10)], at(0)))
        .await?;
    Ok(())
}

async fn claim(store: &Sqlite, worker: WorkerId, now: Timestamp) -> belts::Result<Claimed> {
    let functions = [FunctionCapacity::new("f", 100)];
    store
        .claim(Claim::new(Capacity::new(worker, 100, functions), now))
        .await
}

async fn commit(store: &Sqlite, lease: Lease, seq: u32) -> belts::Result<CommitOutcome> {
    let entry = Entry::new(
        seq,
        format!("step-{seq}"),
        StepKind::Step,
        StepState::Completed,
        at(1),
    )
    .with_attempts(1)
    .with_finished_at(at(1))
    .with_value("()", *b"{}");
    let commits = vec![Commit::new(lease).with_entries(vec![entry])];
    Ok(store.commit(CommitBatch::new(commits, at(1))).await?[0])
}

/// Writers of several stores on one file wait for each other, and lose nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_stores_write_to_one_file() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let mut writing = Vec::new();
    for name in 0..4 {
        let store = Sqlite::builder(&path)
            .synchronous(Synchronous::Normal)
            .open()
            .await?;
        writing.push(tokio::spawn(async move {
            worker(&store).await?;
            let each = (0..8).map(|part| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in 0..25 {
                        publish(&store, &format!("e-{name}-{part}-{number}")).await?;
                    }
                    belts::Result::Ok(())
                })
            });
            for part in each.collect::<Vec<_>>() {
                part.await.expect("publishing does not panic")?;
            }
            belts::Result::Ok(())
        }));
    }
    for writer in writing {
        writer.await.expect("writing does not panic")?;
    }
    let store = Sqlite::open(&path).await?;
    let page = store.list(RunFilter::new().with_limit(10_000)).await?;
    assert_eq!(page.runs.len(), 4 * 8 * 25);
    Ok(())
}

#[tokio::test]
async fn locked_database_is_waited_for() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    let other = rusqlite::Connection::open(&path).expect("the database is there");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    let publishing = {
        let store = store.clone();
        tokio::spawn(async move { publish(&store, "e").await })
    };
    // Reading goes on meanwhile.
    for _ in 0..10 {
        assert!(store.list(RunFilter::default()).await?.runs.is_empty());
    }
    assert!(!publishing.is_finished());
    other.execute_batch("COMMIT").expect("nothing was changed");
    publishing.await.expect("publishing does not panic")?;
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 1);
    Ok(())
}

#[tokio::test]
async fn lock_that_stays_is_an_error_that_names_the_path() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    let other = rusqlite::Connection::open(&path).expect("the database is there");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    let error = publish(&store, "e").await.expect_err("the lock stays");
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(
        error
            .to_string()
            .contains("belts.db is locked by another process"),
        "{error}"
    );
    other.execute_batch("COMMIT").expect("nothing was changed");
    publish(&store, "e").await?;
    assert_eq!(
        store.list(RunFilter::default()).await?.runs.len(),
        1,
        "the refused one was not written"
    );
    Ok(())
}

/// A caller that goes away takes nothing with it: neither its own write, nor that of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_of_a_caller_that_went_away_is_done() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    let other = rusqlite::Connection::open(&path).expect("the database is there");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    let gone = tokio::time::timeout(Duration::from_millis(30), publish(&store, "gone")).await;
    assert!(gone.is_err(), "the write still waits");
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { publish(&store, "stays").await })
    };
    other.execute_batch("COMMIT").expect("nothing was changed");
    waiting.await.expect("publishing does not panic")?;
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 2);
    Ok(())
}

/// One write that cannot succeed does not harm those in the same transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impossible_write_fails_alone() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    let other = rusqlite::Connection::open(&path).expect("the database is there");
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.id = 'bad'
             BEGIN SELECT RAISE(ABORT, 'refused'); END; BEGIN IMMEDIATE",
        )
        .expect("nobody else writes");
    // In this order all of these wait for the lock, which then is given back: they are one transaction.
    let (a, bad, b, c, ()) = tokio::join!(
        publish(&store, "a"),
        publish(&store, "bad"),
        publish(&store, "b"),
        publish(&store, "c"),
        async {
            other.execute_batch("COMMIT").expect("the lock is ours");
        },
    );
    let outcomes = [a, bad, b, c].map(|outcome| outcome.is_ok());
    assert_eq!(outcomes, [true, false, true, true]);
    assert_eq!(store.list(RunFilter::default()).await?.runs.len(), 3);
    Ok(())
}

#[tokio::test]
async fn worker_whose_process_died_is_noticed_before_its_lease_ends() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let (dying, living) = (Sqlite::open(&path).await?, Sqlite::open(&path).await?);
    let first = worker(&dying).await?;
    publish(&dying, "e").await?;
    let held = claim(&dying, first, at(0)).await?.runs;
    assert_eq!(held.len(), 1);
    let files =
        || std::fs::read_dir(directory.path().join("belts.db-workers")).map_or(0, Iterator::count);
    assert_eq!(files(), 1);
    let second = worker(&living).await?;
    assert!(
        claim(&living, second, at(1)).await?.runs.is_empty(),
        "the first lives"
    );
    // The store ends without `deregister`, as with its process.
    drop(dying);
    // Files are looked at once a second of real time.
    let noticed = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let runs = claim(&living, second, at(2)).await?.runs;
            if !runs.is_empty() {
                return belts::Result::Ok(runs);
            }
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(20), noticed)
        .await
        .expect("the death is noticed")?;
    assert_eq!(taken[0].run_id, held[0].run_id);
    assert_eq!(files(), 1, "the file of the dead one is gone");
    assert_eq!(
        commit(&living, held[0].lease, 0).await?,
        CommitOutcome::LeaseLost
    );
    assert_eq!(
        commit(&living, taken[0].lease, 0).await?,
        CommitOutcome::Applied
    );
    living.deregister(second, at(3)).await?;
    assert_eq!(files(), 0);
    Ok(())
}

/// Two sessions of one store, and files that somebody removed: nobody is taken for dead.
#[tokio::test]
async fn living_worker_without_its_file_is_left_alone() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    let (first, second) = (worker(&store).await?, worker(&store).await?);
    publish(&store, "e").await?;
    let held = claim(&store, first, at(0)).await?.runs;
    std::fs::remove_dir_all(directory.path().join("belts.db-workers"))
        .expect("the files are there");
    let other = Sqlite::open(&path).await?;
    let third = worker(&other).await?;
    for (store, worker) in [(&store, second), (&other, third)] {
        assert!(claim(store, worker, at(1)).await?.runs.is_empty());
    }
    assert_eq!(
        commit(&store, held[0].lease, 0).await?,
        CommitOutcome::Applied
    );
    Ok(())
}

#[tokio::test]
async fn threads_and_files_end_with_the_last_clone() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    let clone = store.clone();
    // Starts the thread that watches.
    assert!(
        tokio::time::timeout(Duration::from_millis(30), clone.woken())
            .await
            .is_err()
    );
    publish(&store, "e").await?;
    drop(store);
    publish(&clone, "f").await?;
    drop(clone);
    assert!(
        !path.with_extension("db-wal").exists(),
        "the last connection put the log back into the database"
    );
    Ok(())
}

#[tokio::test]
async fn works_without_a_runtime_of_many_threads_and_without_a_name() -> belts::Result<()> {
    let directory = directory();
    let store = Sqlite::open(directory.path().join("no extension, and spaces?#%.db")).await?;
    publish(&store, "e").await?;
    assert_eq!(format!("{store:?}").matches("spaces?#%.db").count(), 1);
    Ok(())
}
