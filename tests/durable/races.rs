//! Races: the first arm to end wins, and that is recorded.

use std::time::{Duration, SystemTime};

use belts::{
    Event, Worker, race, scope, sleep, sleep_until, step,
    store::{Memory, RunStatus, StepKind, StepState, Store},
    testing::{Harness, ManualClock, Reopen, SqliteFile, TestRun},
    wait,
};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, eventually, gate, looped, named, open, within};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(type = "races-paid", key = name)]
pub(crate) struct Paid {
    pub(crate) name: String,
    pub(crate) cents: u32,
}

pub(crate) fn paid(name: &str, cents: u32) -> Paid {
    let name = name.to_owned();
    Paid { name, cents }
}

/// What a race recorded, if it is decided.
pub(crate) fn winner<T>(run: &TestRun<T>, path: &str) -> Option<String> {
    let entry = run.journal().iter().find(|entry| &*entry.path == path)?;
    assert_eq!(entry.kind, StepKind::Race);
    let value = (entry.state == StepState::Completed).then_some(&entry.value)?;
    let envelope: serde_json::Value = serde_json::from_slice(value).unwrap();
    Some(envelope["ok"].as_str().unwrap().to_owned())
}

#[belts::function(id = "races-decide", on = Named)]
async fn decide(event: Named) -> belts::Result<String> {
    let name = &event.name;
    effect(format!("{name} drives"));
    let decision = race!("decision", {
        paid = wait!("payment", Paid, key = name) => format!("paid {}", paid?.cents),
        scored = step!("score", async {
            gate(name).await;
            effect(format!("{name} scores"));
            7
        }) => format!("scored {}", scored?),
        late = sleep!("deadline", "3d") => { late?; "late".to_owned() }
    })
    .await?;
    sleep!("pause", "1h").await?;
    let later = wait!("later", Paid, key = name, timeout = "1h").await?;
    Ok(format!(
        "{decision}, then {:?}",
        later.map(|paid| paid.cents)
    ))
}

struct Running {
    worker: Worker,
    store: Memory,
    clock: ManualClock,
    looped: tokio::task::JoinHandle<belts::Result<()>>,
}

impl Running {
    async fn begin() -> Self {
        let (clock, store) = (ManualClock::default(), Memory::new());
        let builder = Worker::builder().store(store.clone()).clock(clock.clone());
        let worker = builder.function(decide).build().await.unwrap();
        let looped = looped(&worker);
        Self {
            worker,
            store,
            clock,
            looped,
        }
    }

    /// Waits until the journal of a run is so and the run has left memory, or not.
    async fn has(&self, run_id: &str, path: &str, state: StepState, status: RunStatus) {
        eventually(path, async || {
            let journal = self.store.journal(run_id).await.unwrap();
            let run = self.store.run(run_id).await.unwrap();
            let entry = journal.iter().find(|entry| &*entry.path == path);
            entry.is_some_and(|entry| entry.state == state)
                && run.is_some_and(|run| run.status == status)
        })
        .await;
    }

    async fn end(self) {
        self.worker.shutdown();
        self.looped.await.unwrap().unwrap();
    }
}

/// The step is under way when the event comes: it is dropped, and nothing of it is recorded, however it goes on.
#[tokio::test]
async fn the_first_arm_to_end_wins_and_a_losing_step_leaves_nothing() {
    let running = Running::begin().await;
    let call = decide(named("first")).run_id("first").via(&running.worker);
    let run = call.start().await.unwrap();
    let opened = "decision/paid/payment";
    running
        .has("first", opened, StepState::Waiting, RunStatus::Running)
        .await;
    publish_paid(paid("first", 5))
        .via(&running.worker)
        .await
        .unwrap();
    running
        .has("first", "pause", StepState::Waiting, RunStatus::Suspended)
        .await;
    open("first");
    running.clock.advance(Duration::from_secs(3_601));
    running
        .has("first", "later", StepState::Waiting, RunStatus::Suspended)
        .await;
    running.clock.advance(Duration::from_secs(3_601));
    let output = within("the end", run.result()).await.unwrap();
    assert_eq!(output, "paid 5, then None");
    assert_eq!(effects("first scores"), 0);
    let journal = running.store.journal("first").await.unwrap();
    let paths: Vec<_> = journal.iter().map(|entry| &*entry.path).collect();
    let deadline = "decision/late/deadline";
    assert_eq!(paths, ["decision", opened, deadline, "pause", "later"]);
    running.end().await;
}

