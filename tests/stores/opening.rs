//! What SQLite says about paths and files that are no database of ours.

use std::path::Path;

use belts::{ErrorKind, store::Sqlite};

use crate::{
    SCHEMA,
    sqlite::{directory, publish, worker},
};

async fn fails_to_open(path: &Path) -> belts::Error {
    Sqlite::open(path)
        .await
        .map(drop)
        .expect_err("the database cannot be opened")
}

#[tokio::test]
async fn missing_directory_is_named() {
    let directory = directory();
    let error = fails_to_open(&directory.path().join("none/belts.db")).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("none does not exist"), "{error}");
}

#[tokio::test]
async fn directory_is_no_database() {
    let directory = directory();
    let error = fails_to_open(directory.path()).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("is a directory"), "{error}");
}

#[tokio::test]
async fn memory_is_another_store() {
    let error = fails_to_open(Path::new(":memory:")).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`Memory`"), "{error}");
}

/// Runs where permissions do not bind, such as for root, cannot be tried with a mode; a path below /proc can.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn unwritable_path_is_named() {
    let error = fails_to_open(Path::new("/proc/belts.db")).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("/proc/belts.db cannot be opened for writing"),
        "{error}"
    );
}

#[tokio::test]
async fn other_files_are_left_alone() {
    let directory = directory();
    let path = directory.path().join("notes.txt");
    let text = "these are my notes, and no database. ".repeat(100);
    std::fs::write(&path, &text).expect("the file can be written");
    let error = fails_to_open(&path).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("notes.txt is not a SQLite database"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file is there"),
        text
    );
}

#[tokio::test]
async fn databases_of_others_are_left_alone() {
    let directory = directory();
    let path = directory.path().join("other.db");
    let other = rusqlite::Connection::open(&path).expect("a database can be made");
    other
        .execute_batch("CREATE TABLE users (name TEXT)")
        .expect("a table can be made");
    let error = fails_to_open(&path).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("belongs to another program"),
        "{error}"
    );
}

/// A database that a later version of belts has changed; it says which is the oldest that works with it.
async fn changed_by_a_later_belts(path: &Path, oldest: i64) -> belts::Result<rusqlite::Connection> {
    drop(Sqlite::open(path).await?);
    let raw = rusqlite::Connection::open(path).expect("the database is there");
    raw.pragma_update(None, "user_version", 99)
        .expect("the version can be set");
    raw.execute("UPDATE schema_oldest SET version = ?1", [oldest])
        .expect("a later belts writes what it works with");
    Ok(raw)
}

#[tokio::test]
async fn newer_schema_asks_for_an_upgrade() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    changed_by_a_later_belts(&path, 98).await?;
    let error = fails_to_open(&path).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let known = format!("has schema version 99, and this belts knows {SCHEMA}; upgrade belts");
    assert!(error.to_string().ends_with(&known), "{error}");
    Ok(())
}

/// A deploy that was taken back left a worker that could not start again, although its tables were all there.
#[tokio::test]
async fn newer_schema_that_works_with_this_version_is_opened() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let raw = changed_by_a_later_belts(&path, 3).await?;
    drop(Sqlite::open(&path).await?);
    let version = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, i64>(0));
    let left = ["SELECT version FROM schema_oldest", "PRAGMA user_version"].map(version);
    assert_eq!(left, [Ok(3), Ok(99)], "what the later one wrote stays");
    Ok(())
}

#[tokio::test]
async fn damaged_database_is_an_error_that_names_it() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    for number in 0..200 {
        publish(&store, &format!("e-{number}")).await?;
    }
    drop(store);
    let mut bytes = std::fs::read(&path).expect("the database is there");
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).expect("the database can be written");
    let error = match Sqlite::open(&path).await {
        Ok(store) => publish(&store, "one more")
            .await
            .expect_err("the pages are gone"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("belts.db is damaged"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_database_may_be_opened_by_many_at_once() -> belts::Result<()> {
    for _ in 0..5 {
        let directory = directory();
        let path = directory.path().join("belts.db");
        let opening: Vec<_> = (0..8)
            .map(|_| tokio::spawn(Sqlite::open(path.clone())))
            .collect();
        for store in opening {
            let store = store.await.expect("opening does not panic")?;
            worker(&store).await?;
        }
    }
    Ok(())
}
