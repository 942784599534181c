//! Functions that are paused: what goes on, what waits, and that it goes on when they are resumed.

use std::{sync::Arc, time::Duration};

use belts::{
    ErrorKind, Event, Functions, Worker, WorkerBuilder, call, sleep, step,
    store::{Memory, RunStatus, SharedStore},
    testing::{Harness, Reopen, SqliteFile},
    wait,
};
use serde::{Deserialize, Serialize};

use crate::{
    gated::{effect, effects, eventually, gate, looped, only, open, within},
    places::{InSchema, UnderPrefix},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct GateTried {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct SleepTried {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct WaitTried {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = name)]
struct PauseHeard {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct CallTried {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct BesideTried {
    name: String,
}

#[belts::function(id = "paused-gated", on = GateTried)]
async fn gated(event: GateTried) -> belts::Result<u32> {
    let name = event.name;
    step!("first", async {
        effect(format!("{name} first"));
        gate(&name).await;
    })
    .await?;
    step!("second", effect(format!("{name} second"))).await?;
    Ok(7)
}

#[belts::function(id = "paused-sleeps", on = SleepTried)]
async fn sleeps(event: SleepTried) -> belts::Result<u32> {
    step!("first", effect(format!("{} first", event.name))).await?;
    sleep!("day", "24h").await?;
    step!("second", effect(format!("{} second", event.name))).await?;
    Ok(7)
}

#[belts::function(id = "paused-waits", on = WaitTried)]
async fn waits(event: WaitTried) -> belts::Result<String> {
    let heard = wait!("heard", PauseHeard, key = &event.name).await?;
    Ok(heard.name)
}

#[belts::function(id = "paused-caller", on = CallTried)]
async fn caller(event: CallTried) -> belts::Result<u32> {
    let name = event.name;
    call!("child", sleeps(SleepTried { name })).await
}

/// Its runs show that the worker has claimed since.
#[belts::function(id = "paused-beside", on = BesideTried)]
async fn beside(event: BesideTried) -> belts::Result<()> {
    step!("only", effect(event.name.as_str())).await?;
    Ok(())
}

async fn harness() -> Harness {
    let builder = Harness::builder().function(gated).function(sleeps);
    let builder = builder.function(waits).function(caller);
    builder.build().await.unwrap()
}

/// A worker that hears of everything, or waits for longer than a test may take.
fn builder(store: &SharedStore) -> WorkerBuilder {
    Worker::builder()
        .shared_store(store.clone())
        .sweep(HOUR)
        .function(gated)
        .function(beside)
}

async fn until(worker: &Worker, run_id: &str, status: RunStatus) {
    eventually("the run gets there", async || {
        worker.runs().get(run_id).await.unwrap().status == status
    })
    .await;
}

/// Publishes an event for the function that is paused; the id of its run.
async fn tried(worker: &Worker, name: &str) -> String {
    let name = name.to_owned();
    let event = publish_gate_tried(GateTried { name });
    let published = event.via(worker).await.unwrap();
    published.runs[0].run_id.clone()
}

/// The other function goes on, so these workers claim, and the run stays as it is.
async fn stays(worker: &Worker, run_id: &str, name: &str) {
    for number in 0..3 {
        let name = format!("{name} beside {number}");
        let event = publish_beside_tried(BesideTried { name });
        let published = event.via(worker).await.unwrap();
        until(worker, &published.runs[0].run_id, RunStatus::Completed).await;
    }
    let run = worker.runs().get(run_id).await.unwrap();
    assert_eq!(run.status, RunStatus::Pending);
}

#[tokio::test]
async fn what_is_driven_goes_on_and_what_follows_waits() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = builder(&store).build().await.unwrap();
    let running = looped(&worker);
    let driven = tried(&worker, "p-driven").await;
    eventually("it is driven", async || effects("p-driven first") == 1).await;
    let functions = worker.functions();
    assert!(functions.pause("paused-gated").await.unwrap());
    open("p-next");
    let next = tried(&worker, "p-next").await;
    stays(&worker, &next, "p-next").await;
    open("p-driven");
    until(&worker, &driven, RunStatus::Completed).await;
    assert_eq!(effects("p-driven second"), 1);
    stays(&worker, &next, "p-next again").await;
    assert!(functions.resume("paused-gated").await.unwrap());
    until(&worker, &next, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

async fn several_workers_and_restarts(place: impl Reopen, name: &str) {
    let (one, other) = (place.open().await.unwrap(), place.open().await.unwrap());
    let first = builder(&one).build().await.unwrap();
    let second = builder(&other).build().await.unwrap();
    let running = [looped(&first), looped(&second)];
    open(name);
    assert!(first.functions().pause("paused-gated").await.unwrap());
    assert!(!second.functions().pause("paused-gated").await.unwrap());
    let from_second = tried(&second, name).await;
    let from_first = tried(&first, name).await;
    stays(&first, &from_second, name).await;
    stays(&second, &from_first, name).await;
    first.shutdown();
    second.shutdown();
    for running in running {
        running.await.unwrap().unwrap();
    }
    drop((first, second, one, other));

    let store = place.open().await.unwrap();
    let worker = builder(&store).build().await.unwrap();
    let running = looped(&worker);
    stays(&worker, &from_first, &format!("{name} again")).await;
    let held = &worker.functions().list().await.unwrap()[1];
    assert_eq!((&*held.function_id, held.unfinished), ("paused-gated", 2));
    assert!(held.paused_at.is_some());
    // By a client that drives nothing.
    let elsewhere = Functions::of(place.open().await.unwrap());
    assert!(elsewhere.resume("paused-gated").await.unwrap());
    for run in [from_first, from_second] {
        until(&worker, &run, RunStatus::Completed).await;
    }
    assert_eq!(effects(&format!("{name} second")), 2);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_holds_for_several_workers_and_outlives_them() {
    let file = SqliteFile::temporary();
    several_workers_and_restarts(file, "p-sqlite").await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_on_postgres() {
    several_workers_and_restarts(InSchema::new(), "p-postgres").await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_on_redis() {
    several_workers_and_restarts(UnderPrefix::new(), "p-redis").await;
}

#[tokio::test]
async fn a_sleep_that_ends_during_a_pause_goes_on_after_it() {
    let harness = harness().await;
    let functions = harness.worker().functions();
    let name = "p-sleeps".to_owned();
    harness.publish(SleepTried { name }).await.unwrap();
    harness.travel(HOUR).await.unwrap();
    functions.pause("paused-sleeps").await.unwrap();
    within("the time passes", async {
        harness.travel(HOUR * 48).await.unwrap();
        harness.settle().await.unwrap();
    })
    .await;
    let done = || (effects("p-sleeps first"), effects("p-sleeps second"));
    assert_eq!(done(), (1, 0));
    functions.resume("paused-sleeps").await.unwrap();
    harness.settle().await.unwrap();
    assert_eq!(only(harness.runs_of(sleeps).await).output().unwrap(), 7);
    assert_eq!(done(), (1, 1));
}

#[tokio::test]
async fn a_wait_hears_of_its_event_during_a_pause() {
    let harness = harness().await;
    let functions = harness.worker().functions();
    let name = "p-waits".to_owned();
    harness
        .publish(WaitTried { name: name.clone() })
        .await
        .unwrap();
    harness.settle().await.unwrap();
    functions.pause("paused-waits").await.unwrap();
    harness.publish(PauseHeard { name }).await.unwrap();
    within("nothing goes on", harness.settle()).await.unwrap();
    let run = only(harness.runs_of(waits).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    functions.resume("paused-waits").await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(waits).await);
    assert_eq!(run.output().unwrap(), "p-waits");
}

// A test that ran a paused function would have waited for ever.
#[tokio::test]
async fn a_test_of_a_paused_function_is_told_so() {
    let harness = harness().await;
    let functions = harness.worker().functions();
    functions.pause("paused-sleeps").await.unwrap();
    let event = SleepTried {
        name: "p-told".to_owned(),
    };
    let run = within("it ends", async {
        harness.run(sleeps, event.clone()).run_id("told").await
    })
    .await
    .unwrap();
    let error = run.output().unwrap_err();
    assert!(
        error.to_string().contains(
            "run `told` has no outcome: it is pending, since its function is paused since "
        ),
        "{error}"
    );
    let event = CallTried {
        name: "p-calls".to_owned(),
    };
    let calls = within("it ends", async {
        harness.run(caller, event.clone()).run_id("calls").await
    });
    assert_eq!(calls.await.unwrap().status(), Some(RunStatus::Suspended));
    functions.resume("paused-sleeps").await.unwrap();
    let run = harness.run(caller, event).run_id("calls").await.unwrap();
    assert_eq!(run.output().unwrap(), 7);
}

#[tokio::test]
async fn a_function_that_nobody_knows_is_neither_paused_nor_resumed() {
    let store: SharedStore = Arc::new(Memory::new());
    let worker = builder(&store).build().await.unwrap();
    let functions = worker.functions();
    for error in [
        functions.pause("pause-gated").await.unwrap_err(),
        functions.resume("pause-gated").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::UnknownFunction);
        assert_eq!(
            error.to_string(),
            "no function has the id `pause-gated`; there are: paused-beside, paused-gated"
        );
    }
    // The program has it, though the store has not heard of it yet.
    assert!(!functions.resume("paused-gated").await.unwrap());
    assert!(functions.pause("paused-gated").await.unwrap());
    let nobody = Functions::of(Arc::new(Memory::new()));
    let error = nobody.pause("paused-gated").await.unwrap_err();
    assert!(error.to_string().contains("there are none yet"), "{error}");
}
