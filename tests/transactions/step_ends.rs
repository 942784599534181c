//! How a `transaction!` on Postgres ends where something is in its way: another worker, a cancel, a time limit, a lost answer.

use std::time::Duration;

use belts::{
    ErrorKind, Worker,
    store::{Memory, Postgres, RunStatus, Sqlite, Store as _},
};
use belts_suite::{a_moment, within};

use crate::{
    debits::{Debit, debits, in_a_helper, publish_debit},
    orders::receives,
    place::looped,
    publish::{ended, postgres_test},
    step::{debit, result_of, rows, with_tables},
};

// Two workers have one run: the first one stalls in its transaction while another takes the run, and then wants to commit.
postgres_test!(a_stale_worker_rolls_back, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(debits)).await;
    let running = looped(&worker);
    // Its statement waits for this lock.
    let mut lock = place.pool.begin().await.unwrap();
    sqlx::raw_sql(crate::debits::sql(
        place.schema.name(),
        "LOCK TABLE {s}.debits IN EXCLUSIVE MODE",
    ))
    .execute(&mut *lock)
    .await
    .unwrap();
    let published = publish_debit(debit(&place, "ada", 5))
        .via(&worker)
        .await
        .unwrap();
    let run = published.runs[0].run_id.clone();
    ended(&place, &run, RunStatus::Running).await;
    within("a statement that waits", async {
        let mut connection = place.pool.acquire().await.unwrap();
        let waits =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{s}.debits'::regclass";
        while place.ask::<i64>(&mut connection, waits).await.unwrap() == 0 {
            a_moment().await;
        }
    })
    .await;
    // As another worker takes it: the token changes.
    place.run("UPDATE {s}.runs SET worker = NULL, due_at = NULL, token = token + 1, status = 'suspended'").await;
    lock.rollback().await.unwrap();
    worker.shutdown();
    running.await.unwrap().unwrap();
    assert_eq!(rows(&place).await, 0);
    assert_eq!(place.store.journal(&run).await.unwrap(), []);
    // The other one does it.
    place.run("UPDATE {s}.runs SET due_at = 0").await;
    let worker = place.worker(|worker| worker.function(debits)).await;
    let running = looped(&worker);
    ended(&place, &run, RunStatus::Completed).await;
    assert_eq!(rows(&place).await, 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

// A cancel while the transaction is open: nothing is committed after the terminal write.
postgres_test!(a_cancelled_run_commits_nothing_more, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(debits)).await;
    let running = looped(&worker);
    let mut lock = place.pool.begin().await.unwrap();
    sqlx::raw_sql(crate::debits::sql(
        place.schema.name(),
        "LOCK TABLE {s}.debits IN EXCLUSIVE MODE",
    ))
    .execute(&mut *lock)
    .await
    .unwrap();
    let published = publish_debit(debit(&place, "ada", 5))
        .via(&worker)
        .await
        .unwrap();
    let run = published.runs[0].run_id.clone();
    ended(&place, &run, RunStatus::Running).await;
    assert!(worker.runs().cancel(&run).await.unwrap());
    lock.rollback().await.unwrap();
    worker.shutdown();
    running.await.unwrap().unwrap();
    assert_eq!(rows(&place).await, 0);
    assert_eq!(
        place.store.run(&run).await.unwrap().unwrap().status,
        RunStatus::Cancelled
    );
});

