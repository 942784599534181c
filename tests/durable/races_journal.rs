//! Races as the journal has them: decided ones of which something is left, wrong or to be done again.

use std::{sync::Arc, time::Duration};

use belts::{
    ErrorKind, Worker, race, sleep, step,
    store::{
        Capacity, Claim, Commit, CommitBatch, Entry, FunctionCapacity, Memory, Register, RunStatus,
        StepKind, StepState, Store, Subscription, Transition,
    },
    testing::{Harness, ManualClock},
    wait,
};

use crate::{
    gated::{Named, effect, eventually, looped, named, within, worker_of},
    races::{Paid, paid, publish_paid},
};

#[belts::function(id = "races-left-open", on = Named)]
async fn left_open(event: Named) -> belts::Result<Option<u32>> {
    let name = &event.name;
    race!("decision", {
        paid = wait!("payment", Paid, key = name) => paid?.cents,
        quick = step!("quick", 1) => quick?,
    })
    .await?;
    sleep!("pause", "1h").await?;
    sleep!("night", "8h").await?;
    let later = wait!("later", Paid, key = name, timeout = "1h").await?;
    Ok(later.map(|paid| paid.cents))
}

/// A run that has decided its race, at its first sleep, with an entry that is made of one of its own. Nobody drives it.
async fn with_entry(
    store: &Memory,
    clock: &ManualClock,
    name: &str,
    path: &str,
    change: impl FnOnce(Entry) -> Entry,
) {
    let worker = worker_of(store.clone(), left_open, clock).await;
    let running = looped(&worker);
    let call = left_open(named(name)).run_id(name).via(&worker);
    let _run = call.start().await.unwrap();
    at(store, name, "pause").await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    let journal = store.journal(name).await.unwrap();
    let entry = journal.iter().find(|entry| &*entry.path == path).unwrap();
    let entry = change(entry.clone());

    clock.advance(Duration::from_secs(3_600));
    let now = clock.now();
    let id = belts::id_of(left_open);
    let lease = Duration::from_secs(60);
    let register = Register::new(now, lease);
    let register = register.with_subscriptions(vec![Subscription::new(id, ["named"])]);
    let worker = store.register(register).await.unwrap();
    let capacity = Capacity::new(worker, 1, [FunctionCapacity::new(id, 1)]);
    let claimed = store.claim(Claim::new(capacity, now)).await.unwrap();
    let commit = Commit::new(claimed.runs[0].lease)
        .with_entries(vec![entry])
        .with_transition(Some(Transition::suspend(Some(now))));
    let batch = CommitBatch::new(vec![commit], now);
    store.commit(batch).await.unwrap();
    store.deregister(worker, now).await.unwrap();
}

/// Waits until a run sleeps there.
async fn at(store: &Memory, run_id: &str, path: &str) {
    eventually(path, async || {
        let journal = store.journal(run_id).await.unwrap();
        let run = store.run(run_id).await.unwrap().unwrap();
        let last = journal.last();
        run.status == RunStatus::Suspended && last.is_some_and(|last| &*last.path == path)
    })
    .await;
}

async fn entry_of(store: &Memory, run_id: &str, path: &str) -> Entry {
    let journal = store.journal(run_id).await.unwrap();
    let entry = journal.into_iter().find(|entry| &*entry.path == path);
    entry.unwrap()
}

/// The next event would go to a wait that nobody awaits, and wake the run for it.
#[tokio::test]
async fn a_wait_that_a_decided_race_has_left_open_is_closed_on_the_next_replay() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    let path = "decision/gone/payment";
    with_entry(
        &store,
        &clock,
        "left",
        "decision/paid/payment",
        |mut open| {
            assert_eq!(open.state, StepState::Completed);
            assert!(open.wait.is_some());
            (open.seq, open.path) = (90, path.into());
            (open.state, open.finished_at) = (StepState::Waiting, None);
            open.value = Arc::from(*b"");
            open
        },
    )
    .await;
    assert_eq!(
        entry_of(&store, "left", path).await.state,
        StepState::Waiting
    );
    let worker = worker_of(store.clone(), left_open, &clock).await;
    let running = looped(&worker);
    at(&store, "left", "night").await;
    assert_eq!(
        entry_of(&store, "left", path).await.state,
        StepState::Completed
    );
    let due_at = store.run("left").await.unwrap().unwrap().due_at;
    publish_paid(paid("left", 4)).via(&worker).await.unwrap();
    let run = store.run("left").await.unwrap().unwrap();
    assert_eq!(run.due_at, due_at, "nothing wakes it");
    clock.advance(Duration::from_secs(8 * 3_600));
    let run = belts::run_of(left_open, "left").via(&worker);
    assert_eq!(within("the end", run.result()).await.unwrap(), Some(4));
    worker.shutdown();
    running.await.unwrap().unwrap();
}

