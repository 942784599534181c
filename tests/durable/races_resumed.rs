//! Races of runs that resume: after a crash, after a deploy, or when they are run again.

use std::time::Duration;

use belts::{
    ErrorKind, Worker, race, sleep, step,
    store::{Memory, RunStatus, StepState, Store},
    testing::{Crash, Harness, ManualClock, Reopen, SqliteFile, sweep},
    wait,
};

use crate::{
    gated::{Named, effect, effects, looped, named, within, within_time},
    places::{InSchema, UnderPrefix},
    races::{Paid, paid, winner},
};

/// Before the deploy.
mod old {
    use super::*;

    #[belts::function(id = "races-deployed", on = Named)]
    pub(super) async fn decide(event: Named) -> belts::Result<String> {
        let name = &event.name;
        let decision = race!("decision", {
            paid = wait!("payment", Paid, key = name) => format!("paid {}", paid?.cents),
            late = sleep!("late", "1h") => { late?; "late".to_owned() }
        })
        .await?;
        sleep!("pause", "2h").await?;
        Ok(decision)
    }
}

/// After it: another arm, which would win at once, and the others the other way round.
mod new {
    use super::*;

    #[belts::function(id = "races-deployed", on = Named)]
    pub(super) async fn decide(event: Named) -> belts::Result<String> {
        let name = &event.name;
        let decision = race!("decision", {
            quick = step!("quick", effect(format!("{name} quick"))) => { quick?; "quick".to_owned() }
            late = sleep!("late", "1h") => { late?; "late".to_owned() }
            paid = wait!("payment", Paid, key = name) => format!("paid {}", paid?.cents),
        })
        .await?;
        sleep!("pause", "2h").await?;
        Ok(decision)
    }
}

/// After another: there is no payment any more.
mod gone {
    use super::*;

    #[belts::function(id = "races-deployed", on = Named)]
    pub(super) async fn decide(event: Named) -> belts::Result<String> {
        let decision = race!("decision", {
            late = sleep!("late", "1h") => { late?; event.name.clone() }
        })
        .await?;
        sleep!("pause", "2h").await?;
        Ok(decision)
    }
}

/// A run on the old version, to where the race is won by the payment and the run sleeps; or only to the race.
async fn until_the_deploy(store: &Memory, clock: &ManualClock, name: &str, pays: bool) {
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(old::decide).build().await.unwrap();
    let running = looped(&worker);
    let call = old::decide(named(name)).run_id(name).via(&worker);
    let _run = call.start().await.unwrap();
    if pays {
        crate::races::publish_paid(paid(name, 3))
            .via(&worker)
            .await
            .unwrap();
    }
    let last = if pays { "pause" } else { "decision/late/late" };
    crate::gated::eventually("it sleeps", async || {
        let journal = store.journal(name).await.unwrap();
        let run = store.run(name).await.unwrap().unwrap();
        run.status == RunStatus::Suspended && journal.iter().any(|entry| &*entry.path == last)
    })
    .await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// By the time of the replay the sleep is over, and a new arm needs no time at all: the recorded winner has won all the same.
#[tokio::test]
async fn a_recorded_winner_wins_although_others_would_be_faster_now() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    until_the_deploy(&store, &clock, "faster", true).await;
    clock.advance(Duration::from_secs(4 * 3_600));
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(new::decide).build().await.unwrap();
    let running = looped(&worker);
    let run = belts::run_of(new::decide, "faster").via(&worker);
    assert_eq!(within("the end", run.result()).await.unwrap(), "paid 3");
    assert_eq!(effects("faster quick"), 0);
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The race is still open at the deploy: an arm that was added may win it.
#[tokio::test]
async fn an_arm_that_is_added_takes_part_in_a_race_that_is_open() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    until_the_deploy(&store, &clock, "added", false).await;
    clock.advance(Duration::from_secs(3_600));
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(new::decide).build().await.unwrap();
    let running = looped(&worker);
    crate::gated::eventually("it sleeps", async || {
        let journal = store.journal("added").await.unwrap();
        journal.iter().any(|entry| &*entry.path == "pause")
    })
    .await;
    clock.advance(Duration::from_secs(2 * 3_600));
    let run = belts::run_of(new::decide, "added").via(&worker);
    assert_eq!(within("the end", run.result()).await.unwrap(), "quick");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_recorded_winner_that_is_gone_is_an_error_that_names_it() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    until_the_deploy(&store, &clock, "gone", true).await;
    clock.advance(Duration::from_secs(4 * 3_600));
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(gone::decide).build().await.unwrap();
    let running = looped(&worker);
    let run = belts::run_of(gone::decide, "gone").via(&worker);
    let error = within("the end", run.result()).await.unwrap_err();
    let text = error.report();
    assert!(
        text.contains("the race `decision` was won by its arm `paid`, which is gone"),
        "{text}"
    );
    assert!(
        text.contains("(its arms are `late`): bring the arm back"),
        "{text}"
    );
    worker.shutdown();
    running.await.unwrap().unwrap();

    // After a fix it goes on.
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(new::decide).build().await.unwrap();
    let running = looped(&worker);
    assert!(worker.runs().rerun("gone").await.unwrap());
    let run = belts::run_of(new::decide, "gone").via(&worker);
    assert_eq!(within("the end", run.result()).await.unwrap(), "paid 3");
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// What was a race is a step now.
#[tokio::test]
async fn a_race_is_not_taken_for_a_step() {
    #[belts::function(id = "races-deployed", on = Named)]
    async fn a_step(_: Named) -> belts::Result<String> {
        step!("decision", "decided".to_owned()).await
    }
    let (store, clock) = (Memory::new(), ManualClock::default());
    until_the_deploy(&store, &clock, "step", true).await;
    clock.advance(Duration::from_secs(4 * 3_600));
    let builder = Worker::builder().store(store).clock(clock);
    let worker = builder.function(a_step).build().await.unwrap();
    let error = belts::run_of(a_step, "step")
        .via(&worker)
        .result()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let text = error.to_string();
    assert!(
        text.contains("the journal has `decision` as a race"),
        "{text}"
    );
}

#[belts::function(id = "races-swept", on = Named)]
async fn one_by_one(event: Named) -> belts::Result<String> {
    let name = &event.name;
    let mut all = race!("step", {
        scored = step!("score", 7) => format!("scored {}", scored?),
        late = sleep!("late", "1h") => { late?; "late".to_owned() }
    })
    .await?;
    all += race!("block", {
        never = wait!("payment", Paid, key = name) => { never?; "paid" }
        block = async {
            step!("one", 1).await?;
            sleep!("between", "1h").await?;
            step!("two", 2).await
        } => { block?; " block" }
    })
    .await?;
    all += race!("sleep", {
        late = sleep!("late", "2h") => { late?; " late" }
        long = async { sleep!("long", "3h").await?; step!("three", 3).await } => { long?; " long" }
    })
    .await?;
    step!("ship", all.len()).await?;
    Ok(all)
}

async fn survives_every_crash<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(one_by_one).event(named("swept"));
    let swept = swept.harness(|harness| harness.function(one_by_one));
    let checked = swept.check(|case| {
        assert_eq!(case.run.output().unwrap(), "scored 7 block late");
        let races = ["step", "block", "sleep"].map(|race| winner(case.run, race).unwrap());
        assert_eq!(races, ["scored", "block", "late"]);
        // Whichever write the crash was at, what lost waits no more in the end.
        let lost = case.run.journal().iter();
        let mut lost = lost.filter(|entry| &*entry.path == "block/never/payment");
        let closed = lost.next().map(|entry| entry.state);
        assert_eq!(closed, Some(StepState::Completed));
    });
    let limit = Duration::from_secs(90);
    let report = within_time(limit, "a sweep", checked).await.unwrap();
    assert!(report.writes > 8, "{report:?}");
}

