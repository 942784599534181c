//! Sessions whose processes have died, one after the other.

use belts::store::{Sqlite, Store};

use super::directory;
use crate::requests::{at, claim, worker};

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
