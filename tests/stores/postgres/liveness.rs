//! Who is there: dead processes are noticed, and the living are told of work.

use std::time::Duration;

use belts::{
    ErrorKind,
    store::{CommitOutcome, Postgres, Register, Release, Store, Subscription, WorkerId},
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::Instant;

use super::{InSchema, ask, blocking, run, url};
use crate::requests::{LEASE, at, begin, claim, commit, entry, event, publish, worker};

/// More than the grace for a new connection, and much less than a lease.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn dead_process_is_noticed_before_its_lease_ends() {
    let schema = InSchema::new();
    // The end of its runtime takes the connections with it, as the end of a process does.
    blocking(async {
        let store = schema.builder().open().await?;
        let worker = worker(&store).await?;
        begin(&store, "e", worker).await?;
        let watched = "SELECT count(*) FROM {schema}.workers WHERE watched";
        while ask::<i64>(schema.sql(watched)).await == 0 {
            belts_suite::a_moment().await;
        }
        std::mem::forget(store);
        belts::Result::<()>::Ok(())
    })
    .expect("the first process works");
    blocking(async {
        let store = schema.builder().open().await?;
        let worker = worker(&store).await?;
        let start = Instant::now();
        while claim(&store, worker, at(1)).await?.runs.is_empty() {
            assert!(start.elapsed() < SOON, "the dead process is noticed");
            belts_suite::a_moment().await;
        }
        assert!(
            start.elapsed() > Duration::from_secs(4),
            "it has time to come back"
        );
        belts::Result::<()>::Ok(())
    })
    .expect("the second process works");
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_connects_again_keeps_its_runs() -> belts::Result<()> {
    let schema = InSchema::new();
    let (store, other) = (
        schema.builder().open().await?,
        schema.builder().open().await?,
    );
    let (ours, theirs) = (worker(&store).await?, worker(&other).await?);
    let (_, lease) = begin(&store, "e", ours).await?;
    let locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = '{schema}'::regnamespace::oid";
    while ask::<i64>(schema.sql(locked)).await < 2 {
        belts_suite::a_moment().await;
    }
    let end = "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_locks \
         WHERE locktype = 'advisory' AND classid = '{schema}'::regnamespace::oid; END $$";
    run(schema.sql(end)).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) {
        assert!(claim(&other, theirs, at(1)).await?.runs.is_empty());
        belts_suite::a_moment().await;
    }
    assert_eq!(ask::<i64>(schema.sql(locked)).await, 2);
    assert_eq!(
        commit(&store, lease, vec![entry(0)], None).await?,
        CommitOutcome::Applied
    );
    Ok(())
}

/// The time between a publish in one process and the wake-up in another is that of a message.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_who_listens_is_woken_and_not_by_itself() -> belts::Result<()> {
    let schema = InSchema::new();
    let (store, other) = (
        schema.builder().open().await?,
        schema.builder().open().await?,
    );
    worker(&store).await?;
    // The first wake-up is that of the connection.
    tokio::time::timeout(SOON, other.woken())
        .await
        .expect("it wakes once it listens");
    let waiting = {
        let other = other.clone();
        tokio::spawn(async move { other.woken().await })
    };
    publish(&store, event("e")).await?;
    tokio::time::timeout(SOON, waiting)
        .await
        .expect("it is woken")
        .expect("it does not panic");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), other.woken())
            .await
            .is_err(),
        "once"
    );
    Ok(())
}

