//! The engine driven by hand-expanded functions, so that it is tested without the macros.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{ended::Ended, *};
use crate::{
    clock::Clock as _,
    error::{ErrorKind, Result},
    function::{Driven, FunctionDef, Invocation},
    run::Location,
    step::{Expression, Key, StepOptions},
    store::{Claim, Memory, RunStatus},
};

static AT: Location = Location {
    file: "here.rs",
    line: 1,
    column: 1,
};
static EFFECTS: AtomicU32 = AtomicU32::new(0);

macro_rules! by_hand {
    ($scope:expr, $key:literal, $expr:expr) => {{
        let step = $scope.step(Key::Literal($key), &AT, StepOptions::default());
        async {
            let mut step = step;
            loop {
                let expression: Expression<'_, _> = std::pin::pin!(Some(async { Ok($expr) }));
                if let Some(result) = step.next(expression).await {
                    break result;
                }
            }
        }
    }};
}

async fn body(scope: &crate::step::Scope) -> Result<u32> {
    let one = by_hand!(scope, "one", EFFECTS.fetch_add(1, Ordering::SeqCst)).await?;
    let (two, three) =
        tokio::try_join!(by_hand!(scope, "two", 2), by_hand!(scope, "three", one + 3))?;
    Ok(two + three)
}

fn start(run: Invocation) -> Driven {
    Box::pin(async move { crate::__private::finish(body(&run.scope()).await) })
}

pub(crate) static DEF: FunctionDef = FunctionDef {
    id: "by-hand",
    events: &[&["ping"]],
    start,
    location: AT,
    package: "belts",
    ..FunctionDef::BLANK
};

fn ping() -> crate::EncodedEvent {
    crate::EncodedEvent {
        event_type: "ping".into(),
        payload: Arc::from(*b"{}"),
        correlation_key: None,
    }
}

#[tokio::test]
async fn a_run_goes_through_its_steps_and_ends() {
    let store = Memory::new();
    let function = &DEF;
    let worker = Worker::builder()
        .store(store.clone())
        .define(function)
        .build()
        .await
        .expect("a worker");
    let executed = Execute::new(worker.clone(), Ok(ping()))
        .await
        .expect("executed");
    assert_eq!(executed.runs[0].status, RunStatus::Completed);
    assert_eq!(executed.output::<u32>("by-hand").expect("an output"), 5);
}

/// A client hung up while a route published: the server dropped the route's future, which waited for SQLite's lock. The
/// write went through all the same, with the run leased to this worker, and nobody drove it until the worker ended.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_driven_although_its_publisher_went_away() {
    let directory = std::env::temp_dir().join(format!("belts-gone-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("belts.db");
    let worker = Worker::builder()
        .store(crate::store::Sqlite::open(&path).await.expect("a store"))
        .define(&DEF)
        .build()
        .await
        .expect("a worker");
    let (begun, looping) = (worker.clone(), worker.clone());
    let running = tokio::spawn(async move { looping.run().await });
    until(async || begun.shared.is_running()).await;

    let other = rusqlite::Connection::open(&path).expect("another process");
    other.execute_batch("BEGIN IMMEDIATE").expect("its lock");
    let mut publish = Box::pin(crate::Publish::new(Ok(ping())).via(&worker).into_future());
    tokio::select! {
        biased;
        published = &mut publish => panic!("it did not wait: {published:?}"),
        () = std::future::ready(()) => drop(publish),
    }
    other.execute_batch("COMMIT").expect("the lock is free");

    until(async || {
        let page = worker
            .store()
            .list(crate::store::RunFilter::default())
            .await;
        let runs = page.expect("a list").runs;
        runs.iter().any(|run| run.status == RunStatus::Completed)
    })
    .await;
    worker.shutdown();
    running.await.expect("no panic").expect("a good end");
    drop(worker);
    std::fs::remove_dir_all(&directory).expect("gone");
}

/// Each failed `execute` left 300 bytes behind, of somebody who waited no longer.
#[tokio::test]
async fn who_no_longer_waits_for_a_run_leaves_nothing_behind() {
    let builder = Worker::builder().store(Memory::new());
    let function = &DEF;
    let worker = builder.define(function).build().await.expect("a worker");
    let (gone, stays) = (Arc::from("gone"), Arc::from("stays"));
    drop(worker.shared.listen(&gone));
    let ending = worker.shared.listen(&stays);
    drop(worker.shared.listen(&stays));
    let waiting = || worker.shared.waiters.count();
    assert_eq!(waiting(), 1);
    worker.shared.tell(&stays, &Ended::Skipped);
    assert_eq!(ending.await, Ok(Ended::Skipped));
    assert_eq!(waiting(), 0);
}

/// A publish failed and gave its place back, and the loop, which waited for one, slept on.
#[tokio::test]
async fn a_place_that_is_given_back_unused_wakes_who_waits_for_room() {
    let builder = Worker::builder().store(Memory::new()).concurrency(1);
    let function = &DEF;
    let worker = builder.define(function).build().await.expect("a worker");
    let slots = &worker.shared.slots;
    let reservation = slots.reserve(std::iter::once(0), false);
    assert!(slots.reserve_all().is_empty());
    drop(reservation);
    slots.freed().await;
    assert!(!slots.reserve_all().is_empty());
}

static NEW: FunctionDef = FunctionDef {
    events: &[&["ping", "pong"]],
    keys: &[],
    ..DEF
};

/// An old worker claimed a run for an event type that only the new version knows, and failed it for good.
#[tokio::test]
async fn a_run_whose_event_type_this_version_does_not_take_waits_for_another() {
    let build = |store: &Memory, def| {
        let function = def;
        let builder = Worker::builder().store(store.clone()).define(function);
        builder.sweep(std::time::Duration::from_millis(20)).build()
    };
    let store = Memory::new();
    let new = build(&store, &NEW).await.expect("a worker");
    let old = build(&store, &DEF).await.expect("a worker");
    let pong = || crate::EncodedEvent {
        event_type: "pong".into(),
        ..ping()
    };
    let published = crate::Publish::new(Ok(pong())).via(&new).await;
    published.expect("published");
    let looping = old.clone();
    let running = tokio::spawn(async move { looping.run().await });
    let executed = Execute::new(old.clone(), Ok(ping())).await;
    executed.expect("executed");
    let wrong = Execute::new(old.clone(), Ok(pong())).function("by-hand");
    assert_eq!(wrong.await.expect_err("refused").kind(), ErrorKind::Config);
    let statuses = async || -> Vec<_> {
        let page = old.store().list(crate::store::RunFilter::default()).await;
        page.expect("a list")
            .runs
            .iter()
            .map(|run| run.status)
            .collect()
    };
    assert_eq!(statuses().await, [RunStatus::Completed, RunStatus::Pending]);
    let looping = new.clone();
    let taking = tokio::spawn(async move { looping.run().await });
    until(async || statuses().await == [RunStatus::Completed; 2]).await;
    for (worker, running) in [(old, running), (new, taking)] {
        worker.shutdown();
        running.await.expect("no panic").expect("a good end");
    }
}

/// A delivery that asked for such a run claimed it, got nothing, and claimed it again at once, for as long as the host let it.
#[cfg(feature = "http")]
#[tokio::test]
async fn a_delivery_for_a_run_that_this_version_does_not_take_is_refused_at_once() {
    let store = Memory::new();
    let build = |def| {
        let function = def;
        let builder = Worker::builder().store(store.clone());
        builder.define(function).build()
    };
    let new = build(&NEW).await.expect("a worker");
    let old = build(&DEF).await.expect("a worker");
    let pong = crate::EncodedEvent {
        event_type: "pong".into(),
        ..ping()
    };
    let published = crate::Publish::new(Ok(pong)).via(&new).await;
    published.expect("published");
    let page = new.store().list(crate::store::RunFilter::default()).await;
    let run = page.expect("a list").runs.remove(0);
    for asked in [Trigger::Begin, Trigger::GoOn] {
        let mut started = Started {
            shared: Arc::clone(old.shared()),
            event_id: Arc::clone(&run.event_id),
            duplicate: true,
            runs: vec![(Arc::clone(&run.run_id), Arc::clone(&run.function_id))],
            endings: listen::Endings::new(),
            aim: None,
        };
        let refused = started.hand_on(asked).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::UnknownFunction, "{refused:?}");
    }
    let run = new.store().run(&run.run_id).await.expect("a look");
    assert_eq!(run.expect("the run").status, RunStatus::Pending);
}

