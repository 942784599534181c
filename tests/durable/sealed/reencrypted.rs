//! Sealing everything with a new key while workers go on, and again after it was stopped half-way.

use belts::store::{Encrypted, Memory, Sqlite, Store, Substitute, ValueOf};

use super::*;
use crate::places::{InSchema, UnderPrefix};
use belts::testing::Reopen as _;

/// Seals everything anew; how many values were.
pub(super) async fn all(store: &SharedStore, keys: Keyring) -> usize {
    let encrypted = Encrypted::new(Arc::clone(store), &keys).unwrap();
    let mut reencrypt = encrypted.reencrypt();
    while reencrypt.next().await.unwrap() {}
    assert_eq!(reencrypt.done().closed, 0, "{:?}", reencrypt.done());
    reencrypt.done().changed
}

/// Every value of a store, without those of runs that are not among these.
async fn values(store: &dyn Store, runs: &[&str]) -> Vec<Arc<[u8]>> {
    let mut values = Vec::new();
    let mut mark = None;
    loop {
        let page = store.events(mark.as_deref(), 7).await.unwrap();
        values.extend(page.events.into_iter().map(|event| event.payload));
        mark = page.next;
        if mark.is_none() {
            break;
        }
    }
    for run in runs {
        values.extend(store.run(run).await.unwrap().unwrap().result);
        let journal = store.journal(run).await.unwrap();
        values.extend(journal.into_iter().map(|entry| entry.value));
    }
    values.retain(|value| !value.is_empty());
    values
}

fn count(values: &[Arc<[u8]>], key: &str) -> usize {
    let begin = format!("\"belts.sealed\":1,\"key\":\"{key}\"");
    let has = |value: &&Arc<[u8]>| String::from_utf8_lossy(value).contains(&begin);
    values.iter().filter(has).count()
}

/// Runs from before encryption and with an old key are sealed with the new one, and go on without the old one.
async fn moves_on(store: SharedStore, name: &str) {
    let names = [
        format!("{name}-plain"),
        format!("{name}-old"),
        format!("{name}-waits"),
    ];
    let [plain, old, waits] = names.each_ref().map(String::as_str);
    let running = Running::on(&store, None).await;
    assert_eq!(live(&running.0, plain).await, outcome());
    running.end().await;
    let running = Running::on(&store, old_keys()).await;
    assert_eq!(live(&running.0, old).await, outcome());
    let run = begin(&running.0, order(waits), waits).await;
    rests(&running.0, waits, "payment").await;
    // Whose parent has heard of their ends.
    let before = values(&*store, &[plain, old, waits]).await;
    assert!(count(&before, "2026-01") > 10);
    assert!(all(&store, new_keys()).await > 20);
    let after = values(&*store, &[plain, old, waits]).await;
    assert_eq!(after.len(), before.len());
    assert_eq!(count(&after, "2026-01"), 0);
    assert_eq!(all(&store, new_keys()).await, 0, "nothing is left to do");
    running.end().await;
    let keys = Keyring::new("2026-11", [11; 32]).and_hash([1; 32]);
    let running = Running::on(&store, keys).await;
    for id in [plain, old] {
        let record = running.0.runs().get(id).await.unwrap();
        assert!(record.output().unwrap().get().contains("answered"));
        for entry in running.0.runs().journal(id).await.unwrap() {
            assert!(
                !entry.value.starts_with(b"{\"belts.sealed\""),
                "{}",
                entry.path
            );
        }
    }
    publish_sealed_paid(paid(waits))
        .via(&running.0)
        .await
        .unwrap();
    assert_eq!(
        within("it goes on", run.via(&running.0).result())
            .await
            .unwrap(),
        paid("").note
    );
    running.end().await;
}

#[tokio::test]
async fn everything_moves_to_the_new_key_in_memory() {
    moves_on(Arc::new(Memory::new()), "re-memory").await;
}

#[tokio::test]
async fn everything_moves_to_the_new_key_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("belts.db"))
        .await
        .unwrap();
    moves_on(Arc::new(store), "re-sqlite").await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn everything_moves_to_the_new_key_in_postgres() {
    let place = InSchema::new();
    moves_on(place.open().await.unwrap(), "re-postgres").await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn everything_moves_to_the_new_key_in_redis() {
    let place = UnderPrefix::new();
    moves_on(place.open().await.unwrap(), "re-redis").await;
}

/// Stopped after any of its parts, it is begun again and comes to the same.
#[tokio::test]
async fn it_may_be_stopped_half_way() {
    let store: SharedStore = Arc::new(Memory::new());
    let running = Running::on(&store, old_keys()).await;
    assert_eq!(live(&running.0, "half-way").await, outcome());
    running.end().await;
    let encrypted = Encrypted::new(Arc::clone(&store), &new_keys()).unwrap();
    let mut stopped = encrypted.reencrypt();
    assert!(stopped.next().await.unwrap());
    drop(stopped);
    let half = values(&*store, &["half-way"]).await;
    assert!(count(&half, "2026-01") > 0 && count(&half, "2026-11") > 0);
    // What is there now opens, with both keys about.
    let both = Running::on(&store, new_keys()).await;
    let record = both.0.runs().get("half-way").await.unwrap();
    assert!(record.output().is_some());
    both.end().await;
    assert!(all(&store, new_keys()).await > 0);
    let whole = values(&*store, &["half-way"]).await;
    assert_eq!(count(&whole, "2026-01"), 0);
}

#[tokio::test]
async fn what_does_not_open_is_counted_and_left() {
    let memory = Memory::new();
    let store: SharedStore = Arc::new(memory.clone());
    let running = Running::on(&store, old_keys()).await;
    assert_eq!(live(&running.0, "left").await, outcome());
    running.end().await;
    let result = memory.run("left").await.unwrap().unwrap().result.unwrap();
    let cut: Arc<[u8]> = result[..result.len() - 8].into();
    let change = Substitute::new(ValueOf::Result("left".into()), result, Arc::clone(&cut));
    memory.substitute(vec![change]).await.unwrap();
    let encrypted = Encrypted::new(Arc::clone(&store), &new_keys()).unwrap();
    let mut reencrypt = encrypted.reencrypt();
    while reencrypt.next().await.unwrap() {}
    let done = reencrypt.done();
    assert_eq!(done.closed, 1);
    assert_eq!(done.keys.iter().collect::<Vec<_>>(), ["2026-01"]);
    assert_eq!(
        memory.run("left").await.unwrap().unwrap().result.unwrap(),
        cut
    );
}
