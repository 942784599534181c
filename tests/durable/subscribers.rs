//! What a publisher is told of who takes its event, and what it hears if nobody does.

use std::time::Duration;

use belts::{
    ErrorKind, Event, Publish, Published, Worker,
    dispatch::Channel,
    step,
    store::Memory,
    testing::{Harness, ManualClock},
};
use serde::{Deserialize, Serialize};

use crate::gated::{runs_of, worker_of};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "subscribers-paid")]
struct Paid {
    cents: u64,
}

#[belts::function(id = "subscribers-book", on = Paid)]
async fn book(paid: Paid) -> belts::Result<u64> {
    step!("book", paid.cents).await
}

#[belts::function(id = "subscribers-boast", on = Paid, when = |paid| paid.cents > 1000)]
async fn boast(paid: Paid) -> belts::Result<u64> {
    step!("boast", paid.cents).await
}

fn paid(cents: u64) -> Publish {
    publish_paid(Paid { cents })
}

/// The functions whose runs it names.
fn functions(published: &Published) -> Vec<&str> {
    let runs = published.runs.iter();
    runs.map(|run| run.function_id.as_str()).collect()
}

/// The event vanished with `Ok`, and nothing that came back told so.
#[tokio::test]
async fn a_published_event_tells_the_runs_that_it_started() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let builder = Worker::builder().store(store.clone()).clock(clock);
    let worker = builder.function(book).function(boast).build();
    let worker = worker.await.unwrap();
    let large = paid(5000).via(&worker).await.unwrap();
    assert_eq!(functions(&large), ["subscribers-boast", "subscribers-book"]);
    let run = &runs_of(&store, "subscribers-boast").await[0];
    assert_eq!(*run.run_id, large.runs[0].run_id);

    let small = paid(5).idempotency_key("small").via(&worker).await.unwrap();
    assert_eq!(functions(&small), ["subscribers-book"]);
    let again = paid(5).idempotency_key("small").via(&worker).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.runs, small.runs);
}

#[tokio::test]
async fn an_event_that_must_start_something_is_not_published_while_nobody_subscribes() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let front = builder.publish_only().build().await.unwrap();
    let publish = || paid(5).idempotency_key("p-1").via(&front);
    let error = publish().must_start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownEvent);
    assert!(
        error
            .to_string()
            .starts_with("no function subscribes to `subscribers-paid`, so it was not published"),
        "{error}"
    );

    // Once there is one, the same key publishes.
    let _worker = worker_of(store, book, &clock).await;
    let published = publish().must_start().await.unwrap();
    assert!(!published.duplicate);
    assert_eq!(functions(&published), ["subscribers-book"]);
}

#[tokio::test]
async fn an_event_that_must_start_something_and_is_filtered_out_is_an_error() {
    let worker = worker_of(Memory::new(), boast, &ManualClock::default()).await;
    assert!(paid(5).via(&worker).await.unwrap().runs.is_empty());
    let error = paid(5).must_start().via(&worker).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownEvent);
    assert!(
        error.to_string().contains("no function wants it"),
        "{error}"
    );
}

#[tokio::test]
async fn an_event_that_a_dispatcher_carries_must_have_a_subscriber() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let builder = builder
        .dispatcher(Channel::new(Duration::from_secs(30)))
        .publish_only();
    let front = builder.build().await.unwrap();
    assert!(paid(5).must_start().via(&front).await.is_err());
    let _worker = worker_of(store, book, &clock).await;
    let published = paid(5).must_start().via(&front).await.unwrap();
    assert!(published.runs.is_empty(), "nobody has received it");
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "subscribers-tell")]
struct Tell {}

#[belts::function(id = "subscribers-tell", on = Tell)]
async fn tell(_: Tell) -> belts::Result<Published> {
    step!("publish", paid(5)).await
}

/// A step records what it published, and records of versions before name no runs.
#[tokio::test]
async fn what_a_step_published_is_recorded_with_its_runs() {
    let builder = Harness::builder().function(tell).function(book);
    let harness = builder.build().await.unwrap();
    let published = harness.run(tell, Tell {}).await.unwrap().output().unwrap();
    assert_eq!(functions(&published), ["subscribers-book"]);
    let before = r#"{"event_id":"e-1","duplicate":false}"#;
    let before: Published = serde_json::from_str(before).unwrap();
    assert!(before.runs.is_empty());
}
