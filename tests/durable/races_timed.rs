//! Races between events and times: an event that came before its deadline wins, also if nobody looked in between.
//!
//! On a replay a sleep whose time had passed was over in its first turn, and won although the event had come before it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belts::{
    Event, Worker, race, sleep, step,
    store::{Memory, RunStatus, SharedStore, Store},
    testing::ManualClock,
    wait,
};
use belts_suite::{Hooked, a_moment};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    gated::{Named, eventually, gate, looped, named, publish_named, within, worker_of},
    races::{Paid, paid, publish_paid},
};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "races-refused", key = name)]
struct Refused {
    name: String,
}

#[belts::function(id = "races-event-first", on = Named)]
async fn event_first(event: Named) -> belts::Result<String> {
    race!("decision", {
        paid = wait!("payment", Paid, key = &event.name) => format!("paid {}", paid?.cents),
        late = sleep!("deadline", "1h") => { late?; "late".to_owned() }
    })
    .await
}

#[belts::function(id = "races-time-first", on = Named)]
async fn time_first(event: Named) -> belts::Result<String> {
    race!("decision", {
        late = sleep!("deadline", "1h") => { late?; "late".to_owned() }
        paid = wait!("payment", Paid, key = &event.name) => format!("paid {}", paid?.cents),
    })
    .await
}

/// A wait with a time of its own, and one in a block that ends with it.
#[belts::function(id = "races-timeout-first", on = Named)]
async fn timeout_first(event: Named) -> belts::Result<String> {
    let name = &event.name;
    race!("decision", {
        refused = wait!("refusal", Refused, key = name, timeout = "1h") => match refused? {
            Some(_) => "refused".to_owned(),
            None => "late".to_owned(),
        },
        paid = async { wait!("payment", Paid, key = name).await } => format!("paid {}", paid?.cents),
    })
    .await
}

/// The sleep is in a race in an arm of the race with the wait.
#[belts::function(id = "races-nested-time", on = Named)]
async fn nested_time(event: Named) -> belts::Result<String> {
    race!("decision", {
        late = race!("late", {
            late = async { sleep!("deadline", "1h").await } => late?,
            later = sleep!("later", "2d") => later?,
        }) => { late?; "late".to_owned() }
        small = wait!("small", Paid, key = &event.name, when = |paid| paid.cents < 2) => format!("small {}", small?.cents),
        paid = wait!("payment", Paid, key = &event.name, when = |paid| paid.cents > 2) => format!("paid {}", paid?.cents),
    })
    .await
}

/// What a run comes to that nobody drives for a day from when it waits; whether it is paid for in the meantime.
async fn after_a_day<M>(
    function: impl belts::Function<M> + Copy,
    name: &str,
    pays: bool,
) -> String {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let worker = worker_of(store.clone(), function, &clock).await;
    let running = looped(&worker);
    let published = publish_named(named(name)).via(&worker).await.unwrap();
    let run_id = &*published.runs[0].run_id;
    eventually("it waits", async || {
        let run = store.run(run_id).await.unwrap().unwrap();
        run.status == RunStatus::Suspended
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();

    let worker = worker_of(store.clone(), function, &clock).await;
    if pays {
        publish_paid(paid(name, 5)).via(&worker).await.unwrap();
    }
    clock.advance(Duration::from_secs(24 * 3_600));
    let running = looped(&worker);
    eventually("it ends", async || {
        let run = store.run(run_id).await.unwrap().unwrap();
        run.status == RunStatus::Completed
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let run = store.run(run_id).await.unwrap().unwrap();
    serde_json::from_str(run.output().unwrap().get()).unwrap()
}

#[tokio::test]
async fn an_event_that_came_before_a_deadline_wins_on_a_replay_in_whichever_order_the_arms_are() {
    assert_eq!(after_a_day(event_first, "event", true).await, "paid 5");
    assert_eq!(after_a_day(time_first, "time", true).await, "paid 5");
    assert_eq!(after_a_day(timeout_first, "timeout", true).await, "paid 5");
    assert_eq!(after_a_day(nested_time, "nested", true).await, "paid 5");
}

#[tokio::test]
async fn a_deadline_before_which_nothing_came_wins_on_a_replay() {
    assert_eq!(after_a_day(event_first, "no-event", false).await, "late");
    assert_eq!(after_a_day(time_first, "no-time", false).await, "late");
    assert_eq!(
        after_a_day(timeout_first, "no-timeout", false).await,
        "late"
    );
    assert_eq!(after_a_day(nested_time, "no-nested", false).await, "late");
}

#[belts::function(id = "races-several-times", on = Named)]
async fn several_times(_: Named) -> belts::Result<String> {
    race!("decision", {
        third = sleep!("three-hours", "3h") => { third?; "three".to_owned() }
        second = sleep!("two-hours", "2h") => { second?; "two".to_owned() }
        first = async { sleep!("one-hour", "1h").await } => { first?; "one".to_owned() }
        fourth = sleep!("four-hours", "4h") => { fourth?; "four".to_owned() }
    })
    .await
}

#[tokio::test]
async fn of_several_times_that_have_passed_on_a_replay_the_earliest_wins() {
    assert_eq!(after_a_day(several_times, "several", false).await, "one");
}

/// Stays in memory, for its step.
#[belts::function(id = "races-in-memory", on = Named)]
async fn in_memory(event: Named) -> belts::Result<String> {
    let name = &event.name;
    race!("decision", {
        late = sleep!("deadline", "1h") => { late?; "late".to_owned() }
        scored = step!("score", gate(name)) => { scored?; "scored".to_owned() }
        paid = wait!("payment", Paid, key = name) => format!("paid {}", paid?.cents),
    })
    .await
}

/// The worker was told of an event and was asking for it when the deadline passed.
#[tokio::test]
async fn a_deadline_that_passes_while_the_store_is_asked_waits_for_the_answer() {
    let (clock, looks) = (ManualClock::default(), Arc::new(AtomicU32::new(0)));
    let answers = watch::Sender::new(true);
    let (held, counted) = (answers.clone(), Arc::clone(&looks));
    let store: SharedStore = Hooked::new(Arc::new(Memory::new()), move |method| {
        if method != "arrived" {
            return Box::pin(async { Ok(()) });
        }
        counted.fetch_add(1, Ordering::SeqCst);
        let mut answers = held.subscribe();
        Box::pin(async move {
            let _ = answers.wait_for(|answers| *answers).await;
            Ok(())
        })
    });
    let builder = Worker::builder().shared_store(store).clock(clock.clone());
    let worker = builder.function(in_memory).build().await.unwrap();
    let running = looped(&worker);
    let call = in_memory(named("asked")).run_id("asked");
    let run = call.via(&worker).start().await.unwrap();
    let looked = || looks.load(Ordering::SeqCst);
    eventually("it looks behind its first write", async || looked() > 0).await;
    a_moment().await;

    answers.send_replace(false);
    let before = looked();
    publish_paid(paid("asked", 7)).via(&worker).await.unwrap();
    eventually("it looks for the event", async || looked() > before).await;
    clock.advance(Duration::from_secs(2 * 3_600));
    a_moment().await;
    answers.send_replace(true);
    assert_eq!(within("the end", run.result()).await.unwrap(), "paid 7");
    worker.shutdown();
    running.await.unwrap().unwrap();
}
