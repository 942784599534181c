//! Schedules whose keys are changed, and those whose key is missing.

use std::sync::Arc;

use belts::{
    Keyring, Schedule, Tick, Worker, step,
    store::{Encrypted, Memory, SharedStore},
    testing::{ManualClock, Reopen, SqliteFile},
};
use belts_suite::log;

use crate::{
    places::{InSchema, UnderPrefix},
    support::{HOUR, at, clock},
};

#[belts::function(id = "sealed-hourly", every = "1h")]
async fn hourly(tick: Tick) -> belts::Result<String> {
    step!("tell", tick.scheduled_at().to_string()).await
}

#[belts::function(id = "sealed-tenant")]
async fn tenant(tick: Tick) -> belts::Result<String> {
    let name: String = tick.data()?;
    step!("tell", name.clone()).await
}

fn old() -> Keyring {
    Keyring::new("2026-01", [3; 32])
}

fn both() -> Keyring {
    Keyring::new("2026-11", [7; 32]).and_old("2026-01", [3; 32])
}

fn new() -> Keyring {
    Keyring::new("2026-11", [7; 32])
}

async fn worker(store: &SharedStore, clock: &ManualClock, keys: Option<Keyring>) -> Worker {
    let builder = Worker::builder().shared_store(Arc::clone(store));
    let builder = match keys {
        Some(keys) => builder.encryption(keys),
        None => builder,
    };
    let builder = builder.clock(clock.clone());
    let builder = builder.function(hourly).function(tenant);
    builder.build().await.unwrap()
}

async fn put(worker: &Worker) {
    let daily = Schedule::cron("0 9 * * *");
    let schedules = worker.schedules();
    schedules
        .put("tenant-7", tenant, daily, "ada")
        .await
        .unwrap();
}

/// Sealed with one key or with none, and then with another one: nothing of what they say is lost, and the first key is not needed.
async fn moves_on(store: SharedStore) {
    for first in [None, Some(old())] {
        let clock = clock("2025-01-03T08:30:00Z");
        let before = worker(&store, &clock, first).await;
        put(&before).await;
        drop(before);
        let encrypted = Encrypted::new(Arc::clone(&store), &both()).unwrap();
        let mut reencrypt = encrypted.reencrypt();
        while reencrypt.next().await.unwrap() {}
        let done = reencrypt.done();
        assert_eq!((done.schedules, done.changed, done.closed), (2, 2, 0));
        for row in store.schedules(None, 10).await.unwrap() {
            let begin = br#"{"belts.sealed":1,"key":"2026-11""#;
            assert!(row.value.starts_with(begin), "{}", row.name);
            assert_eq!(row.due_at, Some(at("2025-01-03T09:00:00Z")));
        }
        let mut again = encrypted.reencrypt();
        while again.next().await.unwrap() {}
        assert_eq!((again.done().schedules, again.done().changed), (2, 0));
        let after = worker(&store, &clock, Some(new())).await;
        put(&after).await;
        let listed = after.schedules().list().await.unwrap();
        let names: Vec<_> = listed.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["sealed-hourly", "tenant-7"]);
        for name in names {
            assert!(after.schedules().get(name).await.unwrap().next.is_some());
        }
        for row in store.schedules(None, 10).await.unwrap() {
            let remove = belts::store::ScheduleChange::remove(&row);
            store
                .change_schedules(vec![remove], at("2025-01-03T09:00:00Z"))
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn they_are_sealed_anew_in_memory() {
    moves_on(Arc::new(Memory::new())).await;
}

#[tokio::test]
async fn they_are_sealed_anew_on_sqlite() {
    let place = SqliteFile::temporary();
    moves_on(place.open().await.unwrap()).await;
}

#[tokio::test]
async fn they_are_sealed_anew_on_postgres() {
    let place = InSchema::new();
    moves_on(place.open().await.unwrap()).await;
}

#[tokio::test]
async fn they_are_sealed_anew_on_redis() {
    let place = UnderPrefix::new();
    moves_on(place.open().await.unwrap()).await;
}

#[tokio::test]
async fn one_whose_key_is_missing_is_left_to_others_as_it_is() {
    let store: SharedStore = Arc::new(Memory::new());
    let clock = clock("2025-01-03T08:30:00Z");
    put(&worker(&store, &clock, Some(old())).await).await;
    log::keep();
    let lacking = worker(&store, &clock, Some(new())).await;
    assert_eq!(log::lines_with(&["sealed-hourly", "2026-01"]).len(), 1);
    let error = lacking.schedules().pause("tenant-7").await.unwrap_err();
    assert!(error.report().contains("2026-01"), "{}", error.report());
    clock.advance(HOUR * 3);
    drop(lacking);
    // The other one opens what it had written.
    let holder = worker(&store, &clock, Some(old())).await;
    let kept = holder.schedules().get("tenant-7").await.unwrap();
    assert_eq!(kept.data.unwrap().get(), "\"ada\"");
}
