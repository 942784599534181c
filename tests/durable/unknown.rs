//! Steps of which nobody knows whether they have happened: an attempt was begun, and its process died before it was recorded.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use belts::{
    Context, ErrorKind, race, scope, sleep, step,
    store::{Memory, RunStatus},
    testing::{Crash, Harness, Reopen, SqliteFile, TestRun, sweep},
    wait,
};

use crate::{
    gated::{Named, effect, effects, named, only, within_time},
    places::{InSchema, UnderPrefix},
    progress::{HOUR, harness_of, pass},
};

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(90);

/// What the bank has charged, by key.
static BANK: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

#[expect(clippy::unused_async, reason = "as a bank is asked")]
async fn charge(key: &str) -> belts::Result<String> {
    let mut bank = BANK.lock().unwrap_or_else(PoisonError::into_inner);
    *bank.entry(key.to_owned()).or_default() += 1;
    Ok(format!("charge of {key}"))
}

fn charged(key: &str) -> u32 {
    let bank = BANK.lock().unwrap_or_else(PoisonError::into_inner);
    bank.get(key).copied().unwrap_or(0)
}

#[expect(clippy::unused_async, reason = "as a bank is asked")]
async fn find_charge(key: &str) -> belts::Result<Option<String>> {
    effect(format!("{key} asked"));
    Ok((charged(key) > 0).then(|| format!("charge of {key}")))
}

#[belts::function(id = "z-unknown-fails", on = Named, retries = 0)]
async fn fails(event: Named) -> belts::Result<String> {
    let charge = step!("charge", charge(&event.name), unknown = "fail").await;
    match charge {
        Err(error) if error.kind() == ErrorKind::OutcomeUnknown => Ok("who knows".to_owned()),
        other => other,
    }
}

#[belts::function(id = "z-unknown-parks", on = Named, retries = 0)]
async fn parks(event: Named) -> belts::Result<String> {
    step!("charge", charge(&event.name), unknown = "park", retries = 0).await
}

#[belts::function(id = "z-unknown-asks", on = Named, retries = 0)]
async fn asks(event: Named) -> belts::Result<String> {
    let key = &event.name;
    step!("charge", charge(key), unknown = ask(find_charge(key))).await
}

#[tokio::test]
async fn a_step_fails_if_nobody_knows_whether_it_has_happened() {
    let harness = harness_of("unknown-fails", fails).await;
    let calm = harness.run(fails, named("unknown calm")).await.unwrap();
    assert_eq!(calm.output().unwrap(), "charge of unknown calm");
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(fails, named("unknown fails")).await.unwrap();
    assert_eq!(
        (run.output().unwrap(), run.crashes()),
        ("who knows".to_owned(), 1)
    );
    assert_eq!(charged("unknown fails"), 1);
    let failure = run.journal()[0].failure().unwrap();
    assert_eq!(failure.kind, "outcome-unknown");
    assert!(
        failure.message.contains("`charge` is unknown"),
        "{failure:?}"
    );
}

/// A run that is parked, and the harness that it is in.
async fn parked(name: &str) -> (Harness, String) {
    let harness = harness_of(name, parks).await;
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(parks, named(name)).await.unwrap();
    assert_eq!(
        (run.status(), run.crashes()),
        (Some(RunStatus::Suspended), 1)
    );
    assert_eq!(charged(name), 1);
    let id = run.run_id().to_owned();
    (harness, id)
}

async fn outcome(harness: &Harness) -> TestRun<String> {
    harness.travel(HOUR).await.unwrap();
    only(harness.runs_of(parks).await)
}

