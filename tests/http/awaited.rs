//! Events that start nothing, and that runs wait for.

use std::time::Duration;

use axum::http::StatusCode;
use belts::{
    Clock as _, Event, SystemClock, Worker,
    store::{Awaits, Memory, Register, RunStatus, Store as _},
    wait,
};
use belts_suite::within;
use serde::{Deserialize, Serialize};

use crate::router::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(key = parcel)]
struct ParcelSent {
    parcel: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(key = parcel)]
struct ParcelArrived {
    parcel: String,
    grams: u32,
}

/// No function takes it, and none here waits for it.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(key = parcel)]
struct ParcelWeighed {
    parcel: String,
}

#[belts::function(id = "unpack", on = ParcelSent)]
async fn unpack(sent: ParcelSent) -> belts::Result<u32> {
    let arrived = wait!("parcel", ParcelArrived, key = &sent.parcel).await?;
    Ok(arrived.grams)
}

async fn worker_on(store: Memory) -> Worker {
    let builder = Worker::builder().insecure(true).store(store);
    builder.function(unpack).build().await.unwrap()
}

#[tokio::test]
async fn an_event_that_a_run_waits_for_is_taken() {
    let worker = worker_on(Memory::new()).await;
    let background = worker.clone();
    let running = tokio::spawn(async move { background.run().await });
    let sent = ParcelSent {
        parcel: "p-1".to_owned(),
    };
    let run = unpack(sent).run_id("p-1").via(&worker);
    let run = run.start().await.unwrap();
    within("it waits", async {
        while worker.runs().get("p-1").await.unwrap().status != RunStatus::Suspended {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let body = r#"{"event":{"type":"parcel-arrived","parcel":"p-1","grams":70}}"#;
    let answer = send(&worker, post(body)).await;
    assert!(answer.status.is_success(), "{}", answer.status);
    assert_eq!(within("it goes on", run.result()).await.unwrap(), 70);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The run that waits would fail with what cannot be read.
#[tokio::test]
async fn an_event_that_a_wait_could_not_read_is_refused() {
    let worker = worker_on(Memory::new()).await;
    let body = r#"{"event":{"type":"parcel-arrived","parcel":"p-2","grams":"many"}}"#;
    let answer = send(&worker, post(body)).await;
    assert_eq!(answer.code(), (400, "invalid-event".to_owned()));
    assert!(answer.message().contains("grams"), "{}", answer.message());
}

/// A program that has neither the function nor the wait takes the event all the same, if it can tell its key.
#[tokio::test]
async fn an_event_that_others_wait_for_is_taken_by_who_knows_its_key() {
    let store = Memory::new();
    let awaits = Awaits::new("elsewhere", ["parcel-weighed", "parcel-lost"]);
    let lease = Duration::from_secs(60);
    let request = Register::new(SystemClock.now(), lease).with_awaits(vec![awaits]);
    store.register(request).await.unwrap();
    let worker = worker_on(store).await;
    let known = r#"{"event":{"type":"parcel-weighed","parcel":"p-3"}}"#;
    let answer = send(&worker, post(known)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let strange = r#"{"event":{"type":"parcel-lost","parcel":"p-3"}}"#;
    let answer = send(&worker, post(strange)).await;
    assert_eq!(answer.code(), (404, "unknown-event".to_owned()));
    let text = answer.message();
    assert!(text.contains("correlation key is computed"), "{text}");
    // The list of what is known names it.
    let nobody = r#"{"event":{"type":"parcel-eaten"}}"#;
    let answer = send(&worker, post(nobody)).await;
    assert!(
        answer.message().contains("parcel-weighed"),
        "{}",
        answer.message()
    );
}
