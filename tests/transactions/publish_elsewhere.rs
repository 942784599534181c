//! Publishing in transactions of every kind on Postgres: other isolation levels, paths, roles, databases and stores.

use std::time::Duration;

use belts::{ErrorKind, Worker, store::Memory};
use belts_suite::{servers::Postgres as Server, within};
use sqlx::{Connection as _, PgConnection};

use crate::{
    orders::{limited, placed, publish_placed, receives},
    place::Place,
    publish::postgres_test,
};

postgres_test!(every_isolation_level_and_search_path_will_do, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    // Names that would hide Postgres's own, were they looked for.
    place
        .run(
            "CREATE SCHEMA IF NOT EXISTS {s}_evil;
             CREATE TABLE {s}_evil.events (id text); CREATE TABLE {s}_evil.runs (id text);
             CREATE FUNCTION {s}_evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
             CREATE FUNCTION {s}_evil.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
             CREATE FUNCTION {s}_evil.yes(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
             CREATE OPERATOR {s}_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = {s}_evil.yes)",
        )
        .await;
    for (n, level) in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
        .iter()
        .enumerate()
    {
        let mut tx = place.pool.begin().await.unwrap();
        let settings = format!(
            "SET TRANSACTION ISOLATION LEVEL {level}; SET LOCAL search_path = {}_evil, pg_catalog; SET LOCAL plan_cache_mode = force_custom_plan",
            place.schema.name()
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
            .execute(&mut *tx)
            .await
            .unwrap();
        let published = publish_placed(placed("o"))
            .via(&worker)
            .in_tx(&mut tx)
            .await
            .unwrap();
        assert_eq!(published.runs.len(), 1);
        tx.commit().await.unwrap();
        assert_eq!(place.runs_of("tx-receives").await, n + 1, "{level}");
    }
    place.run("DROP SCHEMA {s}_evil CASCADE").await;
});

postgres_test!(serializable_publishers_do_not_disturb_each_other, async {
    let place = Place::new().await;
    let worker = place
        .worker(|worker| worker.function(receives).function(limited))
        .await;
    let mut open = Vec::new();
    for n in 0..20 {
        let mut tx = place.pool.begin().await.unwrap();
        let level = sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
        level.execute(&mut *tx).await.unwrap();
        let event = publish_placed(placed(&format!("o-{n}"))).idempotency_key(format!("o-{n}"));
        event.via(&worker).in_tx(&mut tx).await.unwrap();
        open.push(tx);
    }
    for tx in open {
        tx.commit().await.unwrap();
    }
    assert_eq!(place.rows().await, (20, 40));
});

postgres_test!(
    another_role_needs_no_more_than_the_right_to_publish,
    async {
        let place = Place::new().await;
        let worker = place.worker(|worker| worker.function(receives)).await;
        let role = format!("role_{}", place.schema.name());
        place
            .run(&format!(
                "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {{s}} TO {role}"
            ))
            .await;
        let publish = async || {
            let mut tx = place.pool.begin().await.unwrap();
            let set = format!("SET LOCAL ROLE {role}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set))
                .execute(&mut *tx)
                .await
                .unwrap();
            let published = publish_placed(placed("o-1"))
                .via(&worker)
                .in_tx(&mut tx)
                .await?;
            tx.commit().await.unwrap();
            Ok::<_, belts::Error>(published)
        };
        let refused = publish().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(
            refused.to_string().contains("GRANT EXECUTE ON FUNCTION"),
            "{refused}"
        );
        place
            .run(&format!(
                "GRANT EXECUTE ON FUNCTION {{s}}.publish_within TO {role}"
            ))
            .await;
        publish().await.unwrap();
        // And it can read none of it.
        let mut tx = place.pool.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
            .execute(&mut *tx)
            .await
            .unwrap();
        place
            .ask::<i64>(&mut tx, "SELECT count(*) FROM {s}.events")
            .await
            .unwrap_err();
        drop(tx);
        place
            .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
    }
);

postgres_test!(
    another_database_is_an_error_that_tells_of_the_outbox,
    async {
        let place = Place::new().await;
        let publisher = place.publisher().await;
        let publish = || publish_placed(placed("o-1")).via(&publisher);
        // One without belts.
        let name = format!("db_{}", place.schema.name());
        place.run(&format!("CREATE DATABASE {name}")).await;
        let options: sqlx::postgres::PgConnectOptions = place.schema.url().parse().unwrap();
        let mut elsewhere = PgConnection::connect_with(&options.database(&name))
            .await
            .unwrap();
        let refused = publish().in_tx(&mut elsewhere).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("outbox"), "{refused}");
        // One with another store under the same name.
        let url = Server::shared().url().to_owned();
        let other = url.rsplit_once('/').unwrap().0.to_owned() + "/" + &name;
        let builder = belts::store::Postgres::builder(&other).schema(place.schema.name());
        drop(builder.open().await.unwrap());
        let refused = publish().in_tx(&mut elsewhere).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("outbox"), "{refused}");
        elsewhere.close().await.unwrap();
        place
            .run(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await;
    }
);

postgres_test!(another_kind_of_store_is_an_error, async {
    let place = Place::new().await;
    let worker = Worker::builder()
        .store(Memory::new())
        .publish_only()
        .build()
        .await
        .unwrap();
    let mut tx = place.pool.begin().await.unwrap();
    let refused = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx(&mut tx)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("Memory"), "{refused}");
});

postgres_test!(the_error_of_the_server_is_the_source, async {
    let place = Place::new().await;
    let publisher = place.publisher().await;
    let mut tx = place.pool.begin().await.unwrap();
    sqlx::query("SELECT 1/0")
        .execute(&mut *tx)
        .await
        .unwrap_err();
    let failed = publish_placed(placed("o-1"))
        .via(&publisher)
        .in_tx(&mut tx)
        .await
        .unwrap_err();
    let source = std::error::Error::source(&failed).unwrap();
    let source = source.downcast_ref::<sqlx::Error>().unwrap();
    assert_eq!(
        source.as_database_error().unwrap().code().as_deref(),
        Some("25P02")
    );
    // A closed pool is the application's own affair.
    drop(tx);
    place.pool.close().await;
    assert!(place.pool.begin().await.is_err());
});

// The first publish in a transaction asked the store for something on a second connection. Where all of a pool were in transactions
// that published, each waited for the others until the pool gave up.
postgres_test!(a_pool_that_is_all_in_transactions_is_enough, async {
    let place = Place::new().await;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(4)
        .connect(place.schema.url())
        .await
        .unwrap();
    let store = belts::store::Postgres::with_pool(pool.clone())
        .schema(place.schema.name())
        .open()
        .await
        .unwrap();
    let worker = Worker::builder()
        .store(store)
        .publish_only()
        .build()
        .await
        .unwrap();
    let mut open = Vec::new();
    // What the store itself keeps is not to be had.
    while let Ok(Ok(tx)) = tokio::time::timeout(Duration::from_millis(300), pool.begin()).await {
        open.push(tx);
    }
    assert!(!open.is_empty());
    for tx in &mut open {
        let publish = publish_placed(placed("o-1")).via(&worker).in_tx(tx);
        within("a publish without a second connection", publish)
            .await
            .unwrap();
    }
});
