//! What comes of a step's expression: the table of outcomes, a row a test.

use std::{collections::BTreeMap, time::Duration};

use belts::{ErrorKind, Event, Terminal as _, step, store::StepState, testing::Harness};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, eventually, named, within};

/// Which row of the table a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Row {
    Plain,
    Panic,
    Terminal,
    TerminalResult,
    ThroughAnyhow,
    ThroughThiserror,
    Later,
    LaterThroughAnyhow,
    Oversized,
    NumberThatIsNone,
    KeysThatAreNoStrings,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Try {
    row: Row,
}

#[derive(Debug, thiserror::Error)]
enum Shop {
    #[error("the shop is closed")]
    Closed(#[source] belts::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Odd {
    text: String,
    number: f64,
    map: BTreeMap<(u8, u8), u8>,
}

fn outcome(row: Row) -> Result<Odd, anyhow::Error> {
    let odd = Odd {
        text: String::new(),
        number: 0.0,
        map: BTreeMap::new(),
    };
    match row {
        Row::Plain => Err(anyhow::anyhow!("offline")),
        Row::Panic => panic!("at the disco"),
        Row::Terminal => Err(belts::terminal("no card").into()),
        Row::TerminalResult => Err("x".parse::<u32>().terminal().unwrap_err().into()),
        Row::ThroughAnyhow => {
            Err(anyhow::Error::from(belts::terminal("no card")).context("while charging"))
        }
        Row::ThroughThiserror => Err(Shop::Closed(belts::terminal("for good")).into()),
        Row::Later => Err(belts::retry_after(Duration::from_secs(900), "busy").into()),
        Row::LaterThroughAnyhow => Err(anyhow::Error::from(belts::retry_after(
            Duration::from_secs(900),
            "busy",
        ))
        .context("while charging")),
        Row::Oversized => Ok(Odd {
            text: "x".repeat(3000),
            ..odd
        }),
        Row::NumberThatIsNone => Ok(Odd {
            number: f64::NAN,
            ..odd
        }),
        Row::KeysThatAreNoStrings => Ok(Odd {
            map: BTreeMap::from([((1, 2), 3)]),
            ..odd
        }),
    }
}

#[belts::function(id = "tried", on = Try)]
async fn tried(event: Try) -> belts::Result<String> {
    let row = event.row;
    match step!(
        "try",
        async { outcome(row) },
        retries = 2,
        backoff = "1s..1s"
    )
    .await
    {
        Ok(odd) => step!("odd", odd.text.clone()).await,
        // What a failure says is the same when the run resumes after this step.
        Err(error) => step!("handle", format!("{:?}: {}", error.kind(), error.report())).await,
    }
}

/// The text that the function handled, how often the step was evaluated, and how long that took.
async fn handled(row: Row) -> (String, u32, Duration) {
    let harness = Harness::builder()
        .function(tried)
        .worker(|worker| worker.max_value_bytes(2048))
        .build()
        .await
        .unwrap();
    let start = harness.now();
    let run = within("the run", harness.run(tried, Try { row }).run_id("r"))
        .await
        .unwrap();
    let entry = &run.journal()[0];
    assert_eq!((&*entry.path, entry.state), ("try", StepState::Failed));
    assert_eq!(entry.attempts, run.evaluations("try"));
    (
        run.output().unwrap(),
        run.evaluations("try"),
        harness.now().since(start),
    )
}

#[tokio::test]
async fn an_error_is_retried_and_then_recorded() {
    let (text, times, took) = handled(Row::Plain).await;
    assert_eq!(
        (text.as_str(), times),
        ("StepFailed: step `try` failed: offline", 3)
    );
    assert_eq!(took, Duration::from_secs(2));
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    let (text, times, _) = handled(Row::Panic).await;
    let (said, place) = text.split_once(", at ").unwrap();
    assert_eq!(
        (said, times),
        ("StepFailed: step `try` failed: panicked: at the disco", 3)
    );
    assert!(place.starts_with("tests/durable/outcomes.rs:"), "{place}");
}

#[tokio::test]
async fn a_terminal_error_is_not_retried() {
    for row in [
        Row::Terminal,
        Row::TerminalResult,
        Row::ThroughAnyhow,
        Row::ThroughThiserror,
    ] {
        let (text, times, took) = handled(row).await;
        assert_eq!((times, took), (1, Duration::ZERO), "{row:?}: {text}");
    }
    assert!(
        handled(Row::ThroughAnyhow)
            .await
            .0
            .contains("while charging")
    );
    assert!(
        handled(Row::ThroughThiserror)
            .await
            .0
            .contains("the shop is closed")
    );
}

#[tokio::test]
async fn retry_after_puts_the_retry_off() {
    for row in [Row::Later, Row::LaterThroughAnyhow] {
        let (_, times, took) = handled(row).await;
        assert_eq!((times, took), (3, Duration::from_secs(1800)), "{row:?}");
    }
}

#[tokio::test]
async fn an_oversized_value_fails_and_names_step_and_limit() {
    let (text, times, _) = handled(Row::Oversized).await;
    assert_eq!(times, 1);
    assert!(text.contains("`try`") && text.contains("2048"), "{text}");
}

#[tokio::test]
async fn a_value_that_json_cannot_hold_fails_without_retries() {
    for row in [Row::NumberThatIsNone, Row::KeysThatAreNoStrings] {
        let (text, times, _) = handled(row).await;
        assert_eq!(times, 1, "{row:?}: {text}");
    }
}

#[belts::function(id = "empty-values", on = Named)]
async fn empty_values(event: Named) -> belts::Result<(Option<u8>, bool, u8, String)> {
    step!("unit", effect(format!("{} unit", event.name))).await?;
    let none = step!("null", None::<u8>).await?;
    let no = step!("false", false).await?;
    let zero = step!("zero", 0_u8).await?;
    let empty = step!("empty", String::new()).await?;
    step!("list", Vec::<u8>::new()).await?;
    let fails = effects(&format!("{} tried", event.name)) == 0;
    effect(format!("{} tried", event.name));
    if fails {
        Err(belts::Error::from_any("once more"))
    } else {
        Ok((none, no, zero, empty))
    }
}

#[tokio::test]
async fn empty_values_are_recorded_like_any_other() {
    let harness = Harness::builder()
        .function(empty_values)
        .build()
        .await
        .unwrap();
    let run = within(
        "the run",
        harness.run(empty_values, named("empty")).run_id("r"),
    )
    .await
    .unwrap();
    assert_eq!(run.output().unwrap(), (None, false, 0, String::new()));
    for path in ["unit", "null", "false", "zero", "empty", "list"] {
        assert_eq!(run.evaluations(path), 1, "{path}");
    }
    assert_eq!(effects("empty unit"), 1);
    let store = harness.store();
    store.step_result::<()>("r", "unit").await.unwrap();
    assert_eq!(
        store.step_result::<Option<u8>>("r", "null").await.unwrap(),
        None
    );
}

#[belts::function(id = "no-retries", on = Named)]
async fn no_retries(event: Named) -> belts::Result<u32> {
    step!(
        "once",
        Err::<u32, _>(belts::Error::from_any(format!("{} fails", event.name))),
        retries = 0
    )
    .await
}

#[tokio::test]
async fn zero_retries_means_one_attempt() {
    let harness = Harness::builder()
        .function(no_retries)
        .build()
        .await
        .unwrap();
    let run = within("the run", harness.run(no_retries, named("it")))
        .await
        .unwrap();
    run.assert_failed();
    assert_eq!(run.evaluations("once"), 1);
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::StepFailed);
    assert!(error.report().contains("it fails"), "{}", error.report());
}

