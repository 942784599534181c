//! Calling a function by its name.

use std::time::Duration;

use belts::{
    Context, ErrorKind, Event, Worker, step,
    store::{Memory, RunStatus},
    testing::{Harness, ManualClock},
};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, named};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Payment {
    name: String,
    cents: u32,
}

fn payment(name: &str, cents: u32) -> Payment {
    let name = name.to_owned();
    Payment { name, cents }
}

#[belts::function(id = "calls-charge", on = Payment)]
async fn charge(payment: Payment) -> belts::Result<u32> {
    step!("charge", {
        effect(format!("charged {}", payment.name));
        payment.cents
    })
    .await
}

/// Listens for the same event.
#[belts::function(id = "calls-report", on = Payment)]
async fn report(payment: Payment) -> belts::Result<()> {
    step!("report", effect(format!("reported {}", payment.name))).await
}

#[belts::function(id = "calls-refuse", on = Payment)]
async fn refuse(payment: Payment) -> belts::Result<u32> {
    Err(belts::terminal(format!("no {}", payment.name)))
}

#[belts::function(id = "calls-in-a-step", on = Named)]
async fn order(event: Named, cx: Context) -> belts::Result<u32> {
    let charged = step!(
        "pay",
        async {
            let (name, attempt) = (event.name.as_str(), cx.attempt());
            let once = charge(payment(name, 7)).await?;
            let twice = charge(payment(name, 7)).await?;
            let other = charge(payment(name, 8)).await?;
            let failed = format!("{name} failed on attempt {attempt}");
            if effects(&failed) < 2 {
                effect(failed);
                return Err(belts::retry_after(Duration::ZERO, "not yet"));
            }
            Ok(once + twice + other)
        },
        retries = 5
    );
    charged.await
}

#[belts::function(id = "calls-outside-a-step", on = Named)]
async fn careless(event: Named) -> belts::Result<u32> {
    charge(payment(&event.name, 1)).await
}

async fn worker() -> Worker {
    let builder = Worker::builder().store(Memory::new());
    let builder = builder.function(charge).function(report).function(refuse);
    builder
        .function(order)
        .function(careless)
        .build()
        .await
        .unwrap()
}

/// A publish starts whoever listens; a call starts the one that was named, and brings its result.
#[tokio::test]
async fn a_call_runs_one_function_and_returns_what_it_returned() {
    let worker = worker().await;
    let call = charge(payment("one", 250)).via(&worker);
    assert_eq!(
        effects("charged one"),
        0,
        "a call runs nothing until it is awaited"
    );
    assert_eq!(call.await.unwrap(), 250);
    assert_eq!((effects("charged one"), effects("reported one")), (1, 0));
    let runs = worker.runs().list().await.unwrap().runs;
    assert_eq!(runs.len(), 1);
    assert_eq!(&*runs[0].function_id, "calls-charge");
}

#[tokio::test]
async fn a_call_with_a_run_id_that_is_there_waits_for_that_run() {
    let worker = worker().await;
    for cents in [3, 4] {
        let call = charge(payment("known", cents))
            .run_id("pay-known")
            .via(&worker);
        assert_eq!(call.await.unwrap(), 3);
    }
    assert_eq!(effects("charged known"), 1);
    let other = refuse(payment("known", 3)).run_id("pay-known").via(&worker);
    let error = other.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRun);
    assert!(error.to_string().contains("calls-charge"), "{error}");
}

#[tokio::test]
async fn a_call_returns_the_error_of_its_run() {
    let worker = worker().await;
    let error = refuse(payment("money", 1)).via(&worker).await.unwrap_err();
    assert!(error.report().contains("no money"), "{}", error.report());
}

#[tokio::test]
async fn a_call_waits_for_its_delay() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let builder = Worker::builder().store(store).clock(clock.clone());
    let worker = builder.function(charge).build().await.unwrap();
    let begun = clock.now();
    let delay = Duration::from_secs(3600);
    let calling = charge(payment("late", 9))
        .delay(delay)
        .via(&worker)
        .into_future();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let calling = tokio::spawn(calling);
    while !calling.is_finished() {
        clock.advance(Duration::from_secs(60));
        tokio::task::yield_now().await;
    }
    assert_eq!(calling.await.unwrap().unwrap(), 9);
    assert!(clock.now().since(begun) >= delay);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The step is tried three times; each of its calls is found again by what it calls and with what.
#[tokio::test]
async fn a_retried_step_finds_the_runs_that_it_has_called() {
    let builder = Harness::builder().function(order).function(charge);
    let harness = builder.build().await.unwrap();
    let run = harness.run(order, named("shoes")).await.unwrap();
    assert_eq!(run.output().unwrap(), 7 + 7 + 8);
    // Two calls that are the same are two runs.
    assert_eq!(effects("charged shoes"), 3);
    assert_eq!(harness.runs_of(charge).await.unwrap().len(), 3);
}

/// It would have charged again at every resumption.
#[tokio::test]
async fn a_call_outside_of_a_step_is_an_error_that_says_so() {
    let worker = worker().await;
    let error = careless(named("careless"))
        .retries(0)
        .via(&worker)
        .await
        .unwrap_err();
    assert!(
        error.report().contains("outside of a step"),
        "{}",
        error.report()
    );
    assert_eq!(effects("charged careless"), 0);
    let failed = worker
        .runs()
        .list()
        .status(RunStatus::Failed)
        .await
        .unwrap();
    assert_eq!(failed.runs.len(), 1);
}
