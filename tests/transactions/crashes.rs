//! Processes that are killed around the commit of a `transaction!`.

use std::{path::Path, process::Stdio, time::Duration};

use belts::{
    Worker,
    store::{Postgres, RunFilter, RunStatus, Sqlite, Store as _},
};
use belts_suite::{a_moment, within_time};
use tokio::process::{Child, Command};

use crate::{
    debits::{debits, publish_debit, sql},
    place::{Place, looped},
    publish::{ended, postgres_test},
    sqlite,
    step::{debit, rows, with_tables},
};

const URL: &str = "BELTS_TEST_TX_URL";
const SCHEMA: &str = "BELTS_TEST_TX_SCHEMA";
const FILE: &str = "BELTS_TEST_TX_FILE";

/// Not a test of its own: the process that the next tests start and kill. It works until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let builder = Worker::builder()
        .sweep(Duration::from_millis(50))
        .max_crashes(1_000)
        .concurrency(4);
    let builder = if let Ok(url) = std::env::var(URL) {
        let store = Postgres::builder(&url).schema(std::env::var(SCHEMA).unwrap());
        builder
            .store(store.open().await.unwrap())
            .function(debits)
            .function(crate::undo::undone)
    } else if let Some(file) = std::env::var_os(FILE) {
        let store = Sqlite::open(Path::new(&file)).await.unwrap();
        builder.store(store).function(sqlite::debits)
    } else {
        return;
    };
    builder.build().await.unwrap().run().await.unwrap();
}

fn process() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crashes::child"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) fn on_postgres(place: &Place) -> Child {
    let mut command = process();
    command
        .env(URL, place.schema.url())
        .env(SCHEMA, place.schema.name());
    command.spawn().unwrap()
}

/// Has a commit with a debit take a second.
pub(crate) async fn slow_commits(place: &Place) {
    place
        .run(
            "CREATE FUNCTION {s}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {s}.debits DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION {s}.slow()",
        )
        .await;
}

/// Returns when a debit is being committed, where [commits are slow](slow_commits).
pub(crate) async fn in_the_commit(place: &Place) {
    backend(
        place,
        "wait_event = 'PgSleep' AND EXISTS (SELECT FROM pg_locks WHERE pid = backend.pid AND relation = '{s}.debits'::regclass)",
    )
    .await;
}

/// Returns when a backend is where the condition says.
pub(crate) async fn backend(place: &Place, condition: &str) {
    let mut connection = place.pool.acquire().await.unwrap();
    let there = format!("SELECT count(*) FROM pg_stat_activity AS backend WHERE {condition}");
    within_time(Duration::from_secs(30), condition, async {
        while place.ask::<i64>(&mut connection, &there).await.unwrap() == 0 {
            a_moment().await;
        }
    })
    .await;
}