#[belts::function(id = "limited-step", on = Named)]
async fn limited_step(event: Named) -> belts::Result<String> {
    let slow = step!(
        "slow",
        async {
            effect(event.name.as_str());
            std::future::pending::<()>().await;
        },
        retries = 1,
        backoff = "1s..1s",
        timeout = "30s"
    )
    .await;
    Ok(slow.unwrap_err().report())
}

#[tokio::test]
async fn a_step_that_takes_too_long_is_a_failed_attempt() {
    let harness = Harness::builder()
        .function(limited_step)
        .build()
        .await
        .unwrap();
    let delivery = harness.run(limited_step, named("too slow"));
    let running = tokio::spawn(async move { delivery.await });
    for attempt in 1..=2 {
        eventually("an attempt", async || effects("too slow") == attempt).await;
        harness.advance(Duration::from_secs(30));
    }
    let run = within("the run", running).await.unwrap().unwrap();
    assert_eq!(
        run.output().unwrap(),
        "step `slow` failed: timed out after 30s"
    );
}

#[tokio::test]
async fn a_preset_timeout_is_a_failed_attempt_too() {
    let harness = Harness::builder()
        .function(limited_step)
        .preset_timeout("slow")
        .build()
        .await
        .unwrap();
    let run = within("the run", harness.run(limited_step, named("preset slow")))
        .await
        .unwrap();
    assert_eq!(
        run.output().unwrap(),
        "step `slow` failed: timed out, as preset"
    );
    assert_eq!((run.evaluations("slow"), run.journal()[0].attempts), (0, 2));
}

