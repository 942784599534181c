//! What a heartbeat is refused for, waits for, and does not count as.

use std::{future::pending, sync::Arc, time::Duration};

use belts::{
    Context, Error, step,
    store::{Memory, RunStatus},
    testing::{Faults, ManualClock},
};

use crate::{
    gated::{
        Named, effect, effects, eventually, gate, looped, named, open, publish_named, within,
        worker_of,
    },
    progress::{SECOND, harness_of, pass},
};

/// Lets whatever can go on without the clock go on.
async fn settled() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[belts::function(id = "z-beats-nan", on = Named, retries = 0)]
async fn measures(event: Named, cx: Context) -> belts::Result<String> {
    let status = cx.set_status(&f64::NAN).await.unwrap_err();
    let work = async || {
        effect(format!("{} tries", event.name));
        cx.heartbeat(&Some(f64::INFINITY)).await
    };
    let heartbeat = step!("measure", work()).await.unwrap_err();
    Ok(format!("{status}; {}", heartbeat.report()))
}

/// It was stored as `null`, which the next attempt could not read, and so failed for good.
#[tokio::test]
async fn what_could_not_be_read_back_is_refused() {
    let harness = harness_of("nan", measures).await;
    let run = harness.run(measures, named("nan")).await.unwrap();
    let why = "JSON has no NaN and no infinite numbers";
    let told = run.output().unwrap();
    let (status, heartbeat) = told.split_once("; ").unwrap();
    assert!(status.contains(why), "{status}");
    assert!(heartbeat.contains(why), "{heartbeat}");
    assert_eq!(effects("nan tries"), 1);
    assert!(run.status_value::<Option<f64>>().unwrap().is_none());
    assert!(run.progress::<Option<f64>>("measure").unwrap().is_none());
}

#[belts::function(id = "z-beats-slow", on = Named)]
async fn slowly_written(event: Named, cx: Context) -> belts::Result<()> {
    let name = &event.name;
    let work = async || {
        for beat in 1..=3 {
            cx.heartbeat(&beat).await?;
            effect(format!("{name} {beat}"));
            gate(&format!("{name} {beat}")).await;
        }
        Ok::<_, belts::Error>(())
    };
    step!("work", work()).await
}

/// While the store took its time over one, all others returned at once, and a crash lost more than a second of them.
#[tokio::test]
async fn a_heartbeat_waits_for_the_one_that_is_being_written() {
    let clock = ManualClock::default();
    let faults = Faults::new(Arc::new(Memory::new()));
    let worker = worker_of(faults.clone(), slowly_written, &clock).await;
    let call = slowly_written(named("slow")).run_id("r").via(&worker);
    let handle = call.start().await.unwrap();
    let working = looped(&worker);
    eventually("the first", async || effects("slow 1") == 1).await;
    clock.advance(SECOND / 2);
    open("slow 1");
    eventually("the second", async || effects("slow 2") == 1).await;
    faults.delay(clock.clone(), 5 * SECOND);
    // The second is written now, and for long.
    clock.advance(SECOND / 2);
    settled().await;
    clock.advance(2 * SECOND);
    open("slow 2");
    settled().await;
    eventually("the third", async || {
        clock.advance(SECOND / 10);
        effects("slow 3") == 1
    })
    .await;
    let journal = worker.runs().journal("r").await.unwrap();
    assert_eq!(journal[0].progress().unwrap().get(), "3");
    faults.delay(clock.clone(), Duration::ZERO);
    open("slow 3");
    eventually("the result", async || {
        clock.advance(SECOND / 10);
        handle.status().await.unwrap() == RunStatus::Completed
    })
    .await;
    worker.shutdown();
    clock.advance(10 * SECOND);
    within("the end", working).await.unwrap().unwrap();
}

#[belts::function(id = "z-beats-outage", on = Named)]
async fn meets_an_outage(event: Named, cx: Context) -> belts::Result<u32> {
    let name = &event.name;
    let work = async || {
        effect(format!("{name} begins"));
        gate(name).await;
        cx.heartbeat(&1).await?;
        Ok::<_, belts::Error>(7)
    };
    step!("work", work()).await
}