/// A wait that has lost would otherwise take the next event of its type, and wake the run for it.
#[tokio::test]
async fn a_wait_that_has_lost_is_closed_in_the_write_that_names_the_winner() {
    let running = Running::begin().await;
    let call = decide(named("closed"))
        .run_id("closed")
        .via(&running.worker);
    let run = call.start().await.unwrap();
    let opened = "decision/paid/payment";
    running
        .has("closed", opened, StepState::Waiting, RunStatus::Running)
        .await;
    open("closed");
    running
        .has("closed", "pause", StepState::Waiting, RunStatus::Suspended)
        .await;
    let journal = running.store.journal("closed").await.unwrap();
    let closed = journal.iter().find(|entry| &*entry.path == opened).unwrap();
    assert_eq!(
        (closed.state, &*closed.value),
        (StepState::Completed, &br#"{"v":1,"ok":null}"#[..])
    );
    let before = running.store.run("closed").await.unwrap().unwrap();

    publish_paid(paid("closed", 9))
        .via(&running.worker)
        .await
        .unwrap();
    // The loop has looked at the store since then.
    let other = decide(named("closed-other")).run_id("closed-other");
    let _other = other.via(&running.worker).start().await.unwrap();
    running
        .has(
            "closed-other",
            opened,
            StepState::Waiting,
            RunStatus::Running,
        )
        .await;
    let after = running.store.run("closed").await.unwrap().unwrap();
    assert_eq!(
        (after.status, after.due_at),
        (RunStatus::Suspended, before.due_at)
    );
    assert_eq!(effects("closed drives"), 1);

    running.clock.advance(Duration::from_secs(3_601));
    let output = within("the end", run.result()).await.unwrap();
    assert_eq!(output, "scored 7, then Some(9)");
    open("closed-other");
    running.end().await;
}

#[belts::function(id = "races-at-once", on = Named)]
async fn at_once(event: Named) -> belts::Result<String> {
    let one = race!("steps", {
        a = step!("same", effect(format!("{} a", event.name))) => { a?; "a" }
        b = step!("same", effect(format!("{} b", event.name))) => { b?; "b" }
    })
    .await?;
    let two = race!("blocks", {
        c = async { tokio::task::yield_now().await; } => { let () = c; "c" }
        d = async {
            tokio::task::yield_now().await;
            step!("never", effect(format!("{} d", event.name))).await
        } => { d?; "d" }
    })
    .await?;
    let three = race!("times", {
        e = sleep_until!("e", SystemTime::UNIX_EPOCH) => { e?; "e" }
        f = sleep_until!("f", SystemTime::UNIX_EPOCH) => { f?; "f" }
    })
    .await?;
    Ok(format!("{one}{two}{three}"))
}

async fn of_several_that_could_end_one_wins<P: Reopen>(place: P, name: &str) {
    let harness = Harness::builder().store(place).function(at_once);
    let harness = harness.build().await.unwrap();
    let run = harness.run(at_once, named(name)).await.unwrap();
    assert_eq!(run.output().unwrap(), "ace");
    let winners = ["steps", "blocks", "times"].map(|race| winner(&run, race).unwrap());
    assert_eq!(winners, ["a", "c", "e"]);
    assert_eq!(
        (effects(&format!("{name} a")), effects(&format!("{name} b"))),
        (1, 0)
    );
    assert_eq!(effects(&format!("{name} d")), 0);
}

#[tokio::test]
async fn of_several_arms_that_could_end_in_one_turn_one_wins() {
    of_several_that_could_end_one_wins(Memory::new(), "memory").await;
    of_several_that_could_end_one_wins(SqliteFile::temporary(), "sqlite").await;
}

/// Presets and limits name a step of an arm by its whole path; its key alone is no step of the function.
#[tokio::test]
async fn the_test_kit_knows_the_steps_of_arms() {
    let builder = Harness::builder().function(decide);
    let harness = builder.preset("decision/scored/score", Ok(9));
    let harness = harness.build().await.unwrap();
    let run = harness.run(decide, named("kit")).await.unwrap();
    assert_eq!(winner(&run, "decision").unwrap(), "scored");
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    let last = harness
        .run(decide, named("kit-until"))
        .until("decision/scored/score");
    assert_eq!(last.await.unwrap().status(), Some(RunStatus::Stopped));
    for (path, wanted) in [
        ("score", "no function of this harness has a step `score`"),
        (
            "decision",
            "`decision` is a race; preset a step in one of its arms",
        ),
    ] {
        let builder = Harness::builder().function(decide).preset(path, Ok(9));
        let error = builder.build().await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("too cheap")]
struct TooCheap;

#[belts::function(id = "races-fail", on = Named)]
async fn fails(event: Named) -> belts::Result<u32> {
    let name = event.name.as_str();
    let mut handled = 0;
    let score = race!("score", {
        scored = step!("score", async {
            if name == "fine" { Ok(3) } else { Err(belts::terminal("no score")) }
        }) => match scored {
            Ok(score) => score,
            Err(_) if name == "handled" => { handled += 1; 0 }
            Err(error) => return_it(error)?,
        },
        late = sleep!("late", "1h") => { late?; 0 }
    })
    .await?;
    if score == 3 {
        race!("price", { price = step!("price", 1) => { price?; Err(TooCheap)? } }).await?;
    }
    Ok(handled)
}

fn return_it(error: belts::Error) -> belts::Result<u32> {
    Err(error)
}

#[tokio::test]
async fn an_arm_that_fails_wins_and_its_handler_says_what_follows() {
    let harness = Harness::builder().function(fails).build().await.unwrap();
    let run = harness.run(fails, named("handled")).await.unwrap();
    assert_eq!(run.output().unwrap(), 1);
    assert_eq!(winner(&run, "score").unwrap(), "scored");
    run.assert_steps(&["score", "score/scored/score"]);

    // A recorded failure fails the run at once, whatever is around it.
    let run = harness.run(fails, named("passed-on")).await.unwrap();
    let error = run.error().unwrap();
    assert!(error.report().contains("no score"), "{}", error.report());
    assert_eq!(run.record().unwrap().failed_attempts, 1);

    // `?` takes an error of any type, and the run is retried for it.
    let run = harness.run(fails, named("fine")).await.unwrap();
    let error = run.error().unwrap();
    assert!(error.report().contains("too cheap"), "{}", error.report());
    assert_eq!(run.record().unwrap().failed_attempts, 4);
}

#[belts::function(id = "races-retry", on = Named)]
async fn retries(_: Named) -> belts::Result<String> {
    race!("flaky", {
        flaky = step!("call", Err::<u32, _>(belts::retry_after(Duration::from_secs(7_200), "down"))) => {
            format!("{}", flaky?)
        }
        late = sleep!("late", "1h") => { late?; "late".to_owned() }
    })
    .await
}

/// The run is due at the earliest time of its arms, and an attempt that would have come later never comes.
#[tokio::test]
async fn a_race_is_due_at_the_earliest_time_of_its_arms() {
    let harness = Harness::builder().function(retries).build().await.unwrap();
    let begun = harness.now();
    let run = harness.run(retries, named("flaky")).await.unwrap();
    assert_eq!(run.output().unwrap(), "late");
    assert_eq!(harness.now().since(begun), Duration::from_secs(3_600));
    assert_eq!(run.evaluations("flaky/flaky/call"), 1);
    assert_eq!(winner(&run, "flaky").unwrap(), "late");
}

#[belts::function(id = "races-nested", on = Named)]
async fn nested(event: Named) -> belts::Result<(String, u32)> {
    let name = &event.name;
    let outer = race!("outer", {
        inner = race!("inner", {
            paid = wait!("payment", Paid, key = name) => paid?.cents,
            slow = sleep!("slow", "2h") => { slow?; 2 }
        }) => format!("inner {}", inner?),
        late = sleep!("late", "3h") => { late?; "late".to_owned() }
    });
    let (outer, helped) = tokio::try_join!(outer, scope!("helper", helper(name)))?;
    Ok((outer, helped))
}

#[belts::steps]
async fn helper(name: &str) -> belts::Result<u32> {
    race!("decision", {
        early = sleep!("early", "1h") => { early?; 1 }
        block = async {
            let paid = wait!("payment", Paid, key = name).await?;
            step!("note", paid.cents).await
        } => block?
    })
    .await
}

async fn races_nest<P: Reopen>(place: P, name: &str) {
    let harness = Harness::builder().store(place).function(nested);
    let harness = harness.build().await.unwrap();
    let run = harness.run(nested, named(name)).run_id(name).await.unwrap();
    assert_eq!(run.status(), Some(RunStatus::Suspended));
    // The inner race is won by its sleep after two hours; the one in the helper by its own after one.
    harness.travel(Duration::from_secs(7_200)).await.unwrap();
    let run = &harness.runs_of(nested).await.unwrap()[0];
    assert_eq!(run.output().unwrap(), ("inner 2".to_owned(), 1));
    let races = ["outer", "outer/inner/inner", "helper/decision"];
    assert_eq!(
        races.map(|race| winner(run, race).unwrap()),
        ["inner", "slow", "early"]
    );
    for closed in [
        "outer/inner/inner/paid/payment",
        "helper/decision/block/payment",
    ] {
        let entry = run.journal().iter().find(|entry| &*entry.path == closed);
        assert_eq!(entry.unwrap().state, StepState::Completed, "{closed}");
    }
    assert!(
        run.steps()
            .iter()
            .all(|step| *step != "helper/decision/block/note")
    );
}

#[tokio::test]
async fn races_stand_in_races_scopes_and_beside_others() {
    races_nest(Memory::new(), "nested-memory").await;
    races_nest(SqliteFile::temporary(), "nested-sqlite").await;
}