#[belts::function(id = "racing", on = Named)]
async fn racing(event: Named) -> belts::Result<u32> {
    let slow = step!("slow", async {
        effect(format!("{} slow", event.name));
        std::future::pending::<u32>().await
    });
    let first = first_of(step!("quick", async { 1 }), slow).await?;
    step!("after", first + 1).await
}

/// A helper of the user's: in the function itself the `select!` would be refused.
async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    tokio::select! {
        one = one => one,
        other = other => other,
    }
}

#[tokio::test]
async fn a_dropped_step_future_leaves_no_trace() {
    let harness = Harness::builder().function(racing).build().await.unwrap();
    let run = within("the run", harness.run(racing, named("race")))
        .await
        .unwrap();
    assert_eq!(run.output().unwrap(), 2);
    run.assert_steps(&["quick", "after"]);
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Weighed {
    grams: u32,
}

#[belts::function(id = "weigh-price", on = Weighed)]
async fn weigh_price(weighed: Weighed) -> belts::Result<u32> {
    step!("price", weighed.grams * 3).await
}

#[belts::function(id = "weigh-limit", on = Weighed, retries = 0)]
async fn weigh_limit(weighed: Weighed) -> belts::Result<u32> {
    step!(
        "limit",
        Err::<u32, _>(belts::terminal(format!("{} g is too much", weighed.grams)))
    )
    .await
}

/// To ask for the output of one function took the answer away, so that the output of the event's other function was out of reach.
#[tokio::test]
async fn every_output_of_an_event_can_be_asked_for_and_asked_for_again() {
    let builder = belts::Worker::builder().store(belts::store::Memory::new());
    let builder = builder.function(weigh_price).function(weigh_limit);
    let worker = builder.build().await.unwrap();
    let executed = within("the runs", worker.execute(Weighed { grams: 5 }))
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(executed.output::<u32>("weigh-price").unwrap(), 15);
        let error = executed.output::<u32>("weigh-limit").unwrap_err();
        let run = executed.runs.iter().find(|run| run.result.is_err());
        let told = run.unwrap().result.as_ref().unwrap_err();
        assert_eq!(error.kind(), told.kind());
        assert_eq!(error.report(), told.report());
        assert!(error.report().contains("5 g is too much"), "{error:?}");
        assert_eq!(format!("{error:?}"), format!("{told:?}"));
    }
}
