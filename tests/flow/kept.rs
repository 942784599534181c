//! What flow options keep of their keys goes when it says nothing any more, and functions without any keep nothing.

use std::time::Duration;

use belts::{
    Event, Keyring, step,
    testing::{Harness, SqliteFile},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Seen {
    secret: String,
}

#[belts::function(id = "seen", on = Seen, idempotent(key = |e| &e.secret, within = "1m"))]
async fn seen(event: Seen) -> belts::Result<usize> {
    step!("length", event.secret.len()).await
}

#[tokio::test]
async fn keys_are_hashed_where_the_store_is_sealed() -> belts::Result<()> {
    let place = SqliteFile::temporary();
    let path = place.path();
    let keys = Keyring::new("2026-11", [7; 32]);
    let harness = Harness::builder()
        .store(place)
        .encryption(keys)
        .build()
        .await?;
    let publish = || {
        harness.publish(Seen {
            secret: "swordfish".to_owned(),
        })
    };
    assert!(publish().await?.skipped.is_empty());
    assert_eq!(publish().await?.skipped.len(), 1);
    let connection = belts::rusqlite::Connection::open(path).unwrap();
    let ids: Vec<String> = connection
        .prepare("SELECT id FROM flow_keys")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(ids.len(), 1);
    assert!(
        ids[0].starts_with("idempotent:seen:") && !ids[0].contains("swordfish"),
        "{ids:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_purge_removes_keys_that_say_nothing() -> belts::Result<()> {
    let place = SqliteFile::temporary();
    let path = place.path();
    let harness = Harness::builder().store(place).build().await?;
    harness
        .publish(Seen {
            secret: "a".to_owned(),
        })
        .await?;
    harness.settle().await?;
    let connection = belts::rusqlite::Connection::open(path).unwrap();
    let count = || {
        let count = connection.query_row("SELECT count(*) FROM flow_keys", [], |row| row.get(0));
        count.map(|count: i64| count).unwrap()
    };
    let store = harness.store().shared();
    store.purge(harness.now(), 100).await?;
    assert_eq!(count(), 1, "it is taken yet");
    store
        .purge(harness.now().after(Duration::from_secs(61)), 100)
        .await?;
    assert_eq!(count(), 0);
    Ok(())
}
