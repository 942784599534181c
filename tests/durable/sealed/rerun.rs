//! Runs that are run again from a step: what they wait for beside it is heard of under every key.

use std::collections::BTreeSet;

use belts::store::{Memory, Sqlite};

use super::*;

/// The orders whose work succeeds.
static REPAIRED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn work(order: &str) -> belts::Result<()> {
    if REPAIRED.lock().unwrap().contains(order) {
        return Ok(());
    }
    Err(belts::terminal("not yet"))
}

/// Waits for its payment, and works meanwhile.
#[belts::function(id = "sealed-beside", on = SealedOrder, retries = 0)]
async fn beside(order: SealedOrder) -> belts::Result<String> {
    let (paid, ()) = tokio::try_join!(wait!("payment", SealedPaid, key = &order.order), async {
        sleep!("rest", "1ms").await?;
        step!("work", work(&order.order)).await
    })?;
    Ok(paid.note)
}

async fn running(store: &SharedStore) -> Running {
    let builder = Worker::builder().shared_store(Arc::clone(store));
    let builder = builder.function(beside).encryption(new_keys());
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    Running(worker, running)
}

async fn hears_under_another_key(store: SharedStore) {
    let name = "rerun-beside";
    let running = running(&store).await;
    let run = beside(order(name)).run_id(name).via(&running.0);
    let run = run.start().await.unwrap();
    within("it fails", run.result()).await.unwrap_err();
    REPAIRED.lock().unwrap().insert(order(name).order);
    assert!(running.0.runs().rerun_from(name, "work").await.unwrap());
    eventually("it has worked", async || {
        let run = running.0.runs().get(name).await.unwrap();
        let journal = running.0.runs().journal(name).await.unwrap();
        let worked = journal.iter().any(|entry| &*entry.path == "work");
        run.status == RunStatus::Suspended && worked
    })
    .await;
    // Of those in the ring, the key that hashes for this publisher is the one that does not for the run.
    let keys = Keyring::new("2026-11", [11; 32]);
    let publisher = worker(Arc::clone(&store), Some(keys), None).await;
    publish_sealed_paid(paid(name))
        .via(&publisher)
        .await
        .unwrap();
    assert_eq!(
        within("it hears", run.result()).await.unwrap(),
        paid(name).note
    );
    running.end().await;
    REPAIRED.lock().unwrap().remove(&order(name).order);
}

#[tokio::test]
async fn a_wait_that_a_rerun_keeps_is_heard_under_every_key() {
    hears_under_another_key(Arc::new(Memory::new())).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    hears_under_another_key(Arc::new(Sqlite::open(path).await.unwrap())).await;
}
