//! Nothing of what users write is found in the store.

use std::{fs, path::Path, sync::Arc};

use belts::{
    Keyring,
    store::{Encrypted, Memory, RunFilter, SharedStore, Sqlite, Store as _},
    testing::Reopen as _,
};
use belts_suite::servers;

use super::*;
use crate::{
    gated::effects,
    places::{InSchema, UnderPrefix},
};

/// Runs everything in an encrypted store.
async fn used(store: &SharedStore, name: &str) {
    let running = Running::on(store, new_keys()).await;
    assert_eq!(live(&running.0, name).await, outcome());
    let failing = fails(order(&format!("{name}-fails")));
    let failing = failing.run_id(format!("{name}-fails")).via(&running.0);
    let failing = failing.start().await.unwrap();
    let error = within("it fails", failing.result()).await.unwrap_err();
    assert!(error.report().contains(MARK), "{}", error.report());
    eventually("the handler", async || {
        effects(&format!("{MARK}-key-{name}-fails failed")) > 0
    })
    .await;
    let run = running.0.runs().get(name).await.unwrap();
    assert!(run.output().unwrap().get().contains(MARK));
    // One is left waiting, so that the index of waits is looked at as well.
    begin(
        &running.0,
        order(&format!("{name}-waits")),
        &format!("{name}-waits"),
    )
    .await;
    rests(&running.0, &format!("{name}-waits"), "payment").await;
    let journal = running
        .0
        .runs()
        .journal(&format!("{name}-waits"))
        .await
        .unwrap();
    let wait = journal.last().unwrap().wait.as_ref().unwrap().to_string();
    assert_eq!(
        wait,
        format!("event sealed-paid key {MARK}-key-{name}-waits")
    );
    running.end().await;
}

/// Whether bytes hold the mark, as they are or in hexadecimal digits.
fn holds(bytes: &[u8], mark: &str) -> bool {
    let hex = mark.bytes().map(|byte| format!("{byte:02x}"));
    let hex = hex.collect::<Vec<_>>().concat();
    [mark.as_bytes(), hex.as_bytes()]
        .iter()
        .any(|text| bytes.windows(text.len()).any(|window| window == *text))
}

fn files(directory: &Path) -> Vec<u8> {
    let files = fs::read_dir(directory).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|file| file.is_file());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

#[tokio::test]
async fn nothing_is_left_in_the_files_of_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("belts.db"))
        .await
        .unwrap();
    let store: SharedStore = Arc::new(store);
    used(&store, "sqlite").await;
    let bytes = files(directory.path());
    assert!(holds(&bytes, "sealed-whole"), "ids are in plain text");
    assert!(!holds(&bytes, MARK));
}

/// The same without keys leaves it all there, or the tests above would prove nothing.
#[tokio::test]
async fn without_keys_all_of_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("belts.db"))
        .await
        .unwrap();
    let store: SharedStore = Arc::new(store);
    let running = Running::on(&store, None).await;
    assert_eq!(live(&running.0, "sqlite-plain").await, outcome());
    running.end().await;
    let bytes = files(directory.path());
    for place in [
        "status",
        "looked",
        "beat",
        "went wrong",
        "asked",
        "answered",
        "called",
        "paid",
    ] {
        assert!(holds(&bytes, &format!("{MARK} {place}")), "{place}");
    }
    assert!(holds(&bytes, &format!("{MARK}-key-sqlite-plain")));
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn nothing_is_left_in_the_tables_of_postgres() {
    use sqlx::{AssertSqlSafe, Connection as _, Row as _};

    let place = InSchema::new();
    let store = place.open().await.unwrap();
    used(&store, "postgres").await;
    let url = servers::Postgres::shared().url();
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let tables = sqlx::query("SELECT tablename::text FROM pg_tables WHERE schemaname = $1")
        .bind(place.name())
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let mut seen = 0;
    for table in tables {
        let table: String = table.get(0);
        let sql = format!("SELECT it::text FROM {}.{table} AS it", place.name());
        for row in sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap()
        {
            let row: String = row.get(0);
            assert!(!holds(row.as_bytes(), MARK), "{table}: {row}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} rows");
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn nothing_is_left_in_the_keys_of_redis() {
    use redis::{Value, cmd};

    let place = UnderPrefix::new();
    let store = place.open().await.unwrap();
    used(&store, "redis").await;
    let server = servers::Redis::shared();
    let keys: Vec<String> = server
        .command(cmd("KEYS").arg(format!("{{{}}}:*", place.name())))
        .unwrap();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        assert!(!holds(key.as_bytes(), MARK), "{key}");
        let kind: String = server.command(cmd("TYPE").arg(&key)).unwrap();
        let read = match &*kind {
            "string" => cmd("GET").arg(&key).clone(),
            "hash" => cmd("HGETALL").arg(&key).clone(),
            "set" => cmd("SMEMBERS").arg(&key).clone(),
            "zset" => cmd("ZRANGE").arg(&key).arg(0).arg(-1).clone(),
            "list" => cmd("LRANGE").arg(&key).arg(0).arg(-1).clone(),
            other => panic!("{key} is a {other}"),
        };
        let value: Value = server.command(&read).unwrap();
        for bytes in texts(value) {
            assert!(
                !holds(&bytes, MARK),
                "{key}: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

fn texts(value: redis::Value) -> Vec<Vec<u8>> {
    match value {
        redis::Value::BulkString(bytes) => vec![bytes],
        redis::Value::SimpleString(text) => vec![text.into_bytes()],
        redis::Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        redis::Value::Map(pairs) => pairs
            .into_iter()
            .flat_map(|(key, value)| [key, value])
            .flat_map(texts)
            .collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn long_values_take_less_room_than_before() {
    let memory = Memory::new();
    let store: SharedStore = Arc::new(memory.clone());
    used(&store, "memory").await;
    let run = memory.run("memory").await.unwrap().unwrap();
    let written = serde_json::to_vec(&order("memory")).unwrap().len();
    assert!(
        run.payload.len() < written / 3,
        "{} of {written}",
        run.payload.len()
    );
    let keys = Keyring::new("2026-11", [11; 32]).and_old("2026-01", [1; 32]);
    let opened = Encrypted::new(store, &keys).unwrap();
    let page = opened.list(RunFilter::new()).await.unwrap();
    assert!(page.runs.iter().all(|run| run.payload.is_empty()));
}
