//! Runs that other runs call and start: begun once, told of once, ended together, whatever crashes.

use std::{future::IntoFuture, time::Duration};

use belts::{
    ErrorKind, RunHandle, Worker, call, start, step,
    store::{Memory, RunFilter, RunRecord, RunStatus},
    testing::{Harness, Reopen, SqliteFile},
};

use tokio::task::JoinHandle;

use crate::{
    gated::{
        Named, effect, effects, eventually, gate, looped, named, only, open, within, within_time,
    },
    places::{InSchema, UnderPrefix},
};

/// A server may be slow, and a sweep comes much later.
const ALL: Duration = Duration::from_secs(60);

/// Fails for the name that says so.
#[belts::function(id = "z-child-pays", on = Named)]
async fn pays(event: Named) -> belts::Result<u32> {
    let name = event.name;
    let cents = step!("charge", async {
        effect(format!("{name} charged"));
        if name.starts_with("fails") {
            return Err(belts::terminal("the card is blocked"));
        }
        Ok(250_u32)
    })
    .await?;
    step!("book", effect(format!("{name} booked"))).await?;
    Ok(cents)
}

#[belts::function(id = "z-child-gated", on = Named)]
async fn slow(event: Named) -> belts::Result<u32> {
    let name = event.name;
    let work = step!("work", async {
        effect(format!("{name} works"));
        gate(&name).await;
        7
    });
    work.await
}

#[belts::function(id = "z-child-picky", on = Named, when = |event| event.name != "unwanted")]
async fn picky(event: Named) -> belts::Result<usize> {
    step!("length", event.name.len()).await
}

#[belts::function(id = "z-parent", on = Named)]
async fn orders(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    step!("before", effect(format!("{name} begins"))).await?;
    let paid = call!("pay", pays(named(name))).await?;
    step!("after", effect(format!("{name} ends"))).await?;
    Ok(paid + 1)
}

async fn family() -> Harness {
    let builder = Harness::builder().function(orders).function(pays);
    let builder = builder.function(slow).function(picky);
    let builder = builder
        .function(handles)
        .function(catches)
        .function(waits_for_slow);
    builder.build().await.unwrap()
}

#[tokio::test]
async fn a_call_returns_what_its_child_returns() {
    let harness = family().await;
    let run = harness
        .run(orders, named("one"))
        .run_id("one")
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 251);
    run.assert_steps(&["before", "pay", "after"]);
    let child = only(harness.runs_of(pays).await);
    child.assert_steps(&["charge", "book"]);
    let record = harness.worker().runs().get(child.run_id()).await.unwrap();
    let parent = record.parent.expect("it has a parent");
    assert_eq!(
        (&*parent.run_id, parent.depth, parent.attached),
        ("one", 1, true)
    );
    assert_eq!(
        effects("one charged") + effects("one begins") + effects("one ends"),
        3
    );
}

#[tokio::test]
async fn a_failed_child_is_an_error_that_names_it() {
    let harness = family().await;
    let run = harness.run(orders, named("fails-1")).await.unwrap();
    let error = run.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Child);
    let child = only(harness.runs_of(pays).await);
    let expected = format!(
        "the run `{}` of `z-child-pays`, started by `pay`, failed: step `charge` failed: terminal error: the card is blocked",
        child.run_id()
    );
    assert_eq!(error.report(), expected);
    assert_eq!(effects("fails-1 ends"), 0);
}

#[belts::function(id = "z-parent-catches", on = Named)]
async fn catches(event: Named) -> belts::Result<String> {
    let name = event.name;
    match call!("pay", picky(named(&name))).await {
        Ok(length) => Ok(format!("{length}")),
        Err(error) => {
            step!("note", effect(format!("{name} noted"))).await?;
            Ok(error.report())
        }
    }
}

#[tokio::test]
async fn a_skipped_child_is_an_error_as_well() {
    let harness = family().await;
    let run = harness.run(catches, named("wanted")).await.unwrap();
    assert_eq!(run.output().unwrap(), "6");
    let run = harness.run(catches, named("unwanted")).await.unwrap();
    let report = run.output().unwrap();
    assert!(
        report.contains("did not start: its function's filter skipped it"),
        "{report}"
    );
}

