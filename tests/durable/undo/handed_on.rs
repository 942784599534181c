//! A cancelled run that is handed on to start its handlers, whatever crashes, is refused or runs beside.

use belts::{
    Failed,
    store::{Capacity, Claim, FunctionCapacity, Register, RunFilter, Store as _, Subscription},
    testing::{Faults, sweep},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    handled::{Opened, closable, heard, hears, hears_closed},
    *,
};

/// The runs of handlers are too large to be written.
#[tokio::test]
async fn a_cancelled_run_whose_handlers_cannot_be_written_ends_without_them() {
    let (clock, memory) = (belts::testing::ManualClock::default(), Memory::new());
    let faults = Faults::new(std::sync::Arc::new(memory));
    let builder = belts::Worker::builder().shared_store(std::sync::Arc::new(faults.clone()));
    let builder = builder.clock(clock.clone()).function(heard).function(hears);
    let worker = builder.build().await.unwrap();
    let running = crate::gated::looped(&worker);
    faults.fail_commits_over(10_000);
    let name = "x".repeat(20_000);
    heard(named(&name))
        .run_id("too-large")
        .delay(DAY)
        .via(&worker)
        .start()
        .await
        .unwrap();
    let runs = worker.runs();
    assert!(runs.cancel("too-large").await.unwrap());
    crate::gated::eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        runs.get("too-large").await.unwrap().status == RunStatus::Cancelled
    })
    .await;
    assert_eq!(runs.list().await.unwrap().runs.len(), 1);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// Processes die over a run that is only to be ended: it was put off for ever.
#[tokio::test]
async fn a_cancelled_run_over_which_processes_die_ends_with_its_handler() {
    let (store, clock) = (Memory::new(), belts::testing::ManualClock::default());
    let builder = belts::Worker::builder().store(store.clone());
    let builder = builder.clock(clock.clone()).function(heard).function(hears);
    let worker = builder.build().await.unwrap();
    let name = "m heard deadly";
    let run = heard(named(name)).run_id(name).via(&worker);
    run.start().await.unwrap();
    let runs = worker.runs();
    assert!(runs.cancel(name).await.unwrap());
    for _ in 0..50 {
        let register = Register::new(clock.now(), Duration::from_secs(30))
            .with_name("it dies")
            .with_subscriptions(vec![Subscription::new("z-heard", ["named"])])
            .with_cancel_handled(vec!["z-heard".into()]);
        let session = store.register(register).await.unwrap();
        let capacity = Capacity::new(session, 1, [FunctionCapacity::new("z-heard", 1)]);
        store
            .claim(Claim::new(capacity, clock.now()))
            .await
            .unwrap();
    }
    clock.advance(DAY);
    let running = crate::gated::looped(&worker);
    crate::gated::eventually("the end", async || {
        clock.advance(Duration::from_millis(500));
        runs.get(name).await.unwrap().status == RunStatus::Cancelled
    })
    .await;
    crate::gated::eventually("the handler", async || done_for(name) == ["heard"]).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// Another process cancels it while a step of it runs.
#[tokio::test]
async fn a_run_that_another_worker_cancels_starts_the_handler_once() {
    let (store, clock) = (Memory::new(), belts::testing::ManualClock::default());
    let worker = async || {
        let builder = belts::Worker::builder()
            .store(store.clone())
            .clock(clock.clone());
        let builder = builder.function(gated).function(gate_handled);
        builder.build().await.unwrap()
    };
    let (one, two) = (worker().await, worker().await);
    let name = "m heard gated";
    gated(named(name))
        .run_id(name)
        .via(&one)
        .start()
        .await
        .unwrap();
    let loops = [crate::gated::looped(&one), crate::gated::looped(&two)];
    crate::gated::eventually("the step", async || done_for(name).len() == 1).await;
    assert!(two.runs().cancel(name).await.unwrap());
    crate::gated::eventually("the handler", async || {
        clock.advance(Duration::from_millis(500));
        done_for(name).len() == 2
    })
    .await;
    crate::gated::open(name);
    let run = two.runs().get(name).await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_done(name, &["hotel", "heard"]);
    for worker in [&one, &two] {
        worker.shutdown();
    }
    for end in loops {
        end.await.unwrap().unwrap();
    }
    assert_done(name, &["hotel", "heard"]);
}

#[belts::function(id = "z-heard-gated", on = Named)]
async fn gated(event: Named) -> belts::Result<()> {
    let name = &event.name;
    step!("hotel", async {
        done(name, "hotel");
        crate::gated::gate(name).await;
    })
    .await
}

#[belts::function(id = "z-heard-gated-handled", on_failure = gated, cancelled = true)]
async fn gate_handled(failed: Failed<Named>) -> belts::Result<()> {
    step!("say", done(&failed.event.name, "heard")).await
}

/// It ends since its time is over.
async fn every_crash<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(closable);
    let swept = swept.event(Opened {
        name: "swept".into(),
    });
    let swept = swept.harness(|builder| builder.function(closable).function(hears_closed));
    let swept = swept.check(|case| {
        assert_eq!(
            case.run.status(),
            Some(RunStatus::Cancelled),
            "{:?}",
            case.crash
        );
        let filter = RunFilter::new().with_parent(case.run.run_id());
        let store = case.harness.store().shared();
        let list = async { store.list(filter).await };
        let handlers = block_in_place(|| Handle::current().block_on(list));
        let handlers = handlers.unwrap().runs;
        assert_eq!(handlers.len(), 1, "{:?}: {handlers:?}", case.crash);
    });
    let report = within_time(LIMIT * 3, "a sweep", swept).await.unwrap();
    assert!(report.writes >= 4, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_in_memory() {
    every_crash(Memory::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_sqlite() {
    every_crash(SqliteFile::temporary).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_postgres() {
    every_crash(InSchema::new).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_crashes_the_handler_starts_once_on_redis() {
    every_crash(UnderPrefix::new).await;
}
