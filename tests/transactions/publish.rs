//! Publishing in a transaction on Postgres.

use std::time::Duration;

use belts::{
    ErrorKind, publish_all,
    store::{RunStatus, Store as _},
};
use belts_suite::{a_moment, within};
use sqlx::{Connection as _, PgConnection};

use crate::{
    orders::{
        NobodyWants, begun, dear, limited, placed, publish_begun, publish_nobody_wants,
        publish_placed, publish_withdrawn, receives, waits, withdrawable, withdrawn,
    },
    place::{Place, looped},
};

/// How a test of this kind begins.
macro_rules! postgres_test {
    ($(#[$meta:meta])* $name:ident, $body:expr) => {
        $(#[$meta])*
        #[cfg_attr(not(has_postgres), ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL")]
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $body.await;
        }
    };
}
pub(crate) use postgres_test;

postgres_test!(what_is_rolled_back_leaves_nothing, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let mut tx = place.pool.begin().await.unwrap();
    let published = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    assert!(!published.duplicate);
    assert_eq!(published.runs.len(), 1);
    // Nobody else sees it before the commit, nor after the rollback.
    assert_eq!(place.rows().await, (0, 0));
    tx.rollback().await.unwrap();
    assert_eq!(place.rows().await, (0, 0));
    assert!(
        place
            .store
            .run(&published.runs[0].run_id)
            .await
            .unwrap()
            .is_none()
    );
    let mut connection = place.pool.acquire().await.unwrap();
    let left: i64 = place
        .ask(&mut connection, "SELECT count(*) FROM {s}.arriving")
        .await
        .unwrap();
    assert_eq!(left, 0);
});

postgres_test!(what_is_committed_starts_its_functions, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let running = looped(&worker);
    place.run("CREATE TABLE {s}.orders (id text)").await;
    let mut tx = place.pool.begin().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO {}.orders VALUES ('o-1')",
        place.schema.name()
    )))
    .execute(&mut *tx)
    .await
    .unwrap();
    let published = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    // It exists at once, with its run.
    let run = place
        .store
        .run(&published.runs[0].run_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&*run.event_id, &*run.function_id),
        (&*published.event_id, "tx-receives")
    );
    ended(&place, &published.runs[0].run_id, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
});

/// Returns when the run has this status.
pub(crate) async fn ended(place: &Place, run: &str, status: RunStatus) {
    within("the end of a run", async {
        loop {
            let record = place.store.run(run).await.unwrap();
            if record.is_some_and(|run| run.status == status) {
                return;
            }
            a_moment().await;
        }
    })
    .await;
}

postgres_test!(
    a_connection_outside_of_a_transaction_publishes_the_whole,
    async {
        let place = Place::new().await;
        let worker = place
            .worker(|worker| worker.function(receives).function(limited))
            .await;
        let mut pooled = place.pool.acquire().await.unwrap();
        publish_placed(placed("o-1"))
            .via(&worker)
            .in_tx(&mut pooled)
            .await
            .unwrap();
        let mut own = PgConnection::connect(place.schema.url()).await.unwrap();
        publish_placed(placed("o-2"))
            .via(&worker)
            .in_tx(&mut own)
            .await
            .unwrap();
        assert_eq!(place.rows().await, (2, 4));
    }
);

postgres_test!(publisher_without_the_functions_starts_them, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let sender = place.publisher().await;
    let mut tx = place.pool.begin().await.unwrap();
    let published = publish_placed(placed("o-1"))
        .via(&sender)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(published.runs.len(), 1);
    let running = looped(&worker);
    ended(&place, &published.runs[0].run_id, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(one_key_is_one_event_whichever_way_it_is_published, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let publish = || {
        publish_placed(placed("o-1"))
            .idempotency_key("o-1")
            .via(&worker)
    };
    let first = publish().await.unwrap();
    let mut tx = place.pool.begin().await.unwrap();
    let second = publish().in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(second.duplicate);
    assert_eq!(
        (first.event_id, &first.runs[0].run_id),
        (second.event_id, &second.runs[0].run_id)
    );
    // And the other way round, and twice in one transaction.
    let publish = || {
        publish_placed(placed("o-2"))
            .idempotency_key("o-2")
            .via(&worker)
    };
    let mut tx = place.pool.begin().await.unwrap();
    let first = publish().in_tx(&mut tx).await.unwrap();
    let twice = publish().in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let third = publish().await.unwrap();
    assert_eq!(
        (first.duplicate, twice.duplicate, third.duplicate),
        (false, true, true)
    );
    assert_eq!(
        (&first.event_id, &first.event_id),
        (&twice.event_id, &third.event_id)
    );
    assert_eq!(third.runs, first.runs);
    assert_eq!(place.rows().await, (2, 2));
});

postgres_test!(another_event_under_one_key_is_a_conflict, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    publish_placed(placed("o-1"))
        .idempotency_key("k")
        .via(&worker)
        .await
        .unwrap();
    let mut tx = place.pool.begin().await.unwrap();
    let refused = publish_placed(placed("o-2"))
        .idempotency_key("k")
        .via(&worker)
        .in_tx(&mut tx)
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    // It was no error of the server, so the transaction goes on.
    publish_placed(placed("o-3"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.rows().await, (2, 2));
});

postgres_test!(filters_keep_their_functions_out, async {
    let place = Place::new().await;
    let worker = place
        .worker(|worker| worker.function(receives).function(dear))
        .await;
    let mut tx = place.pool.begin().await.unwrap();
    let published = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    let functions: Vec<_> = published.runs.iter().map(|run| &*run.function_id).collect();
    assert_eq!(functions, ["tx-receives"]);
    tx.commit().await.unwrap();
});

postgres_test!(limits_of_time_hold, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(limited)).await;
    let mut tx = place.pool.begin().await.unwrap();
    let inside = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let run = place
        .store
        .run(&inside.runs[0].run_id)
        .await
        .unwrap()
        .unwrap();
    let (start, finish) = (run.start_by.unwrap(), run.finish_by.unwrap());
    assert_eq!(finish.since(start), Duration::from_secs(3600));
});

