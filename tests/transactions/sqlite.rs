//! The user's own transaction on SQLite.

use std::{path::Path, time::Duration};

use belts::{
    ErrorKind, Event, Worker, publish_all,
    rusqlite::{self, Connection, TransactionBehavior},
    step,
    store::{Memory, RunStatus, Sqlite, Store},
    testing::{Reopen as _, SqliteFile},
    transaction,
};
use belts_suite::{a_moment, within};
use serde::{Deserialize, Serialize};

use crate::{
    orders::{
        NobodyWants, begun, dear, limited, placed, publish_begun, publish_nobody_wants,
        publish_placed, receives, waits,
    },
    place::looped,
};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "tx-file-debit")]
pub(crate) struct FileDebit {
    pub(crate) account: String,
    pub(crate) cents: i64,
}

pub(crate) fn debit(account: &str, cents: i64) -> FileDebit {
    FileDebit {
        account: account.to_owned(),
        cents,
    }
}

#[belts::function(id = "tx-file-debits", on = FileDebit)]
pub(crate) async fn debits(debit: FileDebit) -> belts::Result<i64> {
    let rows: i64 = transaction!("debit", |tx| {
        tx.execute(
            "INSERT INTO debits (account, cents) VALUES (?1, ?2)",
            (&debit.account, debit.cents),
        )?;
        Ok(tx.query_row(
            "SELECT count(*) FROM debits WHERE account = ?1",
            [&debit.account],
            |row| row.get(0),
        )?)
    })
    .await?;
    step!("after", rows * 10).await
}

pub(crate) fn insert(tx: &rusqlite::Transaction<'_>, debit: &FileDebit) -> rusqlite::Result<usize> {
    tx.execute(
        "INSERT INTO debits (account, cents) VALUES (?1, ?2)",
        (&debit.account, debit.cents),
    )
}

#[belts::function(id = "tx-file-fails", on = FileDebit, retries = 0)]
pub(crate) async fn fails(debit: FileDebit) -> belts::Result<usize> {
    let all = transaction!("first", |tx| insert(tx, &debit)).await?;
    transaction!(
        "second",
        |tx| {
            insert(tx, &debit)?;
            if debit.cents < 0 {
                Err(belts::terminal("less than nothing"))?;
            }
            publish_placed(placed(&debit.account)).in_tx_sync(tx)?;
            Ok(())
        },
        retries = 1
    )
    .await?;
    Ok(all)
}

#[belts::function(id = "tx-file-commits", on = FileDebit, retries = 0)]
pub(crate) async fn commits(debit: FileDebit) -> belts::Result<()> {
    transaction!("debit", |tx| {
        insert(tx, &debit)?;
        tx.execute_batch("COMMIT")?;
        Ok(())
    })
    .await
}

/// Ends the transaction, and begins another.
#[belts::function(id = "tx-file-begins-again", on = FileDebit, retries = 0)]
pub(crate) async fn begins_again(debit: FileDebit) -> belts::Result<()> {
    transaction!("debit", |tx| {
        insert(tx, &debit)?;
        tx.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        insert(tx, &debit)?;
        Ok(())
    })
    .await
}

#[belts::function(id = "tx-file-panics", on = FileDebit, retries = 0)]
pub(crate) async fn panics(debit: FileDebit) -> belts::Result<()> {
    transaction!(
        "debit",
        |tx| {
            insert(tx, &debit)?;
            assert!(debit.cents > 0, "no money");
            Ok(())
        },
        retries = 0
    )
    .await
}

/// A file with the tables of the tests.
pub(crate) async fn file() -> (SqliteFile, Connection) {
    let file = SqliteFile::temporary();
    drop(file.open().await.unwrap());
    let connection = connect(file.path());
    connection
        .execute_batch(
            "CREATE TABLE debits (account TEXT, cents INTEGER); CREATE TABLE orders (id TEXT)",
        )
        .unwrap();
    (file, connection)
}

fn connect(path: impl AsRef<Path>) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

