//! Limits of time on runs: which runs end, whoever drives them and whether there is room, and what goes on.

use std::{sync::Arc, time::Duration};

use belts::{
    ErrorKind, Event, Worker, WorkerBuilder, call, sleep, step,
    store::{Limits, Memory, Register, Rerun, RunRecord, RunStatus, SharedStore, Subscription},
    testing::{Harness, ManualClock, Reopen, SqliteFile, sweep},
    wait,
};
use serde::{Deserialize, Serialize};

use crate::{
    gated::{Named, effect, effects, eventually, gate, looped, named, only, open, within_time},
    places::{InSchema, UnderPrefix},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// A sweep opens many stores.
const LIMIT: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct LimitTried {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct SleepLimited {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct WaitLimited {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(key = name)]
struct LimitHeard {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct CallLimited {
    name: String,
}

/// Waits at its gate.
#[belts::function(id = "limited-gated", on = LimitTried, start_within = "1h", finish_within = "3h")]
async fn gated(event: LimitTried) -> belts::Result<u32> {
    let name = event.name;
    step!("first", async {
        effect(format!("{name} first"));
        gate(&name).await;
    })
    .await?;
    step!("second", effect(format!("{name} second"))).await?;
    Ok(7)
}

#[belts::function(id = "limited-sleeps", on = SleepLimited, finish_within = "2d")]
async fn sleeps(event: SleepLimited) -> belts::Result<u32> {
    step!("first", effect(format!("{} first", event.name))).await?;
    sleep!("week", "168h").await?;
    step!("second", effect(format!("{} second", event.name))).await?;
    Ok(7)
}

#[belts::function(id = "limited-waits", on = WaitLimited, finish_within = HOUR * 2)]
async fn waits(event: WaitLimited) -> belts::Result<String> {
    let heard = wait!("heard", LimitHeard, key = &event.name).await?;
    Ok(heard.name)
}

/// It hears of the end of its child, which has less time than it sleeps.
#[belts::function(id = "limited-caller", on = CallLimited)]
async fn caller(event: CallLimited) -> belts::Result<String> {
    let name = event.name;
    match call!("child", sleeps(SleepLimited { name })).await {
        Ok(_) => Ok("in time".to_owned()),
        Err(error) => Ok(error.report()),
    }
}

async fn harness() -> Harness {
    let builder = Harness::builder().function(gated).function(sleeps);
    let builder = builder.function(waits).function(caller);
    builder.build().await.unwrap()
}

fn builder(store: &SharedStore, clock: &ManualClock) -> WorkerBuilder {
    Worker::builder()
        .shared_store(store.clone())
        .clock(clock.clone())
        .function(gated)
}

/// Publishes an event for the gated function; the id of its run.
async fn tried(worker: &Worker, name: &str) -> String {
    let name = name.to_owned();
    let event = publish_limit_tried(LimitTried { name });
    let published = event.via(worker).await.unwrap();
    published.runs[0].run_id.clone()
}

async fn until(worker: &Worker, run_id: &str, status: RunStatus) -> RunRecord {
    eventually("the run gets there", async || {
        worker.runs().get(run_id).await.unwrap().status == status
    })
    .await;
    worker.runs().get(run_id).await.unwrap()
}

/// Moves the clock, and moves it on until the worker has looked.
async fn pass(worker: &Worker, clock: &ManualClock, by: Duration, run_id: &str) -> RunRecord {
    clock.advance(by);
    eventually("the run is over", async || {
        clock.advance(Duration::from_millis(100));
        let record = worker.runs().get(run_id).await.unwrap();
        record.status.is_finished()
    })
    .await;
    worker.runs().get(run_id).await.unwrap()
}

fn ended_as(record: &RunRecord, why: &str) {
    assert_eq!(record.status, RunStatus::Cancelled);
    let said = String::from_utf8_lossy(record.result.as_deref().unwrap()).into_owned();
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn what_has_not_begun_ends_though_there_is_no_room() {
    let (store, clock): (SharedStore, _) = (Arc::new(Memory::new()), ManualClock::default());
    let worker = builder(&store, &clock)
        .concurrency(1)
        .build()
        .await
        .unwrap();
    let running = looped(&worker);
    let driven = tried(&worker, "l-room").await;
    eventually("it is driven", async || effects("l-room first") == 1).await;
    let pending = tried(&worker, "l-pending").await;
    let record = pass(&worker, &clock, HOUR, &pending).await;
    ended_as(&record, "it had not started within 1h");
    assert_eq!(record.started_at, None);
    open("l-room");
    until(&worker, &driven, RunStatus::Completed).await;
    assert_eq!(effects("l-pending first"), 0);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_driven_is_dropped_at_its_limit() {
    let (store, clock): (SharedStore, _) = (Arc::new(Memory::new()), ManualClock::default());
    let worker = builder(&store, &clock).build().await.unwrap();
    let running = looped(&worker);
    let driven = tried(&worker, "l-driven").await;
    eventually("it is driven", async || effects("l-driven first") == 1).await;
    let record = pass(&worker, &clock, HOUR * 3, &driven).await;
    ended_as(&record, "it had not finished within 3h");
    open("l-driven");
    // The place is free again.
    open("l-next");
    let next = tried(&worker, "l-next").await;
    until(&worker, &next, RunStatus::Completed).await;
    assert_eq!(effects("l-driven second"), 0);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_run_without_a_loop_hears_of_its_end() {
    let (store, clock): (SharedStore, _) = (Arc::new(Memory::new()), ManualClock::default());
    let worker = builder(&store, &clock).build().await.unwrap();
    let waiting = tokio::spawn({
        let worker = worker.clone();
        async move {
            let name = "l-alone".to_owned();
            worker.execute(LimitTried { name }).await
        }
    });
    eventually("it is driven", async || effects("l-alone first") == 1).await;
    clock.advance(HOUR * 3);
    let executed = waiting.await.unwrap().unwrap();
    let run = &executed.runs[0];
    assert_eq!(run.status, RunStatus::Cancelled);
    let error = run.result.as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(
        error.to_string().contains("it had not finished within 3h"),
        "{error}"
    );
}

#[tokio::test]
async fn a_run_that_sleeps_beyond_its_limit_ends_there() {
    let harness = harness().await;
    let began = harness.now();
    let name = "l-sleeps".to_owned();
    let run = harness.run(sleeps, SleepLimited { name }).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
    assert_eq!(harness.now().since(began), DAY * 2);
    run.assert_steps(&["first", "week"]);
    let record = run.record().unwrap();
    assert_eq!(record.finished_at, Some(began.after(DAY * 2)));
    assert_eq!(record.finish_by, record.finished_at);
    let error = run.error().unwrap();
    assert!(
        error.to_string().contains("it had not finished within 2d"),
        "{error}"
    );
    assert_eq!(effects("l-sleeps second"), 0);
}

#[tokio::test]
async fn travel_passes_limits() {
    let harness = harness().await;
    let name = "l-travels".to_owned();
    harness
        .publish(WaitLimited { name: name.clone() })
        .await
        .unwrap();
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(waits).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended), "it has time yet");
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(waits).await);
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
    // What comes after it is nothing to it.
    harness.publish(LimitHeard { name }).await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(waits).await);
    assert_eq!(run.status(), Some(RunStatus::Cancelled));
}

#[tokio::test]
async fn a_run_that_waits_is_given_its_event_in_time() {
    let harness = harness().await;
    let name = "l-heard".to_owned();
    let run = harness
        .run(waits, WaitLimited { name: name.clone() })
        .await
        .unwrap();
    assert_eq!(
        run.status(),
        Some(RunStatus::Suspended),
        "only the test moves it on"
    );
    harness.publish(LimitHeard { name }).await.unwrap();
    harness.settle().await.unwrap();
    only(harness.runs_of(waits).await).assert_completed();
}

#[tokio::test]
async fn a_parent_hears_that_the_time_of_its_child_is_over() {
    let harness = harness().await;
    let began = harness.now();
    let name = "l-child".to_owned();
    let run = harness.run(caller, CallLimited { name }).await.unwrap();
    let heard = run.output().unwrap();
    assert!(heard.contains("it had not finished within 2d"), "{heard}");
    assert_eq!(harness.now().since(began), DAY * 2);
    assert_eq!(effects("l-child second"), 0);
}

#[tokio::test]
async fn a_delayed_event_counts_from_its_time() {
    let (store, clock): (SharedStore, _) = (Arc::new(Memory::new()), ManualClock::default());
    let worker = builder(&store, &clock).build().await.unwrap();
    let began = clock.now();
    let name = "l-delayed".to_owned();
    let event = publish_limit_tried(LimitTried { name }).delay(DAY);
    let published = event.via(&worker).await.unwrap();
    let record = worker.runs().get(&published.runs[0].run_id).await.unwrap();
    assert_eq!(record.start_by, Some(began.after(DAY + HOUR)));
    assert_eq!(record.finish_by, Some(began.after(DAY + HOUR * 3)));
}

#[tokio::test]
async fn a_rerun_has_its_time_anew() {
    let harness = harness().await;
    let name = "l-again".to_owned();
    let run = harness.run(sleeps, SleepLimited { name }).await.unwrap();
    let store = harness.store().shared();
    let again = Rerun::new(run.run_id(), harness.now());
    assert!(store.rerun(again).await.unwrap());
    harness.travel(DAY).await.unwrap();
    let run = only(harness.runs_of(sleeps).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    harness.travel(DAY).await.unwrap();
    let run = only(harness.runs_of(sleeps).await);
    assert_eq!(
        run.status(),
        Some(RunStatus::Cancelled),
        "the week is not over"
    );
    assert_eq!(effects("l-again first"), 1);
}

/// Nothing drives a run of a paused function, and its time is over all the same.
#[tokio::test]
async fn travel_ends_runs_of_paused_functions() {
    let harness = harness().await;
    let name = "paused".to_owned();
    harness.publish(SleepLimited { name }).await.unwrap();
    let functions = harness.worker().functions();
    assert!(functions.pause("limited-sleeps").await.unwrap());
    harness.travel(DAY).await.unwrap();
    let status = async || only(harness.runs_of(sleeps).await).status();
    assert_eq!(status().await, Some(RunStatus::Pending));
    harness.travel(DAY * 2).await.unwrap();
    assert_eq!(status().await, Some(RunStatus::Cancelled));
    assert_eq!(effects("paused first"), 0);
}

/// As many as one look does not end at once.
#[tokio::test]
async fn a_backlog_that_is_over_ends_look_by_look() {
    let (clock, store) = (
        ManualClock::default(),
        Arc::new(Memory::new()) as SharedStore,
    );
    let publisher = builder(&store, &clock).build().await.unwrap();
    for n in 0..1_100 {
        tried(&publisher, &format!("backlog {n}")).await;
    }
    clock.advance(HOUR * 2);
    let worker = builder(&store, &clock).build().await.unwrap();
    let running = looped(&worker);
    let pending = async || {
        let pending = worker.runs().list().status(RunStatus::Pending).limit(1);
        pending.await.unwrap().runs.len()
    };
    eventually("all have ended", async || {
        clock.advance(Duration::from_millis(10));
        pending().await == 0
    })
    .await;
    assert_eq!(effects("backlog 7 first"), 0);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

const NO_TIME: Duration = Duration::ZERO;

#[belts::function(id = "limited-to-nothing", on = LimitTried, start_within = NO_TIME)]
async fn no_time(event: LimitTried) -> belts::Result<usize> {
    step!("length", event.name.len()).await
}

#[belts::function(id = "limited-the-wrong-way", on = LimitTried, start_within = DAY, finish_within = HOUR)]
async fn wrong_way(event: LimitTried) -> belts::Result<usize> {
    step!("length", event.name.len()).await
}

/// What the macro cannot see in a constant, the worker does when it is built.
#[tokio::test]
async fn limits_that_no_run_can_meet_are_an_error() {
    let worker = Worker::builder().store(Memory::new()).function(no_time);
    let error = worker.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.report().contains("`limited-to-nothing`"), "{error}");
    let worker = Worker::builder().store(Memory::new()).function(wrong_way);
    let report = worker.build().await.unwrap_err().report();
    assert!(report.contains("`finish_within` is shorter"), "{report}");
}

/// A worker that does not have the function publishes; another ends the run, though it has no room and the options have changed.
async fn others_end_it(place: impl Reopen, name: &str) {
    let (one, other) = (place.open().await.unwrap(), place.open().await.unwrap());
    let clock = ManualClock::default();
    let first = builder(&one, &clock).build().await.unwrap();
    // It registers.
    let done = format!("{name} done");
    open(&done);
    let executed = first.execute(LimitTried { name: done }).await.unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Completed);
    let publisher = Worker::builder()
        .shared_store(other.clone())
        .clock(clock.clone());
    let publisher = publisher.publish_only().build().await.unwrap();
    let run = tried(&publisher, name).await;
    let record = publisher.runs().get(&run).await.unwrap();
    assert_eq!(record.start_by, Some(clock.now().after(HOUR)));
    drop((first, one));

    // A later version of the program has other limits, which count for new runs alone.
    let store = place.open().await.unwrap();
    let wanted = Subscription::new("limited-gated", ["limit-tried"]);
    let register = Register::new(clock.now(), HOUR)
        .with_subscriptions(vec![wanted])
        .with_limits(vec![Limits::new("limited-gated").with_start_within(DAY)]);
    store.register(register).await.unwrap();
    let later = tried(&publisher, &format!("{name} later")).await;
    let record = publisher.runs().get(&later).await.unwrap();
    assert_eq!(record.start_by, Some(clock.now().after(DAY)));
    let running = looped(&publisher);
    let record = pass(&publisher, &clock, HOUR, &run).await;
    ended_as(&record, "it had not started within 1h");
    let later = publisher.runs().get(&later).await.unwrap();
    assert_eq!(later.status, RunStatus::Pending);
    publisher.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_end_what_nobody_takes() {
    others_end_it(SqliteFile::temporary(), "l-sqlite").await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_end_what_nobody_takes_on_postgres() {
    others_end_it(InSchema::new(), "l-postgres").await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_end_what_nobody_takes_on_redis() {
    others_end_it(UnderPrefix::new(), "l-redis").await;
}

/// Its child ends with it, by the limit that both pass.
#[belts::function(id = "z-swept-limited", on = Named, finish_within = "2d")]
async fn swept(event: Named) -> belts::Result<()> {
    step!("first", event.name.len()).await?;
    call!("child", sleeps(SleepLimited { name: event.name })).await?;
    step!("never", ()).await
}

async fn end_survives<P: Reopen>(place: fn() -> P) {
    let crashed = sweep(place).function(swept).event(named("l-swept"));
    let crashed = crashed
        .harness(|builder| builder.function(swept).function(sleeps))
        .check(|case| {
            assert_eq!(case.run.status(), Some(RunStatus::Cancelled));
            let error = case.run.error().unwrap();
            assert!(error.to_string().contains("it had not finished within 2d"));
            case.run.assert_steps(&["first", "child"]);
        });
    let report = within_time(LIMIT, "a sweep", crashed).await.unwrap();
    assert!(report.writes >= 6, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_each_write_changes_nothing() {
    end_survives(Memory::new).await;
    end_survives(SqliteFile::temporary).await;
}
