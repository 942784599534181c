//! `BELTS_CHECK=1`: a program that checks in place of starting, and writes nothing whatever its store is.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use belts::{
    Worker,
    testing::{Reopen, SqliteFile},
};

use crate::{
    breaking,
    changes::in_flight,
    harmless, shop,
    untouched::{InSchema, UnderPrefix, everything},
};

const STORE: &str = "BELTS_TEST_CHECKED_STORE";
const VERSION: &str = "BELTS_TEST_CHECKED_VERSION";

/// The program, in a process of its own.
#[tokio::test]
#[ignore = "a part of other tests, which start it"]
async fn program() {
    let Ok(store) = std::env::var(STORE) else {
        return;
    };
    let builder = Worker::builder().store_url(store).function(shop::audit);
    let builder = match std::env::var(VERSION).as_deref() {
        Ok("breaking") => builder.function(breaking::other_type::process),
        _ => builder.function(harmless::removed::process),
    };
    let worker = builder.build().await.unwrap();
    panic!("it has a worker: {worker:?}");
}

fn check(store: &str, version: &str, value: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "environment::program",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(STORE, store)
        .env(VERSION, version)
        .env("BELTS_CHECK", value);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn both_ways(url: &str) {
    let good = check(url, "harmless", "1");
    let said = text(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{said}{}", text(&good.stderr));
    assert!(
        said.contains("contract-process: 6 runs would go on\n"),
        "{said}"
    );
    assert!(
        said.contains("would be ignored: `log` (4 runs, such as waiting-"),
        "{said}"
    );
    assert!(
        said.ends_with("6 runs in flight checked: all would go on with this code\n"),
        "{said}"
    );
    let bad = check(url, "breaking", "on");
    let said = text(&bad.stdout);
    assert_eq!(bad.status.code(), Some(1), "{said}{}", text(&bad.stderr));
    assert!(said.contains("2 runs would go on, 4 would fail"), "{said}");
}

/// The files of a directory, and of those below, with what is in them. The file of SQLite's locks is memory of its processes.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            found.extend(files(&path));
            found.insert(name, Vec::new());
        } else if !name.ends_with("-shm") {
            let bytes = fs::read(&path).unwrap();
            // An empty log is made by whoever reads one.
            if !bytes.is_empty() {
                found.insert(name, bytes);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_checks_a_database_and_leaves_every_byte_of_it() {
    let place = SqliteFile::temporary();
    let store = place.open().await.unwrap();
    in_flight(&store).await;
    drop(store);
    let path = place.path();
    let directory = path.parent().unwrap();
    let before = files(directory);
    both_ways(&format!("sqlite://{}", path.display()));
    assert!(files(directory) == before, "a file was written");
}

/// A check of a new version of belts itself does not migrate what the old one works on.
#[tokio::test]
async fn a_database_of_another_version_is_not_migrated_by_a_check() {
    let place = SqliteFile::temporary();
    drop(place.open().await.unwrap());
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    let url = format!("sqlite://{}", place.path().display());
    let refused = check(&url, "harmless", "1");
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(said.contains("a check migrates nothing"), "{said}");
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 7);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made_and_a_wrong_value_is_said() {
    let place = SqliteFile::temporary();
    let url = format!("sqlite://{}", place.path().display());
    let parent = place.path().parent().unwrap().to_owned();
    fs::create_dir_all(&parent).unwrap();
    let refused = check(&url, "harmless", "1");
    assert!(!refused.status.success() && !place.path().exists());
    let said = text(&refused.stderr);
    assert!(said.contains("a check makes none"), "{said}");
    let refused = check("memory:", "harmless", "perhaps");
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(
        said.contains("BELTS_CHECK is `perhaps`, and must be `1` or `0`"),
        "{said}"
    );
    // Without it the program has a worker, and says so.
    let started = check("memory:", "harmless", "0");
    assert!(
        text(&started.stderr).contains("it has a worker")
            || text(&started.stdout).contains("it has a worker")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
async fn a_program_checks_a_schema_in_transactions_that_only_read() {
    let place = InSchema::new();
    let store = place.open().await.unwrap();
    in_flight(&store).await;
    let before = everything(&store).await;
    let url = place.0.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    both_ways(&format!("{url}{separator}schema={}", place.0.name()));
    assert_eq!(everything(&store).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn a_program_checks_what_a_redis_has() {
    let place = UnderPrefix::new();
    let store = place.open().await.unwrap();
    in_flight(&store).await;
    let before = everything(&store).await;
    let url = place.0.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    both_ways(&format!("{url}{separator}key_prefix={}", place.0.name()));
    assert_eq!(everything(&store).await, before);
}