postgres_test!(retries_and_delays_are_kept, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let mut tx = place.pool.begin().await.unwrap();
    let later = publish_placed(placed("o-1"))
        .delay(Duration::from_secs(3600))
        .retries(7)
        .via(&worker);
    let later = later.in_tx(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let run = place
        .store
        .run(&later.runs[0].run_id)
        .await
        .unwrap()
        .unwrap();
    let due = run.due_at.unwrap().since(run.created_at);
    assert!((3590..3610).contains(&due.as_secs()), "{due:?}");
    let mut connection = place.pool.acquire().await.unwrap();
    let retries: i32 = place
        .ask(&mut connection, "SELECT retries FROM {s}.runs")
        .await
        .unwrap();
    assert_eq!(retries, 7);
});

postgres_test!(
    what_must_start_something_is_not_written_where_nobody_wants_it,
    async {
        let place = Place::new().await;
        let publisher = place.publisher().await;
        let mut tx = place.pool.begin().await.unwrap();
        let refused = publish_nobody_wants(NobodyWants {})
            .must_start()
            .via(&publisher)
            .in_tx(&mut tx)
            .await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::UnknownEvent);
        publish_nobody_wants(NobodyWants {})
            .via(&publisher)
            .in_tx(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(place.rows().await, (1, 0));
    }
);

postgres_test!(many_are_one_statement, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let events = || {
        (0..50).map(|n| publish_placed(placed(&format!("o-{n}"))).idempotency_key(format!("o-{n}")))
    };
    let mut tx = place.pool.begin().await.unwrap();
    let published = publish_all(events())
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap();
    assert_eq!(published.len(), 50);
    tx.commit().await.unwrap();
    assert_eq!(place.rows().await, (50, 50));
    // The answers stand in the order of the events, whatever their ids.
    for (n, published) in published.iter().enumerate() {
        let run = place
            .store
            .run(&published.runs[0].run_id)
            .await
            .unwrap()
            .unwrap();
        let payload = String::from_utf8(run.payload.to_vec()).unwrap();
        assert!(payload.contains(&format!("\"o-{n}\"")), "{payload}");
    }
    let again = publish_all(events())
        .via(&worker)
        .in_tx(&mut place.pool.acquire().await.unwrap())
        .await;
    assert!(again.unwrap().iter().all(|published| published.duplicate));
});

postgres_test!(waits_and_cancels_hear_of_it_at_the_commit, async {
    let place = Place::new().await;
    let worker = place
        .worker(|worker| worker.function(waits).function(withdrawable))
        .await;
    let running = looped(&worker);
    let begun = publish_begun(begun("o-1")).via(&worker).await.unwrap();
    let run_of = |function: &str| {
        let mut runs = begun.runs.iter();
        runs.find(|run| *run.function_id == *function)
            .unwrap()
            .run_id
            .clone()
    };
    let (waiting, withdrawable) = (run_of("tx-waits"), run_of("tx-withdrawable"));
    for run in [&waiting, &withdrawable] {
        ended(&place, run, RunStatus::Suspended).await;
    }
    let publisher = place.publisher().await;
    let mut tx = place.pool.begin().await.unwrap();
    publish_withdrawn(withdrawn("o-1"))
        .via(&publisher)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ended(&place, &withdrawable, RunStatus::Cancelled).await;
    let mut tx = place.pool.begin().await.unwrap();
    publish_placed(placed("o-1"))
        .via(&publisher)
        .in_tx(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ended(&place, &waiting, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
});