/// The run, once a worker of this process has driven it to its end.
async fn finish(place: &Place, run: &str) {
    let worker = place
        .worker(|worker| worker.function(debits).max_crashes(1_000))
        .await;
    let running = looped(&worker);
    within_time(
        Duration::from_secs(60),
        "the end of the run",
        ended(place, run, RunStatus::Completed),
    )
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

// Killed while the statement of the closure waits for a lock: nothing was committed.
postgres_test!(
    killed_before_the_record_it_is_done_once_by_the_next,
    async {
        let place = with_tables().await;
        let sender = place
            .worker(|worker| worker.function(debits).max_crashes(1_000))
            .await;
        let published = publish_debit(debit(&place, "ada", 5))
            .via(&sender)
            .await
            .unwrap();
        drop(sender);
        let mut lock = place.pool.begin().await.unwrap();
        let table = sql(
            place.schema.name(),
            "LOCK TABLE {s}.debits IN EXCLUSIVE MODE",
        );
        sqlx::raw_sql(table).execute(&mut *lock).await.unwrap();
        let mut child = on_postgres(&place);
        backend(&place, "EXISTS (SELECT FROM pg_locks WHERE pid = backend.pid AND NOT granted AND relation = '{s}.debits'::regclass)").await;
        child.kill().await.unwrap();
        lock.rollback().await.unwrap();
        finish(&place, &published.runs[0].run_id).await;
        assert_eq!(rows(&place).await, 1);
    }
);

// Killed when it has sent the commit: the server goes on without it, and the step is recorded.
postgres_test!(killed_in_the_commit_it_is_not_done_again, async {
    let place = with_tables().await;
    slow_commits(&place).await;
    let sender = place
        .worker(|worker| worker.function(debits).max_crashes(1_000))
        .await;
    let published = publish_debit(debit(&place, "ada", 5))
        .via(&sender)
        .await
        .unwrap();
    drop(sender);
    let mut child = on_postgres(&place);
    in_the_commit(&place).await;
    child.kill().await.unwrap();
    finish(&place, &published.runs[0].run_id).await;
    assert_eq!(rows(&place).await, 1);
    let journal = place
        .store
        .journal(&published.runs[0].run_id)
        .await
        .unwrap();
    assert_eq!(journal[0].attempts, 1);
});

/// How often a process is killed, and how many runs there are.
const KILLS: u64 = 8;
const RUNS: usize = 60;

postgres_test!(killed_at_any_moment_nothing_is_lost_or_done_twice, async {
    let place = with_tables().await;
    let publisher = place
        .worker(|worker| worker.function(debits).max_crashes(1_000))
        .await;
    for n in 0..RUNS {
        publish_debit(debit(&place, &format!("a-{n}"), 5))
            .via(&publisher)
            .await
            .unwrap();
    }
    drop(publisher);
    for _ in 0..KILLS {
        let mut child = on_postgres(&place);
        let before = rows(&place).await;
        // It has got on a little, wherever it is then.
        within_time(Duration::from_secs(30), "a process that works", async {
            while rows(&place).await <= before && before < i64::try_from(RUNS).unwrap() {
                a_moment().await;
            }
        })
        .await;
        for _ in 0..fastrand::u32(0..3) {
            a_moment().await;
        }
        child.kill().await.unwrap();
    }
    let runs = place
        .store
        .list(RunFilter::new().with_limit(1_000))
        .await
        .unwrap()
        .runs;
    assert_eq!(runs.len(), RUNS);
    let worker = place
        .worker(|worker| worker.function(debits).max_crashes(1_000))
        .await;
    let running = looped(&worker);
    let mut connection = place.pool.acquire().await.unwrap();
    within_time(Duration::from_secs(120), "their ends", async {
        let left = "SELECT count(*) FROM {s}.runs WHERE status <> 'completed'";
        while place.ask::<i64>(&mut connection, left).await.unwrap() > 0 {
            a_moment().await;
        }
    })
    .await;
    let accounts: i64 = place
        .ask(
            &mut connection,
            "SELECT count(DISTINCT account) FROM {s}.debits",
        )
        .await
        .unwrap();
    assert_eq!(
        (rows(&place).await, accounts),
        (i64::try_from(RUNS).unwrap(), i64::try_from(RUNS).unwrap())
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_on_a_file_nothing_is_lost_or_done_twice() {
    let (file, connection) = sqlite::file().await;
    let path = file.path();
    let store = Sqlite::open(&path).await.unwrap();
    let publisher = Worker::builder()
        .store(store.clone())
        .function(sqlite::debits)
        .max_crashes(1_000)
        .build()
        .await
        .unwrap();
    for n in 0..RUNS {
        sqlite::publish_file_debit(sqlite::debit(&format!("a-{n}"), 5))
            .via(&publisher)
            .await
            .unwrap();
    }
    drop(publisher);
    let all = i64::try_from(RUNS).unwrap();
    for _ in 0..KILLS {
        let before = sqlite::count(&connection, "debits");
        let mut child = process().env(FILE, &path).spawn().unwrap();
        within_time(Duration::from_secs(30), "a process that works", async {
            while sqlite::count(&connection, "debits") <= before && before < all {
                tokio::task::yield_now().await;
            }
        })
        .await;
        child.kill().await.unwrap();
    }
    let worker = Worker::builder()
        .store(store.clone())
        .function(sqlite::debits)
        .max_crashes(1_000)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    within_time(Duration::from_secs(120), "their ends", async {
        let completed = RunFilter::new()
            .with_statuses(vec![RunStatus::Completed])
            .with_limit(1_000);
        while store.list(completed.clone()).await.unwrap().runs.len() < RUNS {
            a_moment().await;
        }
    })
    .await;
    let accounts: i64 = connection
        .query_row("SELECT count(DISTINCT account) FROM debits", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!((sqlite::count(&connection, "debits"), accounts), (all, all));
    worker.shutdown();
    running.await.unwrap().unwrap();
}