#[tokio::test]
async fn races_survive_every_crash_on_memory() {
    survives_every_crash(Memory::new).await;
}

#[tokio::test]
async fn races_survive_every_crash_on_sqlite() {
    survives_every_crash(SqliteFile::temporary).await;
}

#[cfg_attr(
    not(has_postgres),
    ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
)]
#[tokio::test]
async fn races_survive_every_crash_on_postgres() {
    survives_every_crash(InSchema::new).await;
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test]
async fn races_survive_every_crash_on_redis() {
    survives_every_crash(UnderPrefix::new).await;
}

#[belts::function(id = "races-between-events", on = Named)]
async fn between_events(event: Named) -> belts::Result<u32> {
    let name = &event.name;
    let cents = race!("decision", {
        big = wait!("payment", Paid, key = name, when = |paid| paid.cents > 100) => big?.cents,
        small = wait!("payment", Paid, key = name, when = |paid| paid.cents <= 100) => small?.cents,
    })
    .await?;
    step!("ship", effect(format!("{name} ships"))).await?;
    Ok(cents)
}

/// A crash before and after each write, of the run until it waits and of what the event sets going.
async fn survives_crashes_around_an_event<P: Reopen>(place: fn() -> P) {
    for (write, kind) in (0..=7).flat_map(|write| [(write, 0), (write, 1)]) {
        let name = format!("race-crash-{write}-{kind}");
        let builder = Harness::builder().store(place()).function(between_events);
        let harness = builder.build().await.unwrap();
        let arm = || match (write, kind) {
            (0, _) => {}
            (_, 0) => harness.faults().crash(Crash::Before(write)),
            _ => harness.faults().crash(Crash::After(write)),
        };
        let call = between_events(named(&name)).run_id(&*name);
        call.via(&harness.worker()).start().await.unwrap();
        arm();
        harness.settle().await.unwrap();
        harness.faults().disarm();
        arm();
        let publish = || harness.publish(paid(&name, 5)).idempotency_key(&*name);
        if publish().await.is_err() || harness.faults().has_crashed() {
            harness.restart().await.unwrap();
            publish().await.unwrap();
        }
        harness.settle().await.unwrap();
        let run = &harness.runs_of(between_events).await.unwrap()[0];
        assert_eq!(run.output().unwrap(), 5, "{name}");
        assert_eq!(winner(run, "decision").unwrap(), "small", "{name}");
        let waits = ["decision/big/payment", "decision/small/payment"];
        run.assert_steps(&["decision", waits[0], waits[1], "ship"]);
    }
}

#[tokio::test]
async fn a_race_between_events_survives_every_crash_on_memory() {
    survives_crashes_around_an_event(Memory::new).await;
}

#[tokio::test]
async fn a_race_between_events_survives_every_crash_on_sqlite() {
    survives_crashes_around_an_event(SqliteFile::temporary).await;
}
