//! Values that were moved, cut or sealed with another key do not open; the run waits until they are as they were.

use belts::store::{Memory, Store as _, Substitute, ValueOf};
use belts_suite::log;

use super::*;

/// A run that waits, with what makes it due still to be published.
async fn waiting(id: &str) -> (Memory, SharedStore, RunHandle<String>) {
    let memory = Memory::new();
    let store: SharedStore = Arc::new(memory.clone());
    let first = Running::on(&store, new_keys()).await;
    let run = begin(&first.0, order(id), id).await;
    rests(&first.0, id, "payment").await;
    first.end().await;
    (memory, store, run)
}

async fn put(memory: &Memory, of: ValueOf, from: &Arc<[u8]>, to: &Arc<[u8]>) {
    let change = Substitute::new(of, Arc::clone(from), Arc::clone(to));
    assert_eq!(memory.substitute(vec![change]).await.unwrap(), 1);
}

/// With another value in its place the run waits; with its own again it goes on.
async fn heals(id: &str, keys: Keyring, spoil: impl AsyncFn(&Memory, Arc<[u8]>) -> Arc<[u8]>) {
    log::keep();
    let (memory, store, run) = waiting(id).await;
    let of = ValueOf::entry(id, 0);
    let right = Arc::clone(&memory.journal(id).await.unwrap()[0].value);
    let wrong = spoil(&memory, Arc::clone(&right)).await;
    if wrong != right {
        put(&memory, of.clone(), &right, &wrong).await;
    }
    let publisher = worker(Arc::clone(&store), Some(new_keys()), None).await;
    publish_sealed_paid(paid(id)).via(&publisher).await.unwrap();
    let spoilt = Running::on(&store, keys).await;
    eventually("it is told", async || {
        !log::lines_with(&["ERROR", id, "the run waits"]).is_empty()
    })
    .await;
    let record = memory.run(id).await.unwrap().unwrap();
    assert!(!record.status.is_finished(), "{id}: {record:?}");
    // Whoever looks is told so, and does not fail.
    let shown = spoilt.0.runs().journal(id).await.unwrap();
    assert!(!shown.is_empty());
    spoilt.end().await;
    if wrong != right {
        put(&memory, of, &wrong, &right).await;
    }
    let back = Running::on(&store, new_keys()).await;
    assert_eq!(
        within("it goes on", run.via(&back.0).result())
            .await
            .unwrap(),
        paid("").note
    );
    back.end().await;
}

#[tokio::test]
async fn another_key_under_the_same_id() {
    let other = Keyring::new("2026-11", [12; 32]).and_old("2026-01", [1; 32]);
    heals("wrong-key", other, async |_, right| right).await;
}

#[tokio::test]
async fn a_value_of_another_run() {
    heals("swapped-run", new_keys(), async |_, _| {
        let (other, ..) = waiting("swapped-other").await;
        let journal = other.journal("swapped-other").await.unwrap();
        Arc::clone(&journal[0].value)
    })
    .await;
}

#[tokio::test]
async fn a_value_of_another_step() {
    heals("swapped-step", new_keys(), async |memory, _| {
        let journal = memory.journal("swapped-step").await.unwrap();
        Arc::clone(&journal[1].value)
    })
    .await;
}

#[tokio::test]
async fn the_event_in_place_of_a_step() {
    heals("swapped-kind", new_keys(), async |memory, _| {
        memory.run("swapped-kind").await.unwrap().unwrap().payload
    })
    .await;
}

#[tokio::test]
async fn a_step_in_place_of_the_event() {
    let id = "swapped-event";
    log::keep();
    let (memory, store, run) = waiting(id).await;
    let record = memory.run(id).await.unwrap().unwrap();
    let of = ValueOf::Event(Arc::clone(&record.event_id));
    let step = Arc::clone(&memory.journal(id).await.unwrap()[0].value);
    put(&memory, of.clone(), &record.payload, &step).await;
    let publisher = worker(Arc::clone(&store), Some(new_keys()), None).await;
    publish_sealed_paid(paid(id)).via(&publisher).await.unwrap();
    let spoilt = Running::on(&store, new_keys()).await;
    eventually("it is told", async || {
        !log::lines_with(&["ERROR", id, "the event", "the run waits"]).is_empty()
    })
    .await;
    spoilt.end().await;
    put(&memory, of, &step, &record.payload).await;
    let back = Running::on(&store, new_keys()).await;
    assert_eq!(
        within("it goes on", run.via(&back.0).result())
            .await
            .unwrap(),
        paid("").note
    );
    back.end().await;
}

#[tokio::test]
async fn a_value_that_was_cut() {
    for (id, left) in [("cut-1", 1), ("cut-2", 20), ("cut-3", 60), ("cut-4", 90)] {
        heals(id, new_keys(), async |_, right| right[..left].into()).await;
    }
}

#[tokio::test]
async fn an_event_that_does_not_open_is_not_taken_for_no_event() {
    log::keep();
    let id = "closed-arrival";
    let (memory, store, run) = waiting(id).await;
    let sender = worker(Arc::clone(&store), Some(new_keys()), None).await;
    let published = publish_sealed_paid(paid(id)).via(&sender).await.unwrap();
    let of = || ValueOf::Event(published.event_id.as_str().into());
    let events = memory.events(None, 100).await.unwrap().events;
    let right = events.iter().find(|event| *event.id == *published.event_id);
    let right = Arc::clone(&right.unwrap().payload);
    let wrong: Arc<[u8]> = right[..right.len() - 10].into();
    put(&memory, of(), &right, &wrong).await;
    let spoilt = Running::on(&store, new_keys()).await;
    eventually("it is told", async || {
        !log::lines_with(&["ERROR", id, "an event that it waits for"]).is_empty()
    })
    .await;
    spoilt.end().await;
    put(&memory, of(), &wrong, &right).await;
    let back = Running::on(&store, new_keys()).await;
    assert_eq!(
        within("it goes on", run.via(&back.0).result())
            .await
            .unwrap(),
        paid("").note
    );
    back.end().await;
}
