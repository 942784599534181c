//! How drives, requests and workers come to their end while something else of theirs is under way.

use std::{
    future::IntoFuture,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use belts::{
    Runs, Worker, sleep, step,
    store::{Memory, RunStatus, Store},
    testing::{Faults, ManualClock},
};

use crate::{
    gated::{
        Named, effect, effects, eventually, gate, gated, looped, named, open, publish_named,
        runs_of, unless, within, worker_of,
    },
    late::Meddled,
};

/// A request named the step at which a run was to stop, and failed. The run stopped there all the same when the loop drove it.
#[tokio::test]
async fn the_step_at_which_a_run_is_to_stop_goes_with_a_request_that_fails() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let faults = Faults::new(Arc::new(store.clone()));
    let worker = worker_of(faults.clone(), gated, &clock).await;
    open("target");

    // The claim of a run that is there fails.
    publish_named(named("target")).via(&worker).await.unwrap();
    let waits = Arc::clone(&runs_of(&store, "gated").await[0].run_id);
    faults.fail(1);
    let writes = faults.writes();
    let execute = worker.execute(named("target")).run_id(&*waits);
    within("the failure", execute.until("work"))
        .await
        .unwrap_err();
    // What the store may have leased all the same is given back.
    eventually("it is given back", async || faults.writes() >= writes + 2).await;
    // The publish of one that is not fails.
    faults.fail(1);
    let execute = worker.execute(named("target")).run_id("comes");
    within("the failure", execute.until("work"))
        .await
        .unwrap_err();
    assert!(store.run("comes").await.unwrap().is_none());

    let running = looped(&worker);
    eventually("the run goes to its end", async || {
        clock.advance(Duration::from_millis(100));
        runs_of(&store, "gated").await[0].status == RunStatus::Completed
    })
    .await;
    let executed = within("the other", worker.execute(named("target")).run_id("comes"));
    assert_eq!(executed.await.unwrap().runs[0].status, RunStatus::Completed);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "sleeps-through-the-night", on = Named)]
async fn sleeps(_: Named) -> belts::Result<()> {
    sleep!("night", "8h").await
}

/// Without a loop whoever executes waits for the time of the run. That it was cancelled meanwhile was heard in the morning.
#[tokio::test]
async fn who_waits_for_a_sleeping_run_hears_that_it_is_cancelled() {
    let (clock, store) = (ManualClock::default(), Memory::new());
    let worker = worker_of(store.clone(), sleeps, &clock).await;
    let execute = worker.execute(named("night")).run_id("night");
    let executing = tokio::spawn(execute.into_future());
    eventually("the run sleeps", async || {
        let run = store.run("night").await.unwrap();
        run.is_some_and(|run| run.status == RunStatus::Suspended)
    })
    .await;
    let elsewhere = Runs::of(Arc::new(store.clone()));
    assert!(elsewhere.cancel("night").await.unwrap());
    let cancelled = clock.now();
    eventually("the answer", async || {
        clock.advance(Duration::from_millis(100));
        executing.is_finished()
    })
    .await;
    let waited = clock.now().since(cancelled);
    assert!(waited < Duration::from_secs(60 * 60), "{waited:?}");
    let executed = executing.await.unwrap().unwrap();
    assert_eq!(executed.runs[0].status, RunStatus::Cancelled);
}

/// Lets go of the thread that a step blocks, whatever becomes of the test.
struct LetsGo;

static BLOCKED: (Mutex<bool>, Condvar) = (Mutex::new(true), Condvar::new());

impl Drop for LetsGo {
    fn drop(&mut self) {
        *BLOCKED.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
        BLOCKED.1.notify_all();
    }
}

fn block(name: &str) {
    effect(name);
    let blocked = BLOCKED.0.lock().unwrap();
    drop(BLOCKED.1.wait_while(blocked, |blocked| *blocked).unwrap());
}

#[belts::function(id = "blocks-its-thread", on = Named)]
async fn blocks_its_thread(event: Named) -> belts::Result<()> {
    step!("block", block(&event.name)).await
}

