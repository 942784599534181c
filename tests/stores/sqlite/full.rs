//! A disk that is full, and has room again.

use std::path::Path;

use belts::{
    ErrorKind,
    store::{Publish, RunFilter, Sqlite, Store},
};

use super::{at, directory, event, worker};

/// SQLite counts pages in a limit of each connection; the store's own cannot be reached from here, so a small file
/// system stands in, where one can be mounted.
#[tokio::test]
async fn full_disk_is_an_error_that_passes() -> belts::Result<()> {
    let directory = directory();
    let mount = |arguments: &[&str]| {
        let status = std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(directory.path())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=2m", "belts-test"]) {
        let reason = "a small file system cannot be mounted here";
        assert!(
            std::env::var_os("BELTS_TEST_ALL").is_none(),
            "not run: {reason}"
        );
        eprintln!("not run: {reason}");
        return Ok(());
    }
    let outcome = fill(directory.path()).await;
    assert!(mount(&["umount"]), "the file system can be unmounted");
    outcome
}

async fn fill(directory: &Path) -> belts::Result<()> {
    let ballast = directory.join("ballast");
    std::fs::write(&ballast, vec![0_u8; 1_000 * 1024]).expect("there is room at first");
    let path = directory.join("belts.db");
    let store = Sqlite::open(&path).await?;
    worker(&store).await?;
    // What finds no room itself takes none from those in the same transaction.
    let other = rusqlite::Connection::open(&path).expect("the database is there");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("nobody else writes");
    let publishing = async |id: &str, size| {
        let events = vec![event(id, size)];
        store.publish(Publish::new(events, at(0))).await
    };
    let (small, large, another, ()) = tokio::join!(
        publishing("small", 10),
        publishing("large", 3_000_000),
        publishing("another", 10),
        async { other.execute_batch("COMMIT").expect("the lock is ours") },
    );
    assert_eq!(
        [small.is_ok(), large.is_ok(), another.is_ok()],
        [true, false, true]
    );
    drop(other);
    let mut written = 1;
    let error = loop {
        let events = vec![
            event(&format!("e-{written}"), 20_000),
            event(&format!("f-{written}"), 20_000),
        ];
        match store.publish(Publish::new(events, at(0))).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.is_retryable());
    let count = async || {
        belts::Result::Ok(
            store
                .list(RunFilter::new().with_limit(1_000))
                .await?
                .runs
                .len(),
        )
    };
    assert_eq!(count().await?, 2 * written, "nothing is half written");
    std::fs::remove_file(&ballast).expect("the ballast is there");
    let events = vec![event("after", 20_000)];
    assert!(!store.publish(Publish::new(events, at(0))).await?[0].duplicate);
    assert_eq!(count().await?, 2 * written + 1, "it works again");
    Ok(())
}
