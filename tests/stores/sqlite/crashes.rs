//! Sessions whose processes have died, one after the other.

use belts::store::{Sqlite, Store};

use super::directory;
use crate::requests::{at, begin, claim, event, publish, worker};

/// What a dead session wants stands for a day, but a program that is started and dies again and again must not leave a session for
/// each time: every claim looks at all that are there.
#[tokio::test]
async fn program_that_dies_again_and_again_leaves_few_sessions() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    for _ in 0..6 {
        let store = Sqlite::open(&path).await?;
        let worker = worker(&store).await?;
        claim(&store, worker, at(1)).await?;
        // The store ends without `deregister`, as with its process.
        drop(store);
    }
    let raw = rusqlite::Connection::open(&path).expect("the database is there");
    let count = |sql| {
        raw.query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("the tables are there")
    };
    assert_eq!(count("SELECT count(*) FROM workers"), 2);
    assert_eq!(count("SELECT count(DISTINCT session) FROM wants"), 2);
    let store = Sqlite::open(&path).await?;
    assert_eq!(store.subscriptions().await?.len(), 2);
    Ok(())
}

/// A session whose lock was lost, and with it what it had in hand, claimed again. Its lease was of no length by then: whatever it
/// claimed was taken from it at the next claim of another, until it renewed.
#[tokio::test]
async fn session_taken_for_dead_lives_again_with_its_claim() -> belts::Result<()> {
    let directory = directory();
    let path = directory.path().join("belts.db");
    let lost = Sqlite::open(&path).await?;
    let ours = worker(&lost).await?;
    begin(&lost, "before", ours).await?;
    drop(lost);
    let store = Sqlite::open(&path).await?;
    let other = worker(&store).await?;
    let taken = claim(&store, other, at(1)).await?.runs;
    assert_eq!(taken.len(), 1, "its lock is not held");
    publish(&store, event("after")).await?;
    assert_eq!(claim(&store, ours, at(2)).await?.runs.len(), 1);
    assert!(claim(&store, other, at(3)).await?.runs.is_empty());
    assert!(claim(&store, other, at(30_001)).await?.runs.is_empty());
    assert_eq!(claim(&store, other, at(30_002)).await?.runs.len(), 1);
    Ok(())
}