/// A server that had no connection left for the one that listens took every run from a process that lived, five seconds later
/// and in the middle of its steps, though its lease was renewed all the time.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_cannot_listen_keeps_its_runs() -> belts::Result<()> {
    let (schema, role) = (InSchema::new(), InSchema::new());
    run(role.sql("CREATE ROLE {schema}_tenant LOGIN")).await;
    let grant = "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {schema}_tenant', current_database()); END $$";
    run(role.sql(grant)).await;
    let options: PgConnectOptions = url().parse().expect("the URL is one of Postgres");
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_lazy_with(options.username(&format!("{}_tenant", role.0)));
    let watched = async |wanted: i64| {
        let sql = "SELECT count(*) FROM {schema}.workers WHERE watched";
        while ask::<i64>(schema.sql(sql)).await != wanted {
            belts_suite::a_moment().await;
        }
    };
    let attack = async {
        let store = Postgres::with_pool(pool.clone())
            .schema(&schema.0)
            .open()
            .await?;
        let ours = worker(&store).await?;
        let (_, lease) = begin(&store, "e", ours).await?;
        watched(1).await;
        run(role.sql("ALTER ROLE {schema}_tenant CONNECTION LIMIT 0")).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND classid = '{schema}'::regnamespace::oid";
        run(schema.sql(end)).await;
        watched(0).await;
        let other = schema.builder().open().await?;
        let another = worker(&other).await?;
        assert!(claim(&other, another, at(1)).await?.runs.is_empty());
        assert!(store.revoked(&[lease]).await?.is_empty());
        run(role.sql("ALTER ROLE {schema}_tenant CONNECTION LIMIT -1")).await;
        watched(2).await;
        belts::Result::Ok(())
    };
    let done = tokio::time::timeout(SOON, attack).await;
    pool.close().await;
    run(role.sql("ALTER ROLE {schema}_tenant NOLOGIN")).await;
    done.expect("it says that it lives, and listens again")
}

/// A statement outlives a client that gave it up and sent it again. When the first copy came to its turn, it took the runs that had
/// been claimed meanwhile from a worker that was driving them.
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn copy_of_a_release_that_comes_late_takes_nothing() -> belts::Result<()> {
    let schema = InSchema::new();
    let store = schema.builder().open().await?;
    let worker = worker(&store).await?;
    begin(&store, "e", worker).await?;
    assert_eq!(store.release(Release::new(worker, at(1))).await?, 1);
    let lease = claim(&store, worker, at(2)).await?.runs[0].lease;
    let late = "SELECT {schema}.release(barred_store, barred_call, id, 1, '{}', '{}') FROM {schema}.workers";
    assert_eq!(ask::<i64>(schema.sql(late)).await, 0);
    assert!(store.revoked(&[lease]).await?.is_empty());
    assert_eq!(store.release(Release::new(worker, at(3))).await?, 1);
    Ok(())
}

/// What a process wanted whose lock had gone was dropped with its runs. If it was only cut off, it came back to a store that
/// started nothing for it.
#[test]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
fn dead_process_wants_on_for_a_day() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let schema = InSchema::new();
    let wants = |function: &str| Subscription::new(function, ["t"]);
    let register = async |store: &Postgres, functions: &[&str], now| {
        let request = Register::new(now, LEASE)
            .with_subscriptions(functions.iter().map(|function| wants(function)).collect());
        store.register(request).await
    };
    let dead = blocking(async {
        let store = schema.builder().open().await?;
        let worker = register(&store, &["f", "old"], at(0)).await?;
        begin(&store, "e", worker).await?;
        let watched = "SELECT count(*) FROM {schema}.workers WHERE watched";
        while ask::<i64>(schema.sql(watched)).await == 0 {}
        std::mem::forget(store);
        belts::Result::<WorkerId>::Ok(worker)
    })
    .expect("the first process works");
    blocking(async {
        let store = schema.builder().open().await?;
        let worker = register(&store, &["f"], at(0)).await?;
        let start = Instant::now();
        let claimed = loop {
            // The time that it has to come back is over.
            let over =
                "UPDATE {schema}.workers SET missing_since = missing_since - interval '1 minute'";
            run(schema.sql(over)).await;
            let claimed = claim(&store, worker, at(1)).await?.runs;
            if !claimed.is_empty() {
                break claimed;
            }
            assert!(start.elapsed() < SOON, "the dead process is noticed");
        };
        assert!(claimed.iter().any(|run| run.crashes == 1));
        assert_eq!(store.subscriptions().await?, [wants("f"), wants("old")]);
        register(&store, &["f"], at(DAY - 1)).await?;
        assert_eq!(store.subscriptions().await?, [wants("f"), wants("old")]);
        // If it was only cut off, it has to know that its runs are gone.
        let renewed = store.renew(dead, at(DAY - 1), LEASE).await;
        assert_eq!(renewed.unwrap_err().kind(), ErrorKind::Busy);
        let claimed = claim(&store, dead, at(DAY - 1)).await;
        assert_eq!(claimed.unwrap_err().kind(), ErrorKind::Busy);
        register(&store, &["f"], at(2 * DAY + 30_000)).await?;
        assert_eq!(store.subscriptions().await?, [wants("f")]);
        belts::Result::<()>::Ok(())
    })
    .expect("the second process works");
}