#[belts::function(id = "z-parent-handles", on = Named)]
async fn handles(event: Named) -> belts::Result<u32> {
    let name = event.name;
    let run: RunHandle<u32> = start!("audit", pays(named(&name))).await?;
    step!("between", effect(format!("{name} goes on"))).await?;
    let first = run.result().await?;
    let again = run.clone().result().await?;
    assert_eq!(first, again);
    Ok(first)
}

#[tokio::test]
async fn a_started_run_is_waited_for_under_its_key() {
    let harness = family().await;
    let run = harness.run(handles, named("handled")).await.unwrap();
    assert_eq!(run.output().unwrap(), 250);
    run.assert_steps(&["audit", "between", "audit/result"]);
    assert_eq!(effects("handled charged"), 1);
    let run = harness.run(handles, named("fails-handled")).await.unwrap();
    assert_eq!(run.output().unwrap_err().kind(), ErrorKind::Child);
    assert_eq!(effects("fails-handled goes on"), 1);
}

#[belts::function(id = "z-parent-waits", on = Named)]
async fn waits_for_slow(event: Named) -> belts::Result<u32> {
    call!(
        "slow",
        slow(named(&event.name)),
        timeout = "1h",
        retries = 0
    )
    .await
}

/// A run that waits for its child, which works.
async fn begun(
    name: &str,
) -> (
    Worker,
    JoinHandle<belts::Result<()>>,
    RunHandle<u32>,
    RunRecord,
) {
    let worker = Worker::builder().store(Memory::new());
    let worker = worker
        .function(waits_for_slow)
        .function(slow)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let run = waits_for_slow(named(name))
        .via(&worker)
        .start()
        .await
        .unwrap();
    let works = format!("{name} works");
    eventually("the child works", async || effects(&works) == 1).await;
    let filter = RunFilter::new().with_parent(run.run_id());
    let child = worker.store().list(filter).await.unwrap().runs.remove(0);
    (worker, running, run, child)
}

#[tokio::test]
async fn cancelling_the_parent_cancels_the_child() {
    let (worker, running, run, child) = begun("cut").await;
    assert!(run.cancel().await.unwrap());
    let child = worker.store().run(&child.run_id).await.unwrap().unwrap();
    assert_eq!(child.status, RunStatus::Cancelled);
    open("cut");
    let error = within("it ends", run.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn cancelling_the_child_is_an_error_of_the_parent() {
    let (worker, running, run, child) = begun("child-cut").await;
    assert!(worker.runs().cancel(&child.run_id).await.unwrap());
    let error = within("it ends", run.result()).await.unwrap_err();
    let report = error.report();
    assert!(report.contains("was cancelled"), "{report}");
    open("child-cut");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// Neither the child's end nor the parent is looked for by a sweep: each wakes the other.
async fn a_loop_needs_no_sweep(place: impl Reopen) {
    let worker = Worker::builder()
        .shared_store(place.open().await.unwrap())
        .sweep(Duration::from_secs(3600));
    let worker = worker.function(orders).function(pays);
    let worker = worker.build().await.unwrap();
    let running = looped(&worker);
    let name = |n: usize| format!("looped-{}-{n}", std::any::type_name_of_val(&place));
    for n in 0..10 {
        let called = orders(named(&name(n))).via(&worker);
        let result = within("it ends", called.into_future()).await;
        assert_eq!(result.unwrap(), 251);
    }
    let calls = (10..30).map(|n| orders(named(&name(n))).via(&worker));
    let ended = futures_util::future::join_all(calls.map(IntoFuture::into_future));
    for result in within_time(ALL, "all end", ended).await {
        assert_eq!(result.unwrap(), 251);
    }
    for n in 0..30 {
        assert_eq!(effects(&format!("{} charged", name(n))), 1);
    }
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_needs_no_sweep_on_memory() {
    a_loop_needs_no_sweep(Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_needs_no_sweep_on_sqlite() {
    a_loop_needs_no_sweep(SqliteFile::temporary()).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_needs_no_sweep_on_postgres() {
    a_loop_needs_no_sweep(InSchema::new()).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_needs_no_sweep_on_redis() {
    a_loop_needs_no_sweep(UnderPrefix::new()).await;
}
