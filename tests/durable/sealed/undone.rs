//! Runs that are undone while keys change: how they end was sealed when it was decided, and stays what it is.

use std::time::Duration;

use belts::{
    store::{Memory, Sqlite, Substitute, ValueOf},
    testing::Reopen as _,
};
use belts_suite::log;

use super::{reencrypted::all, *};
use crate::{
    gated::{effects, gate, open},
    places::InSchema,
};

/// Waits until the test lets it: an undo that failed instead would be tried again later and later.
async fn unbook(order: &str) -> std::io::Result<()> {
    gate(order).await;
    Ok(())
}

#[belts::function(id = "sealed-undone", on = SealedOrder, retries = 0)]
async fn undone(order: SealedOrder) -> belts::Result<()> {
    let name = order.order;
    let undo = move |_: String| {
        let name = name.clone();
        async move { unbook(&name).await }
    };
    step!("book", format!("{MARK} booked"), undo = undo).await?;
    Err(belts::terminal(format!("{MARK} came undone")))
}

#[belts::function(id = "sealed-undone-told", on_failure = undone)]
async fn told(failure: Failed<SealedOrder>) -> belts::Result<()> {
    let is_told = failure.error.contains("came undone");
    step!(
        "tell",
        effect(format!("{} told: {is_told}", failure.event.order))
    )
    .await
}

async fn running(store: &SharedStore, keys: Keyring) -> Running {
    let builder = Worker::builder()
        .shared_store(Arc::clone(store))
        .grace(Duration::ZERO)
        .function(undone)
        .function(told);
    let worker = builder.encryption(keys).build().await.unwrap();
    let running = looped(&worker);
    Running(worker, running)
}

/// A run whose end is decided, and that is not undone yet.
async fn is_undoing(store: &SharedStore, name: &str) {
    let old = running(store, old_keys()).await;
    let run = undone(order(name)).run_id(name).via(&old.0);
    run.start().await.unwrap();
    eventually("it is undone", async || {
        let run = old.0.runs().get(name).await.unwrap();
        let journal = old.0.runs().journal(name).await.unwrap();
        run.status == RunStatus::Undoing && journal.iter().any(|entry| &*entry.path == "undo:book")
    })
    .await;
    old.end().await;
    open(&order(name).order);
}

async fn ends(store: &SharedStore, keys: Keyring, name: &str) {
    let last = running(store, keys).await;
    let tells = format!("{} told: true", order(name).order);
    eventually("its end is told", async || effects(&tells) == 1).await;
    let run = last.0.runs().get(name).await.unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    let error = run.failure().unwrap().report();
    assert!(error.contains("came undone"), "{error}");
    last.end().await;
}

/// The old key is taken out while the run is undone.
async fn ends_with_the_new_key(store: SharedStore, name: &str) {
    is_undoing(&store, name).await;
    assert!(all(&store, new_keys()).await > 2);
    let keys = Keyring::new("2026-11", [11; 32]).and_hash([1; 32]);
    ends(&store, keys, name).await;
}

#[tokio::test]
async fn a_run_that_is_undone_moves_to_the_new_key_in_memory() {
    ends_with_the_new_key(Arc::new(Memory::new()), "undone-memory").await;
}

#[tokio::test]
async fn a_run_that_is_undone_moves_to_the_new_key_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(directory.path().join("belts.db"))
        .await
        .unwrap();
    ends_with_the_new_key(Arc::new(store), "undone-sqlite").await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn a_run_that_is_undone_moves_to_the_new_key_in_postgres() {
    let place = InSchema::new();
    ends_with_the_new_key(place.open().await.unwrap(), "undone-postgres").await;
}

/// A worker that cannot open how the run ends leaves it to those that can.
#[tokio::test]
async fn an_end_that_does_not_open_waits_for_its_key() {
    log::keep();
    let (store, name): (SharedStore, _) = (Arc::new(Memory::new()), "undone-closed");
    is_undoing(&store, name).await;
    let decided = store.run(name).await.unwrap().unwrap().result.unwrap();
    let closed = br#"{"belts.sealed":1,"key":"2026-07","data":"AAAA"}"#;
    let change =
        |from: &[u8], to: &[u8]| vec![Substitute::new(ValueOf::Result(name.into()), from, to)];
    assert_eq!(store.substitute(change(&decided, closed)).await.unwrap(), 1);
    let lacking = running(&store, old_keys()).await;
    eventually("it is told", async || {
        !log::lines_with(&["ERROR", "2026-07", name]).is_empty()
    })
    .await;
    lacking.end().await;
    let run = store.run(name).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Undoing);
    assert_eq!(run.result.as_deref(), Some(&closed[..]));
    assert_eq!(store.substitute(change(closed, &decided)).await.unwrap(), 1);
    ends(&store, old_keys(), name).await;
}
