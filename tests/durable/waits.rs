//! Runs that wait for events.

use std::{sync::Arc, time::Duration};

use belts::{
    ErrorKind, Event, Worker, step,
    store::{Capabilities, Memory, RunStatus, Sqlite, StepKind, StepState},
    testing::{Harness, ManualClock},
    wait,
};
use belts_suite::Hooked;
use serde::{Deserialize, Serialize};

use crate::gated::{effect, effects, eventually, looped, within};

mod crashes;
mod left;
mod looks;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-order-created", key = order)]
struct OrderCreated {
    order: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(type = "waits-order-paid", key = order)]
struct OrderPaid {
    order: String,
    cents: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-order-refused", key = order)]
struct OrderRefused {
    order: Option<String>,
}

#[derive(Debug, Event)]
enum Verdict {
    Paid(OrderPaid),
    Refused(OrderRefused),
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-doors-open")]
struct DoorsOpen {}

fn created(order: &str) -> OrderCreated {
    let order = order.to_owned();
    OrderCreated { order }
}

fn paid(order: &str, cents: u32) -> OrderPaid {
    let order = order.to_owned();
    OrderPaid { order, cents }
}

#[belts::function(id = "waits-for-payment", on = OrderCreated)]
async fn payment(order: OrderCreated) -> belts::Result<u32> {
    step!("begin", effect(format!("{} begins", order.order))).await?;
    let paid = wait!("payment", OrderPaid, key = &order.order).await?;
    step!("ship", effect(format!("{} ships", order.order))).await?;
    Ok(paid.cents)
}

#[belts::function(id = "waits-for-an-hour", on = OrderCreated)]
async fn for_an_hour(order: OrderCreated) -> belts::Result<Option<u32>> {
    let id: &str = &order.order;
    let paid: Option<OrderPaid> = wait!("payment", OrderPaid, key = id, timeout = "1h").await?;
    Ok(paid.map(|paid| paid.cents))
}

#[belts::function(id = "waits-for-big", on = OrderCreated)]
async fn for_big(order: OrderCreated) -> belts::Result<u32> {
    let least = 100;
    let big = wait!(
        "big",
        OrderPaid,
        key = &order.order,
        when = |paid| paid.cents > least
    )
    .await?;
    Ok(big.cents)
}

#[belts::function(id = "waits-for-each", on = OrderCreated)]
async fn for_each(order: OrderCreated) -> belts::Result<Vec<u32>> {
    let mut all = Vec::new();
    for n in 0..3 {
        all.push(
            wait!("item-{n}", OrderPaid, key = &order.order)
                .await?
                .cents,
        );
    }
    Ok(all)
}

#[belts::function(id = "waits-for-a-verdict", on = OrderCreated)]
async fn verdict(order: OrderCreated) -> belts::Result<String> {
    let verdict = wait!("verdict", Verdict, key = &order.order).await?;
    Ok(match verdict {
        Verdict::Paid(paid) => format!("paid {}", paid.cents),
        Verdict::Refused(_) => "refused".to_owned(),
    })
}

#[belts::function(id = "waits-beside", on = OrderCreated)]
async fn beside(order: OrderCreated) -> belts::Result<(u32, u32)> {
    let (one, two) = tokio::try_join!(
        wait!("one", OrderPaid, key = &order.order),
        wait!("two", OrderPaid, key = &order.order),
    )?;
    wait!("doors", DoorsOpen, timeout = Duration::ZERO, since = "now").await?;
    Ok((one.cents, two.cents))
}

async fn on_memory() -> (Worker, ManualClock) {
    let clock = ManualClock::default();
    (worker(Memory::new(), &clock).await, clock)
}

async fn worker(store: impl belts::store::Store, clock: &ManualClock) -> Worker {
    let builder = Worker::builder().store(store).clock(clock.clone());
    let builder = builder.function(payment).function(for_an_hour);
    let builder = builder.function(for_big).function(for_each);
    builder
        .function(verdict)
        .function(beside)
        .build()
        .await
        .unwrap()
}

/// Waits until a run leaves memory for its wait.
async fn waits(worker: &Worker, run_id: &str) {
    eventually("it waits", async || {
        let run = worker.runs().get(run_id).await.unwrap();
        let journal = worker.runs().journal(run_id).await.unwrap();
        let last = journal.last();
        run.status == RunStatus::Suspended
            && last.is_some_and(|entry| {
                (entry.kind, entry.state) == (StepKind::Wait, StepState::Waiting)
            })
    })
    .await;
}

#[tokio::test]
async fn a_run_goes_on_when_its_event_comes() {
    let (worker, _clock) = on_memory().await;
    let running = looped(&worker);
    let run = payment(created("goes-on")).run_id("goes-on").via(&worker);
    let run = run.start().await.unwrap();
    waits(&worker, "goes-on").await;
    let record = worker.runs().get("goes-on").await.unwrap();
    assert_eq!(record.due_at, None, "it waits for as long as it takes");
    publish_order_paid(paid("another", 1))
        .via(&worker)
        .await
        .unwrap();
    publish_order_paid(paid("goes-on", 250))
        .via(&worker)
        .await
        .unwrap();
    let result = within("it goes on", run.result()).await;
    assert_eq!(result.unwrap(), 250);
    assert_eq!(
        (effects("goes-on begins"), effects("goes-on ships")),
        (1, 1)
    );
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_event_that_came_before_the_wait_is_found() {
    let (worker, _clock) = on_memory().await;
    let run = payment(created("early")).run_id("early").via(&worker);
    let run = run.start().await.unwrap();
    publish_order_paid(paid("early", 7))
        .via(&worker)
        .await
        .unwrap();
    let running = looped(&worker);
    assert_eq!(within("it ends", run.result()).await.unwrap(), 7);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let (worker, clock) = on_memory().await;
    let running = looped(&worker);
    let over = for_an_hour(created("over")).run_id("over").via(&worker);
    let over = over.start().await.unwrap();
    let came = for_an_hour(created("came")).run_id("came").via(&worker);
    let came = came.start().await.unwrap();
    waits(&worker, "over").await;
    waits(&worker, "came").await;
    publish_order_paid(paid("came", 3))
        .via(&worker)
        .await
        .unwrap();
    assert_eq!(within("it came", came.result()).await.unwrap(), Some(3));
    clock.advance(Duration::from_secs(3_601));
    assert_eq!(within("its time", over.result()).await.unwrap(), None);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn events_that_a_closure_refuses_are_passed_over() {
    let (worker, _clock) = on_memory().await;
    let running = looped(&worker);
    let run = for_big(created("big")).run_id("big").via(&worker);
    let run = run.start().await.unwrap();
    waits(&worker, "big").await;
    // More than a claim brings at once.
    for cents in 0..40 {
        publish_order_paid(paid("big", cents))
            .via(&worker)
            .await
            .unwrap();
    }
    publish_order_paid(paid("big", 101))
        .via(&worker)
        .await
        .unwrap();
    assert_eq!(within("the big one", run.result()).await.unwrap(), 101);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn waits_in_a_loop_see_each_event_once_in_order() {
    let (worker, _clock) = on_memory().await;
    let running = looped(&worker);
    let run = for_each(created("each")).run_id("each").via(&worker);
    let run = run.start().await.unwrap();
    for cents in [5, 6, 7] {
        publish_order_paid(paid("each", cents))
            .via(&worker)
            .await
            .unwrap();
    }
    assert_eq!(within("all three", run.result()).await.unwrap(), [5, 6, 7]);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn waits_side_by_side_take_an_event_each() {
    let (worker, _clock) = on_memory().await;
    let running = looped(&worker);
    let run = beside(created("beside")).run_id("beside").via(&worker);
    let run = run.start().await.unwrap();
    waits(&worker, "beside").await;
    for cents in [1, 2] {
        publish_order_paid(paid("beside", cents))
            .via(&worker)
            .await
            .unwrap();
    }
    assert_eq!(within("both", run.result()).await.unwrap(), (1, 2));
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_union_waits_for_any_of_its_types() {
    let (worker, _clock) = on_memory().await;
    let running = looped(&worker);
    let run = verdict(created("verdict")).run_id("verdict").via(&worker);
    let run = run.start().await.unwrap();
    waits(&worker, "verdict").await;
    let nobody = OrderRefused { order: None };
    publish_order_refused(nobody).via(&worker).await.unwrap();
    let order = Some("verdict".to_owned());
    publish_order_refused(OrderRefused { order })
        .via(&worker)
        .await
        .unwrap();
    assert_eq!(within("refused", run.result()).await.unwrap(), "refused");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The process that waited is gone, and another one hears of the event.
#[tokio::test]
async fn a_wait_outlives_its_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("belts.db");
    let clock = ManualClock::default();
    let first = worker(Sqlite::open(&path).await.unwrap(), &clock).await;
    let running = looped(&first);
    let run = payment(created("outlives")).run_id("outlives").via(&first);
    let run = run.start().await.unwrap();
    waits(&first, "outlives").await;
    first.shutdown();
    running.await.unwrap().unwrap();
    drop(first);

    let second = worker(Sqlite::open(&path).await.unwrap(), &clock).await;
    let running = looped(&second);
    publish_order_paid(paid("outlives", 9))
        .via(&second)
        .await
        .unwrap();
    let result = within("it goes on", run.via(&second).result()).await;
    assert_eq!(result.unwrap(), 9);
    assert_eq!(effects("outlives begins"), 1);
    second.shutdown();
    running.await.unwrap().unwrap();
}

/// The harness neither lets the time of a wait pass nor waits for ever; what the test publishes goes on with the run.
#[tokio::test]
async fn a_test_stops_at_a_wait_and_says_for_what() {
    let builder = Harness::builder().function(for_an_hour).function(payment);
    let harness = builder.build().await.unwrap();
    let begun = harness.now();
    let run = harness.run(for_an_hour, created("tested")).run_id("tested");
    let run = run.await.unwrap();
    run.assert_steps(&["payment"]);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    assert_eq!(harness.now(), begun, "no time has passed");
    harness.publish(paid("tested", 12)).await.unwrap();
    harness.settle().await.unwrap();
    let run = &harness.runs_of(for_an_hour).await.unwrap()[0];
    assert_eq!(run.output().unwrap(), Some(12));

    let run = harness.run(for_an_hour, created("late")).run_id("late");
    run.await.unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    let runs = harness.runs_of(for_an_hour).await.unwrap();
    let late = runs.iter().find(|run| run.run_id() == "late").unwrap();
    assert_eq!(late.output().unwrap(), None);

    // Without a loop, who waits for the result is told what for.
    let call = payment(created("asked")).run_id("asked");
    let error = call.via(&harness.worker()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("event waits-order-paid key asked"), "{text}");
}

/// A store that keeps no waits was an error at the first wait, at night.
#[tokio::test]
async fn a_store_without_waits_is_an_error_at_the_start() {
    let store = Hooked::that_can(Arc::new(Memory::new()), Capabilities::NONE);
    let builder = Worker::builder().shared_store(store).function(payment);
    let error = builder.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("`waits-for-payment` at "), "{text}");
}
