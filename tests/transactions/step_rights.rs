//! `transaction!` in sessions of every kind: roles, read-only ones, and those whose client vanishes.

use belts::{
    Worker, sqlx,
    store::{Postgres, RunStatus, Store as _},
    transaction,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{
    debits::{Debit, debits, insert, publish_debit, sql},
    place::{Place, looped},
    publish::{ended, postgres_test},
    step::{debit, result_of, rows, with_tables},
};

/// Does what its account says, as statements, and then the debit.
#[belts::function(id = "tx-states", on = Debit, retries = 0)]
async fn states(debit: Debit) -> belts::Result<()> {
    transaction!(
        "debit",
        async |tx| {
            insert(tx, &debit, 1).await?;
            let statements = sqlx::raw_sql(sql(&debit.schema, &debit.account));
            statements.execute(&mut **tx).await?;
            Ok(())
        },
        retries = 0
    )
    .await
}

/// Writes after the statements of its account.
#[belts::function(id = "tx-writes-after", on = Debit, retries = 0)]
async fn writes_after(debit: Debit) -> belts::Result<()> {
    transaction!(
        "debit",
        async |tx| {
            let statements = sqlx::raw_sql(sql(&debit.schema, &debit.account));
            statements.execute(&mut **tx).await?;
            insert(tx, &debit, 1).await?;
            Ok(())
        },
        retries = 0
    )
    .await
}

/// The failures of the functions, by these statements.
async fn told(place: &Place, worker: &Worker, statements: &str) -> Vec<String> {
    let published = publish_debit(debit(place, statements, 5)).via(worker);
    let mut told = Vec::new();
    for run in published.await.unwrap().runs {
        ended(place, &run.run_id, RunStatus::Failed).await;
        let record = place.store.run(&run.run_id).await.unwrap().unwrap();
        told.push(record.failure().unwrap().report());
    }
    told
}

// Nothing that the closure does to its session is taken for a store that is away, for which the run would wait for good.
postgres_test!(what_the_closure_does_to_its_session_is_told, async {
    let place = with_tables().await;
    let role = format!("role_{}", place.schema.name());
    place
        .run(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {{s}} TO {role}; GRANT ALL ON {{s}}.debits TO {role};
             GRANT USAGE ON SEQUENCE {{s}}.debits_id_seq TO {role}"
        ))
        .await;
    let worker = place.worker(|worker| worker.function(states)).await;
    let running = looped(&worker);
    let failures = told(&place, &worker, &format!("SET LOCAL ROLE {role}")).await;
    assert!(failures[0].contains("RESET ROLE"), "{failures:?}");
    let failures = told(&place, &worker, "SET TRANSACTION READ ONLY").await;
    assert!(failures[0].contains("READ ONLY"), "{failures:?}");
    assert_eq!(rows(&place).await, 0);
    let reset = format!("SET LOCAL ROLE {role}; RESET ROLE");
    result_of!(&worker, states, debit(&place, &reset, 5)).unwrap();
    assert_eq!(rows(&place).await, 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
    place
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
});

postgres_test!(a_write_in_a_read_only_transaction_is_a_failed_step, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(writes_after)).await;
    let running = looped(&worker);
    let failures = told(&place, &worker, "SET TRANSACTION READ ONLY").await;
    assert!(
        failures[0].contains("read-only transaction"),
        "{failures:?}"
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
});

postgres_test!(sessions_that_are_read_only_by_default_will_do, async {
    let place = with_tables().await;
    let options: PgConnectOptions = place.schema.url().parse().unwrap();
    let options = options.options([("default_transaction_read_only", "on")]);
    let pool = PgPoolOptions::new().max_connections(8);
    let store = Postgres::with_pool(pool.connect_lazy_with(options)).schema(place.schema.name());
    let store = store.open().await.unwrap();
    let builder = Worker::builder().store(store).function(debits);
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    assert_eq!(
        result_of!(&worker, debits, debit(&place, "ada", 5)).unwrap(),
        10
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
});

#[belts::function(id = "tx-shows", on = Debit, retries = 0)]
async fn shows(_debit: Debit) -> belts::Result<Vec<String>> {
    transaction!("show", async |tx| {
        let mut shown = Vec::new();
        for name in ["idle", "interval", "count"] {
            let show = sqlx::AssertSqlSafe(format!("SHOW tcp_keepalives_{name}"));
            shown.push(sqlx::query_scalar(show).fetch_one(&mut **tx).await?);
        }
        Ok(shown)
    })
    .await
}

// The server notices within a minute that a client is gone which had locks of the user's.
postgres_test!(the_server_looks_whether_the_client_is_there, async {
    let place = with_tables().await;
    let worker = place.worker(|worker| worker.function(shows)).await;
    let running = looped(&worker);
    let shown = result_of!(&worker, shows, debit(&place, "ada", 5)).unwrap();
    assert_eq!(shown, ["20", "10", "4"]);
    worker.shutdown();
    running.await.unwrap().unwrap();
});
