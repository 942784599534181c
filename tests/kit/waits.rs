//! Waits within a run under the clock of a harness: what they move, and whom they leave alone.

use std::time::Duration;

use belts::{
    ErrorKind, Event, retry_after, sleep, step,
    testing::{Harness, ManualClock},
};
use belts_suite::within;
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-begun")]
struct Begun {}

/// Work of many turns, and of no time on any clock.
async fn work() -> u32 {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    1
}

#[belts::function(id = "naps-beside-work", on = Begun)]
async fn naps(_: Begun) -> belts::Result<u32> {
    let (worked, napped) = tokio::join!(
        step!("work", work(), timeout = "2s", retries = 0),
        sleep!("nap", "3s"),
    );
    napped?;
    worked
}

/// A sleep of at most three seconds moved the clock at once, and the time limit of whatever else was under way ran out.
#[tokio::test]
async fn a_short_sleep_leaves_the_time_limits_of_other_steps_alone() {
    let harness = Harness::new().await.unwrap();
    let start = harness.now();
    let run = harness.run(naps, Begun {}).await.unwrap();
    assert_eq!(run.output().unwrap(), 1);
    assert_eq!(harness.now().since(start), Duration::from_secs(3));
}

#[belts::function(id = "retries-beside-work", on = Begun)]
async fn retries(_: Begun) -> belts::Result<(u32, bool)> {
    let (worked, flaky) = tokio::join!(
        step!("work", work(), timeout = "900ms", retries = 0),
        step!(
            "flaky",
            Err::<(), _>("down"),
            retries = 2,
            backoff = "1s..1s"
        ),
    );
    Ok((worked?, flaky.is_ok()))
}

/// The pause before a retry is such a wait, too.
#[tokio::test]
async fn a_short_pause_before_a_retry_leaves_the_time_limits_of_other_steps_alone() {
    let harness = Harness::new().await.unwrap();
    let run = harness.run(retries, Begun {}).await.unwrap();
    assert_eq!(run.output().unwrap(), (1, false));
    assert_eq!(run.attempts("flaky"), 3);
}

#[belts::function(id = "waits-side-by-side", on = Begun)]
async fn side_by_side(_: Begun) -> belts::Result<()> {
    let (short, long) = tokio::join!(sleep!("short", "2s"), async {
        sleep!("long", "1h").await?;
        step!("after-long", ()).await
    });
    short?;
    step!("after-short", ()).await?;
    long
}

#[tokio::test]
async fn short_and_long_sleeps_end_in_their_order() {
    let harness = Harness::new().await.unwrap();
    let start = harness.now();
    let run = harness.run(side_by_side, Begun {}).await.unwrap();
    run.assert_completed()
        .assert_steps(&["short", "long", "after-long", "after-short"]);
    assert_eq!(harness.now().since(start), HOUR);
}

#[belts::function(id = "naps-and-sleeps", on = Begun)]
async fn naps_and_sleeps(_: Begun) -> belts::Result<u32> {
    sleep!("nap", "2s").await?;
    sleep!("sleep", "1h").await?;
    step!("end", 1).await
}

/// Both hung for ever: they waited for a clock that only they themselves would have moved.
#[tokio::test]
async fn travel_and_settle_need_no_clock_that_skips_sleeps() {
    let builder = Harness::builder().function(naps_and_sleeps);
    let harness = builder.clock(ManualClock::default()).build().await.unwrap();
    let start = harness.now();
    harness.publish(Begun {}).await.unwrap();
    within("the journey", harness.travel(HOUR)).await.unwrap();
    let runs = harness.runs_of(naps_and_sleeps).await.unwrap();
    runs[0].assert_steps(&["nap", "sleep"]);
    assert_eq!(harness.now().since(start), HOUR);
    within("the rest", harness.settle()).await.unwrap();
    let runs = harness.runs_of(naps_and_sleeps).await.unwrap();
    assert_eq!(runs[0].output().unwrap(), 1);
}

#[tokio::test]
async fn a_clock_that_did_not_skip_sleeps_stands_still_after_a_journey() {
    let builder = Harness::builder().function(naps_and_sleeps);
    let harness = builder.clock(ManualClock::default()).build().await.unwrap();
    within("the journey", harness.travel(HOUR)).await.unwrap();
    let arrived = harness.now();
    let run = tokio::spawn(harness.run(naps_and_sleeps, Begun {}).into_future());
    while harness
        .store()
        .journal(&first_run(&harness).await)
        .await
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(harness.now(), arrived);
    // A nap that is under way already is ended by the next journey.
    within("the next journey", harness.travel(HOUR * 2))
        .await
        .unwrap();
    let run = within("the run", run).await.unwrap().unwrap();
    assert_eq!(run.output().unwrap(), 1);
}

/// The id of the first run that there is, once there is one.
async fn first_run(harness: &Harness) -> String {
    loop {
        let runs = harness.runs_of(naps_and_sleeps).await.unwrap();
        if let Some(run) = runs.first() {
            return run.run_id().to_owned();
        }
        tokio::task::yield_now().await;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(type = "waits-for-ever")]
struct Endless {
    retries: bool,
}

#[belts::function(id = "waits-for-ever", on = Endless, retries = 0)]
async fn endless(endless: Endless) -> belts::Result<()> {
    if endless.retries {
        let later = || Err::<(), _>(retry_after(Duration::MAX, "not today"));
        step!("never", later()).await
    } else {
        sleep!("sleep", Duration::MAX).await
    }
}

/// A test of such a function never came to its end.
#[tokio::test]
async fn a_wait_without_an_end_is_an_error_that_names_the_run() {
    let harness = Harness::new().await.unwrap();
    for (id, retries) in [("sleeps", false), ("retries", true)] {
        let run = harness.run(endless, Endless { retries }).run_id(id);
        let error = within("the error", run).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("until the end of time"),
            "{error}"
        );
        assert_eq!(error.run_id(), Some(id));
    }
}

#[tokio::test]
async fn a_wait_without_an_end_keeps_nobody_from_settling() {
    let harness = Harness::new().await.unwrap();
    harness.publish(Endless { retries: false }).await.unwrap();
    harness.publish(Begun {}).await.unwrap();
    within("everything else", harness.settle()).await.unwrap();
    let runs = harness.runs_of(naps_and_sleeps).await.unwrap();
    runs[0].assert_completed();
    let runs = harness.runs_of(endless).await.unwrap();
    runs[0].assert_steps(&["sleep"]);
    assert!(harness.now().since(runs[0].record().unwrap().created_at) < HOUR * 2);
}