/// A run came to the wrong one of two versions at each of its steps. The other one went on with it each time, and yet it failed
/// after the twentieth.
#[tokio::test]
async fn a_run_that_another_version_goes_on_with_is_left_to_it_for_ever() {
    let builder = Worker::builder().store(Memory::new());
    let function = &DEF;
    let worker = builder.define(function).build().await.expect("a worker");
    let run = Arc::from("run");
    for recorded in 0..30 {
        for _ in 1..refused::MISFIT_PATIENCE {
            assert!(worker.shared.setbacks.misread(&run, recorded).is_some());
        }
    }
    assert!(worker.shared.setbacks.misread(&run, 29).is_none());
}

/// A request for a run that another worker drove was refused, and forgot the step at which an earlier one had asked it to stop.
#[tokio::test]
async fn a_request_that_is_refused_leaves_the_step_that_another_asked_to_stop_at() {
    let store = Memory::new();
    let build = || {
        let function = &DEF;
        let builder = Worker::builder().store(store.clone());
        builder.define(function).build()
    };
    let here = build().await.expect("a worker");
    let there = build().await.expect("a worker");
    let published = crate::Publish::new(Ok(ping())).via(&here).await;
    let run_id: Arc<str> = published.expect("published").runs[0].run_id.as_str().into();
    let places = there.shared.slots.reserve(std::iter::once(0), true);
    let session = there.shared.session().await.expect("a session");
    let claim = Claim::new(places.capacity(session), there.shared.clock.now());
    let claimed = there.store().claim(claim.with_only(Arc::clone(&run_id)));
    assert_eq!(claimed.await.expect("a claim").runs.len(), 1);

    here.shared.waiters.targets.set(&run_id, Some("two".into()));
    for until in [Some("three"), None] {
        let mut execute = Execute::new(here.clone(), Ok(ping())).run_id(&*run_id);
        execute.until = until.map(Into::into);
        execute.exclusive = true;
        let refused = execute.await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Busy, "{refused:?}");
        let aim = here
            .shared
            .waiters
            .targets
            .of(&run_id)
            .expect("one is left");
        assert_eq!(aim.until.as_deref(), Some("two"), "{until:?}");
    }
}

/// Returns when `condition` holds, which it must within some seconds.
async fn until(condition: impl AsyncFn() -> bool) {
    let clock = crate::SystemClock;
    let deadline = clock.now().after(std::time::Duration::from_secs(10));
    while !condition().await {
        assert!(clock.now() < deadline, "waited in vain");
        clock
            .sleep_until(clock.now().after(std::time::Duration::from_millis(10)))
            .await;
    }
}