#[tokio::test]
async fn a_parked_run_waits_until_somebody_says_what_is_so() {
    let (harness, id) = parked("unknown value").await;
    harness.travel(HOUR * 24 * 365).await.unwrap();
    assert_eq!(charged("unknown value"), 1);
    harness.restart().await.unwrap();
    let runs = harness.worker().runs();
    let wrong = runs.settle(&*id, "charged").value("x").await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::UnknownRun);
    assert!(
        wrong.to_string().contains("no step `charged` of the run"),
        "{wrong}"
    );
    let wrong = runs.settle("nobody", "charge").retry().await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::UnknownRun);
    let step = runs.by("ada").settle(&*id, "charge");
    step.value("by hand").await.unwrap();
    step.value("by hand").await.unwrap();
    let run = outcome(&harness).await;
    assert_eq!(run.output().unwrap(), "by hand");
    assert_eq!(charged("unknown value"), 1);
    let notes = &run.record().unwrap().notes;
    let said = "settle charge with a value";
    assert_eq!((&*notes[0].by, &*notes[0].action), ("ada", said));
    let late = harness.worker().runs().settle(&*id, "charge").retry().await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::UnknownRun);
}

#[tokio::test]
async fn a_parked_step_is_evaluated_again_if_somebody_says_so_and_may_be_parked_once_more() {
    let (harness, id) = parked("unknown retry").await;
    // The claim, the end of the wait, the mark, and again no outcome.
    let runs = harness.worker().runs();
    runs.settle(&*id, "charge").retry().await.unwrap();
    let conflict = runs.settle(&*id, "charge").fail("no").await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    harness.faults().crash(Crash::Before(4));
    let run = outcome(&harness).await;
    assert_eq!(run.status(), Some(RunStatus::Suspended), "{run:?}");
    assert_eq!(charged("unknown retry"), 2);
    harness
        .worker()
        .runs()
        .settle(&*id, "charge")
        .retry()
        .await
        .unwrap();
    let run = outcome(&harness).await;
    assert_eq!(run.output().unwrap(), "charge of unknown retry");
    assert_eq!(charged("unknown retry"), 3);
}

#[belts::function(id = "z-unknown-anew", on = Named, retries = 0)]
async fn anew(event: Named) -> belts::Result<String> {
    let name = &event.name;
    step!(
        "charge",
        async {
            charge(name).await?;
            if charged(name) == 2 {
                return Err(belts::terminal("no credit"));
            }
            Ok(format!("charge {}", charged(name)))
        },
        unknown = "park"
    )
    .await
}

/// Somebody had said of the first charge that it is to be tried again, and the run failed later. A rerun charged anew and its process
/// died: what was said of the first answered for the second, which was charged twice.
#[tokio::test]
async fn what_was_said_of_a_step_does_not_count_for_the_one_that_is_done_anew() {
    let name = "unknown anew";
    let harness = harness_of(name, anew).await;
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(anew, named(name)).await.unwrap();
    let id = run.run_id().to_owned();
    let runs = harness.worker().runs();
    runs.settle(&*id, "charge").retry().await.unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(anew).await);
    assert_eq!((run.status(), charged(name)), (Some(RunStatus::Failed), 2));
    // Behind the rerun and the mark comes the record of the outcome.
    harness.faults().crash(Crash::Before(3));
    let run = harness.rerun(anew, &id).await.unwrap();
    assert_eq!(charged(name), 3);
    assert_eq!(
        run.status(),
        Some(RunStatus::Suspended),
        "{:?}",
        run.journal()
    );
    harness
        .worker()
        .runs()
        .settle(&*id, "charge")
        .value("third")
        .await
        .unwrap();
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(anew).await);
    assert_eq!(
        (run.output().unwrap(), charged(name)),
        ("third".to_owned(), 3)
    );
}

#[tokio::test]
async fn a_parked_step_fails_if_somebody_says_so_or_the_value_does_not_fit() {
    let (harness, id) = parked("unknown failed").await;
    let runs = harness.worker().runs();
    runs.settle(&*id, "charge")
        .fail("the bank: no")
        .await
        .unwrap();
    let error = outcome(&harness).await.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(
        error.report().contains("the bank: no"),
        "{}",
        error.report()
    );
    let (harness, id) = parked("unknown misfit").await;
    let runs = harness.worker().runs();
    runs.settle(&*id, "charge").value(&7).await.unwrap();
    let error = outcome(&harness).await.output().unwrap_err();
    assert!(
        error.report().contains("is no `alloc::string::String`"),
        "{}",
        error.report()
    );
    assert_eq!(charged("unknown misfit"), 1);
}