/// Nothing ends a step that blocks its thread. The end of its worker waited for it, for as long as it took.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_step_that_blocks_its_thread_holds_up_no_shutdown_beyond_the_grace_period() {
    let _lets_go = LetsGo;
    let store = Memory::new();
    let builder = Worker::builder().store(store.clone());
    let builder = builder.function(blocks_its_thread).grace(Duration::ZERO);
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    publish_named(named("blocked")).via(&worker).await.unwrap();
    eventually("the step blocks", async || effects("blocked") == 1).await;
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
    let run = &runs_of(&store, "blocks-its-thread").await[0];
    assert_eq!(run.status, RunStatus::Suspended, "others may have it");
}

#[belts::function(id = "returns-meanwhile", on = Named, continuation = "per-step")]
async fn returns_meanwhile(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let one = unless(gate(name), step!("one", effect(name.as_str())));
    one.await.unwrap_or_else(|| {
        effect(format!("{name} returned"));
        Ok(())
    })
}

/// A step was recorded together with the pause of its run, and the function went on during that write. It returned, and its end was
/// written too, with a lease that the pause had ended: a warning of a lost lease, and a run that was due only once its lease was.
#[tokio::test]
async fn a_function_does_not_go_on_while_its_pause_is_written() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), returns_meanwhile, &clock).await;
    let running = looped(&worker);
    store.hold_commits(true);
    publish_named(named("meanwhile"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the write", async || store.counts().held_commits() == 1).await;
    open("meanwhile");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(effects("meanwhile returned"), 0);
    store.hold_commits(false);
    eventually("the run ends", async || {
        runs_of(&store, "returns-meanwhile").await[0].status == RunStatus::Completed
    })
    .await;
    assert_eq!(store.counts().refused_commits(), 0);
    assert_eq!(effects("meanwhile"), 1);
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

#[belts::function(id = "begins-meanwhile", on = Named, continuation = "per-step")]
async fn begins_meanwhile(event: Named) -> belts::Result<()> {
    let name = &event.name;
    let two = async {
        gate(name).await;
        step!("two", effect(format!("{name} two"))).await
    };
    tokio::try_join!(step!("one", effect(name.as_str())), two)?;
    Ok(())
}

/// A step was recorded together with the pause of its run. Another one began and ended during that write, was thrown away with the
/// drive, and ran again later, although no process had died.
#[tokio::test]
async fn no_step_begins_while_a_pause_is_written() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let worker = worker_of(store.clone(), begins_meanwhile, &clock).await;
    let running = looped(&worker);
    store.hold_commits(true);
    publish_named(named("begins")).via(&worker).await.unwrap();
    eventually("the write", async || store.counts().held_commits() == 1).await;
    open("begins");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(effects("begins two"), 0);
    store.hold_commits(false);
    eventually("the run ends", async || {
        runs_of(&store, "begins-meanwhile").await[0].status == RunStatus::Completed
    })
    .await;
    assert_eq!((effects("begins"), effects("begins two")), (1, 1));
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}

/// A worker that was to end had been forgotten by its store. It began a session anew, which outlived it: events went on to start
/// runs for a program that was gone.
#[tokio::test]
async fn a_worker_that_ends_begins_no_new_session() {
    let (clock, store) = (ManualClock::default(), Meddled::new(Memory::new()));
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let builder = builder.function(gated).grace(Duration::from_secs(86_400));
    let worker = builder.build().await.unwrap();
    let running = looped(&worker);
    publish_named(named("forgotten"))
        .via(&worker)
        .await
        .unwrap();
    eventually("the step begins", async || effects("forgotten") == 1).await;
    assert_eq!(store.counts().registers(), 1);
    worker.shutdown();
    store.end_session(clock.now()).await;
    eventually("it is told", async || {
        clock.advance(Duration::from_millis(100));
        store.counts().refused_renewals() >= 2
    })
    .await;
    open("forgotten");
    within("the shutdown", running).await.unwrap().unwrap();
    assert_eq!(store.counts().registers(), 1);
}