pub(crate) fn count(connection: &Connection, table: &str) -> i64 {
    connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

pub(crate) async fn ended(store: &dyn Store, run: &str, status: RunStatus) {
    within("the end of a run", async {
        while store
            .run(run)
            .await
            .unwrap()
            .is_none_or(|run| run.status != status)
        {
            a_moment().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_rolled_back_leaves_nothing_and_what_is_committed_starts() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(receives)
        .function(dear)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    tx.execute("INSERT INTO orders VALUES ('o-1')", []).unwrap();
    publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap();
    tx.rollback().unwrap();
    for table in ["orders", "events", "runs"] {
        assert_eq!(count(&connection, table), 0, "{table}");
    }
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    tx.execute("INSERT INTO orders VALUES ('o-1')", []).unwrap();
    let published = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap();
    assert_eq!(published.runs.len(), 1);
    tx.commit().unwrap();
    ended(&store, &published.runs[0].run_id, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn keys_conflicts_and_batches_hold() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(receives)
        .function(limited)
        .build()
        .await
        .unwrap();
    let first = publish_placed(placed("o-1"))
        .idempotency_key("k")
        .via(&worker)
        .await
        .unwrap();
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let second = publish_placed(placed("o-1"))
        .idempotency_key("k")
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap();
    assert!(second.duplicate);
    assert_eq!((first.event_id, first.runs), (second.event_id, second.runs));
    let refused = publish_placed(placed("o-2"))
        .idempotency_key("k")
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let refused = publish_nobody_wants(NobodyWants {})
        .must_start()
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnknownEvent);
    let many = (0..20).map(|n| publish_placed(placed(&format!("o-{n}"))));
    let many = publish_all(many).via(&worker).in_tx_sync(&tx).unwrap();
    assert_eq!(many.len(), 20);
    tx.commit().unwrap();
    assert_eq!(
        (count(&connection, "events"), count(&connection, "runs")),
        (21, 42)
    );
    let run = many[0]
        .runs
        .iter()
        .find(|run| run.function_id == "tx-limited")
        .unwrap();
    assert!(
        store
            .run(&run.run_id)
            .await
            .unwrap()
            .unwrap()
            .finish_by
            .is_some()
    );
}

#[tokio::test]
async fn waits_of_another_process_hear_of_it() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(waits)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    // Another process, as it were.
    let publisher = Worker::builder()
        .store(Sqlite::open(file.path()).await.unwrap())
        .publish_only()
        .build()
        .await
        .unwrap();
    let begun = publish_begun(begun("o-1")).via(&publisher).await.unwrap();
    ended(&store, &begun.runs[0].run_id, RunStatus::Suspended).await;
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    publish_placed(placed("o-1"))
        .via(&publisher)
        .in_tx_sync(&tx)
        .unwrap();
    tx.commit().unwrap();
    ended(&store, &begun.runs[0].run_id, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn other_databases_stores_and_tables_are_told() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store)
        .publish_only()
        .build()
        .await
        .unwrap();
    let mut elsewhere = Connection::open_in_memory().unwrap();
    let tx = elsewhere.transaction().unwrap();
    let refused = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("outbox"), "{refused}");
    let memory = Worker::builder()
        .store(Memory::new())
        .publish_only()
        .build()
        .await
        .unwrap();
    let tx = connection.transaction().unwrap();
    let refused = publish_placed(placed("o-1"))
        .via(&memory)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    tx.execute_batch("CREATE TEMP TABLE Events (id TEXT)")
        .unwrap();
    let refused = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert!(refused.to_string().contains("temporary table"), "{refused}");
}

// A deferred transaction has read, another one has written since, and now it wants to write as well.
#[tokio::test]
async fn a_busy_database_is_told_and_leaves_nothing_half_written() {
    let (file, mut connection) = file().await;
    let store = Sqlite::open(file.path()).await.unwrap();
    let worker = Worker::builder()
        .store(store.clone())
        .function(receives)
        .build()
        .await
        .unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    let tx = connection.transaction().unwrap();
    tx.query_row("SELECT count(*) FROM orders", [], |_| Ok(()))
        .unwrap();
    publish_placed(placed("o-0")).via(&worker).await.unwrap();
    let refused = publish_placed(placed("o-1"))
        .via(&worker)
        .in_tx_sync(&tx)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Store);
    assert!(refused.to_string().contains("Immediate"), "{refused}");
    drop(tx);
    assert_eq!(count(&connection, "events"), 1);
}
