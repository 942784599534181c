//! How events start runs: once each, now or later, whoever publishes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use belts::{
    ErrorKind, Event, Worker, step,
    store::{Memory, Register, RunStatus, Store, Subscription},
    testing::{Faults, Harness, ManualClock},
};
use serde::{Deserialize, Serialize};

use crate::gated::{
    Named, effect, effects, eventually, gated, looped, named, open, publish_named, runs_of, within,
    worker_of,
};

#[tokio::test]
async fn two_deliveries_at_once_run_each_step_once() {
    let harness = Harness::builder().function(gated).build().await.unwrap();
    open("delivered twice");
    let run = within(
        "both deliveries",
        harness.deliver_twice(gated, named("delivered twice")),
    )
    .await
    .unwrap();
    assert_eq!(run.output().unwrap(), 7);
    assert_eq!(
        (effects("delivered twice"), effects("delivered twice after")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_delivery_during_the_run_waits_for_it_and_runs_nothing() {
    // A second delivery of a run id used to take the run's lease from the very worker that drove it.
    let worker = worker_of(Memory::new(), gated, &ManualClock::default()).await;
    let deliver = || {
        let delivery = worker.execute(named("redelivered")).run_id("redelivered");
        tokio::spawn(async move { delivery.await })
    };
    let first = deliver();
    eventually("the step begins", async || effects("redelivered") == 1).await;
    let second = deliver();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    open("redelivered");
    for delivery in [first, second] {
        let executed = within("a delivery", delivery).await.unwrap().unwrap();
        assert_eq!(executed.output::<u32>("gated").unwrap(), 7);
    }
    assert_eq!(
        (effects("redelivered"), effects("redelivered after")),
        (1, 1)
    );
}

#[tokio::test]
async fn an_event_id_starts_one_run_however_often_it_comes() {
    let harness = Harness::builder().function(gated).build().await.unwrap();
    open("same id");
    let first = harness
        .run(gated, named("same id"))
        .event_id("event-1")
        .await
        .unwrap();
    let second = harness
        .run(gated, named("same id"))
        .event_id("event-1")
        .await
        .unwrap();
    assert_eq!(first.run_id(), second.run_id());
    assert_eq!(effects("same id"), 1);
}

#[tokio::test]
async fn an_idempotency_key_publishes_once_for_each_key() {
    let harness = Harness::builder().function(gated).build().await.unwrap();
    open("keyed");
    let publish = async |key: &str| {
        harness
            .publish(named("keyed"))
            .idempotency_key(key)
            .await
            .unwrap()
    };
    let (first, second, other) = (publish("k").await, publish("k").await, publish("l").await);
    assert_eq!(
        (first.duplicate, second.duplicate, other.duplicate),
        (false, true, false)
    );
    assert_eq!(first.event_id, second.event_id);
    within("all runs", harness.settle()).await.unwrap();
    assert_eq!(effects("keyed"), 2);
}

#[tokio::test]
async fn a_delayed_event_starts_its_run_at_its_time() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    open("delayed");
    publish_named(named("delayed"))
        .delay(Duration::from_secs(20))
        .via(&worker)
        .await
        .unwrap();
    let at = clock.now().after(Duration::from_secs(25)).to_system_time();
    publish_named(named("delayed"))
        .at(at)
        .via(&worker)
        .await
        .unwrap();
    clock.advance(Duration::from_secs(19));
    tokio::task::yield_now().await;
    assert_eq!(effects("delayed"), 0);
    clock.advance(Duration::from_secs(2));
    eventually("the delayed run", async || effects("delayed") == 1).await;
    clock.advance(Duration::from_secs(4));
    eventually("the run at a time", async || effects("delayed") == 2).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Amount {
    cents: u64,
}

#[belts::function(id = "only-large", on = Amount, when = |amount| amount.cents > 100)]
async fn only_large(amount: Amount) -> belts::Result<u64> {
    step!("note", amount.cents).await
}

#[tokio::test]
async fn a_filter_keeps_events_from_starting_runs() {
    let harness = Harness::builder()
        .function(only_large)
        .build()
        .await
        .unwrap();
    harness.publish(Amount { cents: 1 }).await.unwrap();
    harness.publish(Amount { cents: 500 }).await.unwrap();
    harness.settle().await.unwrap();
    let runs = runs_of(&*harness.store().shared(), "only-large").await;
    assert_eq!(runs.len(), 1);
    assert_eq!(
        harness
            .run(only_large, Amount { cents: 2 })
            .await
            .unwrap()
            .status(),
        None
    );
}

#[tokio::test]
async fn publishing_without_a_worker_says_what_to_do() {
    let error = publish_named(named("nowhere")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoWorker);
    assert!(error.to_string().contains("worker.install()"), "{error}");
    assert!(error.to_string().contains("worker.scope(…)"), "{error}");
}

#[tokio::test]
async fn a_publish_only_worker_starts_the_functions_of_others() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), gated, &clock).await;
    let publisher = Worker::builder()
        .store(store)
        .clock(clock)
        .publish_only()
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    open("published elsewhere");
    publish_named(named("published elsewhere"))
        .via(&publisher)
        .await
        .unwrap();
    eventually("the run", async || {
        effects("published elsewhere after") == 1
    })
    .await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "other-listener", on = Named)]