/// The text was of a value of no type, which could not be read as a type named `the name of an arm`.
#[tokio::test]
async fn a_winner_that_is_no_name_is_an_error_that_says_so() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    with_entry(&store, &clock, "no-name", "decision", |mut race| {
        race.value = Arc::from(*br#"{"v":1,"ok":7}"#);
        race
    })
    .await;
    let worker = worker_of(store.clone(), left_open, &clock).await;
    let running = looped(&worker);
    let run = belts::run_of(left_open, "no-name").via(&worker);
    let error = within("the end", run.result()).await.unwrap_err();
    let text = error.report();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{text}");
    assert!(
        text.contains("the journal has the race `decision` at ")
            && text.contains("the name of the arm that won cannot be read")
            && text.contains("rerun the run from `decision`"),
        "{text}"
    );
    // So it can go on.
    assert!(
        worker
            .runs()
            .rerun_from("no-name", "decision")
            .await
            .unwrap()
    );
    at(&store, "no-name", "pause").await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[belts::function(id = "races-done-again", on = Named)]
async fn done_again(event: Named) -> belts::Result<u32> {
    step!("begin", effect(format!("{} begins", event.name))).await?;
    let score = race!("outer", {
        inner = race!("inner", {
            scored = step!("score", 3) => scored?,
            late = sleep!("late", "1h") => { late?; 0 }
        }) => {
            let inner = inner?;
            step!("note", inner).await?
        },
        later = sleep!("later", "2h") => { later?; 0 }
    })
    .await?;
    step!("ship", async {
        Err::<(), _>(belts::terminal("no box is left"))
    })
    .await?;
    Ok(score)
}

/// What a run has recorded once it is to run again from a step. Nothing drives it.
async fn kept(path: &str) -> Vec<String> {
    let harness = Harness::builder()
        .function(done_again)
        .build()
        .await
        .unwrap();
    let run = harness.run(done_again, named("again")).run_id("again");
    run.await.unwrap().assert_failed();
    let worker = harness.worker();
    assert!(worker.runs().rerun_from("again", path).await.unwrap());
    let journal = worker.runs().journal("again").await.unwrap();
    journal.iter().map(|entry| entry.path.to_string()).collect()
}

/// The winner stayed recorded without the steps by which it had won: it won again, whatever they came to now.
#[tokio::test]
async fn a_rerun_from_a_step_in_an_arm_decides_the_race_anew() {
    assert_eq!(kept("outer/inner/inner/scored/score").await, ["begin"]);
    assert_eq!(kept("outer/inner/inner").await, ["begin"]);
    // Handlers and what follows are steps of the function, which rest on the winner.
    let race = [
        "begin",
        "outer",
        "outer/inner/inner",
        "outer/inner/inner/scored/score",
    ];
    let after = kept("note").await;
    assert!(
        race.iter()
            .all(|path| after.iter().any(|kept| kept == path)),
        "{after:?}"
    );
    assert!(after.iter().all(|kept| kept != "note"), "{after:?}");
}

/// A race that nobody has won yet is no reason to drop more than was asked for.
#[tokio::test]
async fn a_rerun_from_a_step_of_an_open_race_keeps_what_came_before_the_step() {
    let (store, clock) = (Memory::new(), ManualClock::default());
    #[belts::function(id = "races-done-again-open", on = Named)]
    async fn open_race(event: Named) -> belts::Result<()> {
        race!("decision", {
            block = async {
                step!("one", 1).await?;
                step!("two", 2).await?;
                sleep!("long", "1h").await
            } => block?,
            paid = wait!("payment", Paid, key = &event.name) => { paid?; }
        })
        .await
    }
    let builder = Worker::builder().store(store.clone()).clock(clock.clone());
    let worker = builder.function(open_race).build().await.unwrap();
    let running = looped(&worker);
    let call = open_race(named("open")).run_id("open").via(&worker);
    let _run = call.start().await.unwrap();
    at(&store, "open", "decision/block/long").await;
    worker.shutdown();
    running.await.unwrap().unwrap();
    assert!(worker.runs().cancel("open").await.unwrap());
    let from = "decision/block/two";
    assert!(worker.runs().rerun_from("open", from).await.unwrap());
    let journal = store.journal("open").await.unwrap();
    assert!(journal.iter().any(|entry| entry.kind == StepKind::Race));
    assert!(
        journal
            .iter()
            .any(|entry| &*entry.path == "decision/block/one")
    );
    assert!(journal.iter().all(|entry| &*entry.path != from));
}