// The time of the attempt ran out while its commit was under way, which then went through: the step was done, and is recorded so.
postgres_test!(a_commit_under_way_is_waited_for, async {
    let place = with_tables().await;
    place
        .run(
            "CREATE FUNCTION {s}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {s}.debits DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION {s}.slow()",
        )
        .await;
    let worker = place.worker(|worker| worker.function(hurried)).await;
    let running = looped(&worker);
    assert_eq!(
        result_of!(&worker, hurried, debit(&place, "ada", 5)).unwrap(),
        1
    );
    assert_eq!(rows(&place).await, 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

/// Has less time than its commit takes.
#[belts::function(id = "tx-hurried", on = Debit, retries = 0)]
async fn hurried(debit: Debit) -> belts::Result<u64> {
    let insert = "INSERT INTO {s}.debits (account, cents) VALUES ('ada', 1)";
    belts::transaction!(
        "debit",
        async |tx| {
            let insert = sqlx::query(crate::debits::sql(&debit.schema, insert)).execute(&mut **tx);
            Ok(insert.await?.rows_affected())
        },
        retries = 0,
        timeout = "300ms"
    )
    .await
}

// The connection went while the commit was under way: the server committed, and the client was told nothing.
postgres_test!(an_unknown_commit_is_settled_by_looking, async {
    let place = with_tables().await;
    place
        .run(
            "CREATE FUNCTION {s}.cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON {s}.debits DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION {s}.cut()",
        )
        .await;
    let options: sqlx::postgres::PgConnectOptions = place.schema.url().parse().unwrap();
    let proxy = crate::proxy::Proxy::start(options.get_host(), options.get_port())
        .await
        .unwrap();
    let through = sqlx::postgres::PgPoolOptions::new()
        .max_connections(8)
        .connect_lazy_with(options.port(proxy.address().port()));
    let store = Postgres::with_pool(through)
        .schema(place.schema.name())
        .open()
        .await
        .unwrap();
    let worker = Worker::builder()
        .store(store)
        .function(debits)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let published = publish_debit(debit(&place, "ada", 5))
        .via(&worker)
        .await
        .unwrap();
    let mut connection = place.pool.acquire().await.unwrap();
    let mut commits = async || {
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ILIKE 'commit%'
            AND EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid AND relation = '{s}.debits'::regclass)";
        place.ask::<i64>(&mut connection, sleeps).await.unwrap() > 0
    };
    within("a commit under way", async {
        while !commits().await {
            a_moment().await;
        }
        // Whatever answers meanwhile is lost, and that of the commit with it.
        while commits().await {
            proxy.lose_next_answer();
            a_moment().await;
        }
    })
    .await;
    ended(&place, &published.runs[0].run_id, RunStatus::Completed).await;
    assert_eq!(rows(&place).await, 1);
    let journal = place
        .store
        .journal(&published.runs[0].run_id)
        .await
        .unwrap();
    assert_eq!(journal[0].attempts, 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(
    another_store_is_an_error_at_start_that_names_the_function,
    async {
        let refused = Worker::builder()
            .store(Memory::new())
            .function(debits)
            .build()
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("`tx-debits` at"), "{refused}");
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(directory.path().join("belts.db"))
            .await
            .unwrap();
        let refused = Worker::builder()
            .store(sqlite)
            .function(in_a_helper)
            .build()
            .await
            .unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("the helper `debit_in_helper` at") && text.contains("`tx-in-a-helper`"),
            "{text}"
        );
        // One that has none is built on any.
        Worker::builder()
            .store(Memory::new())
            .function(receives)
            .build()
            .await
            .unwrap();
    }
);

// A claim by another process at the very moment of the commit, many times: one of them has the run, and each row is there once.
postgres_test!(claims_beside_commits_do_nothing_twice, async {
    const RUNS: usize = 60;
    let place = with_tables().await;
    let workers = [
        place
            .worker(|worker| worker.function(debits).lease(Duration::from_millis(100)))
            .await,
        Worker::builder()
            .store(place.another().await)
            .function(debits)
            .lease(Duration::from_millis(100))
            .sweep(Duration::from_millis(20))
            .build()
            .await
            .unwrap(),
    ];
    let running: Vec<_> = workers.iter().map(looped).collect();
    for n in 0..RUNS {
        publish_debit(debit(&place, &format!("a-{n}"), 5))
            .via(&workers[n % 2])
            .await
            .unwrap();
        if n % 10 == 0 {
            // All leases end at once.
            place.run("UPDATE {s}.workers SET lease_until = 0").await;
        }
    }
    within("their ends", async {
        let mut connection = place.pool.acquire().await.unwrap();
        let left = "SELECT count(*) FROM {s}.runs WHERE finished_at IS NULL";
        while place.ask::<i64>(&mut connection, left).await.unwrap() > 0 {
            a_moment().await;
        }
    })
    .await;
    assert_eq!(rows(&place).await, i64::try_from(RUNS).unwrap());
    let mut connection = place.pool.acquire().await.unwrap();
    let accounts: i64 = place
        .ask(
            &mut connection,
            "SELECT count(DISTINCT account) FROM {s}.debits",
        )
        .await
        .unwrap();
    assert_eq!(accounts, i64::try_from(RUNS).unwrap());
    for worker in &workers {
        worker.shutdown();
    }
    for running in running {
        running.await.unwrap().unwrap();
    }
});