#[tokio::test]
async fn what_an_expression_has_found_is_the_outcome() {
    let harness = harness_of("unknown-asks", asks).await;
    let calm = harness.run(asks, named("asks calm")).await.unwrap();
    assert_eq!(calm.output().unwrap(), "charge of asks calm");
    assert_eq!(effects("asks calm asked"), 0);
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(asks, named("asks found")).await.unwrap();
    assert_eq!(
        (run.output().unwrap(), run.crashes()),
        ("charge of asks found".to_owned(), 1)
    );
    assert_eq!(charged("asks found"), 1);
    run.assert_steps(&["charge"]);
    // After the mark, and before anything was done.
    harness.faults().crash(Crash::After(2));
    let run = harness.run(asks, named("asks again")).await.unwrap();
    assert_eq!(run.crashes(), 1);
    assert_eq!(charged("asks again"), 1);
}

#[belts::function(id = "z-unknown-late", on = Named, retries = 0)]
async fn late(event: Named) -> belts::Result<String> {
    let (key, slow) = (&event.name, async |key: &str| {
        let charged = charge(key).await;
        if key.ends_with("slow") {
            pass("unknown-late", Duration::from_secs(6));
            std::future::pending::<()>().await;
        }
        charged
    });
    match &**key {
        "fail slow" => step!("a", slow(key), timeout = "5s", unknown = "fail").await,
        "park slow" => {
            step!(
                "b",
                slow(key),
                timeout = "5s",
                retries = 0,
                unknown = "park"
            )
            .await
        }
        _ => {
            step!(
                "c",
                slow(key),
                timeout = "5s",
                retries = 0,
                unknown = ask(find_charge(key))
            )
            .await
        }
    }
}