async fn other_listener(event: Named) -> belts::Result<()> {
    step!("note", effect(format!("{} elsewhere", event.name))).await
}

#[tokio::test]
async fn each_worker_runs_its_own_functions_only() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let one = worker_of(store.clone(), gated, &clock).await;
    let other = worker_of(store.clone(), other_listener, &clock).await;
    let first = looped(&one);
    open("shared");
    publish_named(named("shared")).via(&one).await.unwrap();
    eventually("the own run", async || effects("shared after") == 1).await;
    assert_eq!(
        runs_of(&store, "other-listener").await[0].status,
        RunStatus::Pending
    );
    let second = looped(&other);
    eventually("the other run", async || effects("shared elsewhere") == 1).await;
    for (worker, running) in [(one, first), (other, second)] {
        worker.shutdown();
        within("the shutdown", running).await.unwrap().unwrap();
    }
    assert_eq!(
        (effects("shared after"), effects("shared elsewhere")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_run_of_an_unknown_function_is_left_alone() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let ghost = Subscription::new("ghost", ["named"]);
    let request =
        Register::new(clock.now(), Duration::from_secs(30)).with_subscriptions(vec![ghost]);
    store.register(request).await.unwrap();
    let worker = worker_of(store.clone(), gated, &clock).await;
    let running = looped(&worker);
    open("ghostly");
    publish_named(named("ghostly")).via(&worker).await.unwrap();
    eventually("the known run", async || effects("ghostly after") == 1).await;
    clock.advance(Duration::from_secs(5));
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    let runs = runs_of(&store, "ghost").await;
    assert_eq!(
        (runs.len(), runs[0].status, runs[0].failed_attempts),
        (1, RunStatus::Pending, 0)
    );
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Announce {
    name: String,
}

#[belts::function(id = "announcer", on = Announce)]
async fn announcer(event: Announce) -> belts::Result<()> {
    step!("announce", publish_named(named(&event.name)), retries = 0)
        .await
        .map(drop)
}

#[tokio::test]
async fn a_store_that_fails_in_a_step_is_no_outcome_of_the_step() {
    // The failed publish used to count as a failed attempt, and with `retries = 0` as the step's recorded failure.
    let harness = Harness::builder()
        .function(announcer)
        .build()
        .await
        .unwrap();
    // The first write publishes the event and starts the run; the second is the publish in the step.
    harness.faults().fail(2);
    let run = within(
        "the run",
        harness.run(
            announcer,
            Announce {
                name: "unlucky".into(),
            },
        ),
    )
    .await
    .unwrap();
    run.assert_completed();
    assert_eq!(run.evaluations("announce"), 2);
    assert_eq!(harness.published::<Named>().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_write_of_a_result_is_no_outcome_either() {
    let faults = Faults::new(Arc::new(Memory::new()));
    let clock = ManualClock::default().skip_sleeps(true);
    let worker = worker_of(faults.clone(), gated, &clock).await;
    open("unwritten");
    faults.fail(2);
    let executed = within("the run", worker.execute(named("unwritten")))
        .await
        .unwrap();
    assert_eq!(executed.output::<u32>("gated").unwrap(), 7);
    assert_eq!((effects("unwritten"), effects("unwritten after")), (2, 1));
}

static WANTS_NOTHING: AtomicBool = AtomicBool::new(false);

#[belts::function(id = "picky", on = Named, when = |_| !WANTS_NOTHING.load(Ordering::SeqCst))]
async fn picky(event: Named) -> belts::Result<usize> {
    let length = step!("length", event.name.len()).await?;
    step!("after", length).await
}

#[tokio::test]
async fn a_filter_that_changed_meanwhile_does_not_remove_a_run_under_way() {
    // A run that slept over a deploy with another filter used to vanish with its journal.
    let harness = Harness::builder().function(picky).build().await.unwrap();
    harness
        .run(picky, named("picky"))
        .run_id("r")
        .until("length")
        .await
        .unwrap();
    WANTS_NOTHING.store(true, Ordering::SeqCst);
    let run = within("the run", harness.run(picky, named("picky")).run_id("r"))
        .await
        .unwrap();
    run.assert_completed().assert_steps(&["length", "after"]);
}