/// A step that sent heartbeats was cut off by a store that was down, where a silent one went on.
#[tokio::test]
async fn a_heartbeat_that_cannot_be_written_is_no_end_of_its_step() {
    let clock = ManualClock::default();
    let faults = Faults::new(Arc::new(Memory::new()));
    let worker = worker_of(faults.clone(), meets_an_outage, &clock).await;
    let call = meets_an_outage(named("outage")).run_id("r").via(&worker);
    let handle = call.start().await.unwrap();
    let working = looped(&worker);
    eventually("the step", async || effects("outage begins") == 1).await;
    faults.fail_commits_over(0);
    open("outage");
    settled().await;
    clock.advance(SECOND);
    settled().await;
    faults.fail_commits_over(usize::MAX);
    assert_eq!(within("the result", handle.result()).await.unwrap(), 7);
    assert_eq!(effects("outage begins"), 1);
    worker.shutdown();
    within("the end", working).await.unwrap().unwrap();
}

#[belts::function(id = "z-beats-zero", on = Named)]
async fn never_silent(event: Named, cx: Context) -> belts::Result<usize> {
    let work = async || {
        cx.heartbeat(&1).await?;
        tokio::task::yield_now().await;
        Ok::<_, belts::Error>(event.name.len())
    };
    step!("work", work(), stall = Duration::ZERO, retries = 0).await
}

/// No time at all is always over, so each attempt had stalled that was pending once.
#[tokio::test]
async fn a_stall_of_nothing_leaves_some_time() {
    let harness = harness_of("zero", never_silent).await;
    let run = harness.run(never_silent, named("zero")).await.unwrap();
    assert_eq!(run.output().unwrap(), 4);
}

async fn trails(name: &str, cx: &Context) -> belts::Result<u32> {
    if let Some(done) = cx.last_heartbeat()? {
        return Ok(done);
    }
    for beat in 1..=2 {
        cx.heartbeat(&beat).await?;
        pass(name, SECOND / 2);
    }
    // The second of them is written now.
    settled().await;
    pass(name, Duration::from_millis(29_600));
    pending().await
}

#[belts::function(id = "z-beats-trails", on = Named)]
async fn trailing(event: Named, cx: Context) -> belts::Result<u32> {
    let name = &event.name;
    step!("work", trails(name, &cx), stall = "30s", retries = 1).await
}

/// It is belts that writes late: the step has been silent since it sent the heartbeat.
#[tokio::test]
async fn a_late_write_does_not_make_the_silence_shorter() {
    let harness = harness_of("trails", trailing).await;
    let run = harness.run(trailing, named("trails"));
    let run = within("the run", async { run.await.unwrap() }).await;
    assert_eq!(run.output().unwrap(), 2);
    assert_eq!(run.attempts("work"), 2);
}

#[belts::function(id = "z-beats-again", on = Named)]
async fn again_and_again(event: Named, cx: Context) -> belts::Result<()> {
    let name = &event.name;
    let work = async || {
        effect(name.as_str());
        cx.heartbeat(&effects(name)).await?;
        cx.set_status(&effects(name)).await?;
        Err::<(), _>(Error::store("the other store is down", "refused"))
    };
    step!("work", work()).await
}

/// It came again each second for ever, since each heartbeat counted as getting on.
#[tokio::test]
async fn a_run_that_says_only_how_far_it_is_has_not_got_on() {
    let clock = ManualClock::default();
    let worker = worker_of(Memory::new(), again_and_again, &clock).await;
    let running = looped(&worker);
    publish_named(named("beats again"))
        .via(&worker)
        .await
        .unwrap();
    let start = clock.now();
    eventually("six evaluations", async || {
        clock.advance(Duration::from_millis(10));
        effects("beats again") == 6
    })
    .await;
    // 1, 1, 1, 2 and 4 seconds.
    let rested = clock.now().since(start);
    assert!(rested >= 8 * SECOND, "{rested:?}");
    worker.shutdown();
    within("the shutdown", running).await.unwrap().unwrap();
}