/// A step that was cut off may have happened as well.
#[tokio::test]
async fn it_is_unknown_whether_a_step_has_happened_whose_time_ran_out() {
    let harness = harness_of("unknown-late", late).await;
    let failed = harness.run(late, named("fail slow")).await.unwrap();
    assert_eq!(
        failed.output().unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    assert_eq!(charged("fail slow"), 1);
    let parked = harness.run(late, named("park slow")).await.unwrap();
    assert_eq!(parked.status(), Some(RunStatus::Suspended));
    let step = harness.worker().runs().settle(parked.run_id(), "b");
    step.value("settled").await.unwrap();
    harness.travel(HOUR).await.unwrap();
    let asked = harness.run(late, named("ask slow")).await.unwrap();
    assert_eq!(asked.output().unwrap(), "charge of ask slow");
    assert_eq!((charged("ask slow"), charged("park slow")), (1, 1));
}

#[belts::function(id = "z-unknown-asks-wrong", on = Named, retries = 0)]
async fn asks_wrong(event: Named) -> belts::Result<String> {
    let name = &event.name;
    step!(
        "charge",
        charge(name),
        retries = 2,
        backoff = "1s..1s",
        unknown = ask(async {
            effect(format!("{name} asked"));
            Err::<Option<String>, _>(belts::Error::from_any("the bank is away"))
        })
    )
    .await
}

#[tokio::test]
async fn what_cannot_be_asked_is_asked_again_and_is_unknown_in_the_end() {
    let harness = harness_of("asks-wrong", asks_wrong).await;
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(asks_wrong, named("asks wrong")).await.unwrap();
    let error = run.output().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(
        error.report().contains("the bank is away"),
        "{}",
        error.report()
    );
    assert_eq!((effects("asks wrong asked"), charged("asks wrong")), (3, 1));
}

#[belts::function(id = "z-unknown-beats", on = Named, retries = 0)]
async fn beats(event: Named, cx: Context) -> belts::Result<String> {
    step!(
        "charge",
        async {
            cx.heartbeat(&1).await?;
            charge(&event.name).await
        },
        unknown = "fail"
    )
    .await
}

/// A heartbeat is kept in the same record as the mark.
#[tokio::test]
async fn a_heartbeat_does_not_hide_that_an_attempt_was_begun() {
    for before in [3, 4] {
        let name = format!("unknown beats {before}");
        let harness = harness_of(&name, beats).await;
        harness.faults().crash(Crash::Before(before));
        let run = harness.run(beats, named(&name)).await.unwrap();
        assert_eq!(run.crashes(), 1);
        assert_eq!(run.output().unwrap_err().kind(), ErrorKind::OutcomeUnknown);
        assert!(charged(&name) <= 1);
    }
}

#[belts::steps]
async fn helper(name: &str) -> belts::Result<String> {
    step!("charge", charge(name), unknown = "park").await
}

#[belts::function(id = "z-unknown-races", on = Named, retries = 0)]
async fn races(event: Named) -> belts::Result<String> {
    let name = &event.name;
    let inside = format!("{name} in a scope");
    let scoped = scope!("bank/{name}", helper(&inside)).await?;
    let raced = race!("first", {
        paid = step!("charge", charge(name), unknown = "park") => paid?,
        late = wait!("late", Named) => late?.name
    })
    .await?;
    Ok(format!("{scoped}, {raced}"))
}

#[tokio::test]
async fn steps_are_parked_in_helpers_and_in_races() {
    let harness = harness_of("unknown-races", races).await;
    harness.faults().crash(Crash::Before(3));
    let run = harness.run(races, named("unknown races")).await.unwrap();
    let id = run.run_id();
    let steps: Vec<_> = run
        .journal()
        .iter()
        .map(|entry| entry.path.to_string())
        .collect();
    assert_eq!(steps[0], "bank~1unknown races/charge");
    let runs = harness.worker().runs();
    runs.settle(id, &*steps[0]).value("one").await.unwrap();
    // The claim, the end of the wait, the step, what begins in the race, and then no outcome.
    harness.faults().crash(Crash::Before(5));
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(races).await);
    assert_eq!(run.status(), Some(RunStatus::Suspended), "{run:?}");
    assert_eq!(charged("unknown races"), 1);
    let runs = harness.worker().runs();
    runs.settle(id, "first/paid/charge")
        .value("two")
        .await
        .unwrap();
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(races).await);
    assert_eq!(run.output().unwrap(), "one, two");
}

async fn find(key: &str) -> belts::Result<Option<()>> {
    Ok(find_charge(key).await?.map(drop))
}

/// Each run has an account of its own.
#[belts::function(id = "z-unknown-twice", on = Named)]
async fn twice(event: Named, cx: Context) -> belts::Result<()> {
    for number in 0..2 {
        let key = format!("{} {number} {}", event.name, cx.run_id());
        step!(
            "charge-{number}",
            async { charge(&key).await.map(|_| ()) },
            unknown = ask(find(&key))
        )
        .await?;
        sleep!("night-{number}", "1h").await?;
    }
    Ok(())
}

async fn every_crash<P: Reopen>(place: fn() -> P, name: &'static str) {
    let swept = sweep(place).function(twice).event(named(name));
    let swept = swept.harness(|builder| builder.function(twice));
    let swept = swept.check(move |case| {
        for number in 0..2 {
            let key = format!("{name} {number} {}", case.run.run_id());
            assert_eq!(charged(&key), 1, "{key}");
            // The next case has a run of the same id.
            let mut bank = BANK.lock().unwrap_or_else(PoisonError::into_inner);
            bank.remove(&key);
        }
    });
    let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
    assert!(report.writes >= 7, "{report:?}");
}

macro_rules! on {
    ($store:ident, $place:expr $(, $attribute:meta)?) => {
        $(#[$attribute])?
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $store() {
            every_crash($place, stringify!($store)).await;
        }
    };
}

mod an_expression_that_is_asked_makes_a_step_happen_once_whatever_crashes {
    use super::*;

    on!(memory, Memory::new);
    on!(sqlite, SqliteFile::temporary);
    on!(
        postgres,
        InSchema::new,
        cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )
    );
    on!(
        redis,
        UnderPrefix::new,
        cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )
    );
}
