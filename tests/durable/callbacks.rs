//! Callbacks: completed once, found by the run whenever it asks, whatever crashes.

use std::time::Duration;

use belts::{ErrorKind, callback, sleep, step, store::RunStatus, testing::Harness};
use serde::{Deserialize, Serialize};

use crate::gated::{Named, effect, effects, harness_of, named, only};

mod crashes;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    Approve,
    NotNow,
}

#[belts::function(id = "z-callback-asks", on = Named)]
async fn asks(event: Named) -> belts::Result<Decision> {
    let decision = callback!("approval", Decision).await?;
    step!(
        "ask",
        effect(format!("{} {}", event.name, decision.id().len()))
    )
    .await?;
    let first = decision.result().await?;
    let again = decision.clone().result().await?;
    assert_eq!(first, again);
    step!("book", effect(format!("{} books", event.name))).await?;
    Ok(again)
}

#[tokio::test]
async fn a_callback_is_completed_once_and_its_result_stays() {
    let harness = harness_of(asks).await;
    let run = harness
        .run(asks, named("once"))
        .run_id("once")
        .await
        .unwrap();
    run.assert_steps(&["approval", "ask", "approval/result"]);
    let id = run.callback("approval").unwrap();
    harness
        .complete(id.clone(), &Decision::Approve)
        .await
        .unwrap();
    harness
        .complete(id.clone(), &Decision::Approve)
        .await
        .unwrap();
    let other = harness.complete(id.clone(), &Decision::NotNow).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Conflict);
    let failed = harness.worker().callback(id.clone()).fail("no").await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Conflict);
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(asks).await);
    assert_eq!(run.output().unwrap(), Decision::Approve);
    run.assert_steps(&["approval", "ask", "approval/result", "book"]);
    // The run is over; what completed it is still told from another.
    harness
        .complete(id.clone(), &Decision::Approve)
        .await
        .unwrap();
    let other = harness.complete(id, &Decision::NotNow).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(effects("once books"), 1);
}

#[tokio::test]
async fn two_that_complete_at_once_agree() {
    let harness = harness_of(asks).await;
    let run = harness.run(asks, named("two")).run_id("two").await.unwrap();
    let callback = harness.worker().callback(run.callback("approval").unwrap());
    let (one, other) = tokio::join!(
        callback.complete(&Decision::Approve),
        callback.complete(&Decision::NotNow)
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(asks).await);
    let won = if one.is_ok() {
        Decision::Approve
    } else {
        Decision::NotNow
    };
    assert_eq!(run.output().unwrap(), won);
}

#[tokio::test]
async fn what_is_no_callback_or_does_not_fit_is_refused() {
    let harness = harness_of(asks).await;
    let run = harness
        .run(asks, named("wrong"))
        .run_id("wrong")
        .await
        .unwrap();
    let id = run.callback("approval").unwrap();
    let other = if id.starts_with('0') { '1' } else { '0' };
    for unknown in [
        String::new(),
        "wrong".to_owned(),
        "approval".to_owned(),
        id[1..].to_owned(),
        format!("{id}x"),
        format!("{other}{}", &id[1..]),
        format!("{}gone", &id[..33]),
    ] {
        let error = harness.complete(unknown, &Decision::Approve).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::UnknownCallback);
    }
    let error = harness
        .complete(id.clone(), "approve-it")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    let text = error.report();
    assert!(
        text.contains("Decision") && !text.contains("approve-it"),
        "{text}"
    );
    harness.worker().runs().cancel("wrong").await.unwrap();
    let closed = harness.complete(id, &Decision::Approve).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::CallbackClosed);
}

#[tokio::test]
async fn the_url_needs_one_of_the_worker() {
    let harness = harness_of(urls).await;
    let run = harness
        .run(urls, named("urls"))
        .run_id("a b/c")
        .await
        .unwrap();
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.report().contains("BELTS_URL"), "{}", error.report());
    let builder = Harness::builder()
        .function(urls)
        .worker(|worker| worker.url("https://app.example/belts/"));
    let harness = builder.build().await.unwrap();
    let run = harness
        .run(urls, named("urls"))
        .run_id("a b/c")
        .await
        .unwrap();
    let id = run.callback("approval").unwrap();
    let expected = format!(
        "https://app.example/belts/callbacks/{}.a%20b%2Fc",
        &id[..32]
    );
    assert_eq!(run.output().unwrap(), expected);
}

#[belts::function(id = "z-callback-urls", on = Named, retries = 0)]
async fn urls(event: Named) -> belts::Result<String> {
    let _ = event;
    callback!("approval", Decision).await?.url()
}

#[belts::function(id = "z-callback-early", on = Named)]
async fn early(event: Named) -> belts::Result<u32> {
    let number = callback!("number", u32).await?;
    sleep!("meanwhile", "1h").await?;
    step!("after", effect(format!("{} after", event.name))).await?;
    number.result().await
}

/// It is completed while the function does something else, which that does not disturb.
#[tokio::test]
async fn a_completion_that_comes_before_anybody_asks_is_found() {
    let harness = harness_of(early).await;
    let run = harness
        .run(early, named("early"))
        .run_id("early")
        .until("number");
    let run = run.await;
    // A callback is no step that a test stops at.
    assert!(run.is_err());
    let run = only(harness.runs_of(early).await);
    let id = run.callback("number").unwrap();
    harness.complete(id, &7).await.unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    let run = only(harness.runs_of(early).await);
    assert_eq!(run.output().unwrap(), 7);
    assert_eq!(effects("early after"), 1);
}

#[belts::function(id = "z-callback-fails", on = Named)]
async fn fails(event: Named) -> belts::Result<String> {
    effect(format!("{} drives", event.name));
    let callback = callback!("answer", String).await?;
    callback.result().await
}

#[tokio::test]
async fn a_failure_is_recorded_and_no_reason_to_try_again() {
    let harness = harness_of(fails).await;
    let run = harness
        .run(fails, named("fails"))
        .run_id("fails")
        .await
        .unwrap();
    let callback = harness.worker().callback(run.callback("answer").unwrap());
    callback.fail("the printer is on fire").await.unwrap();
    callback.fail("the printer is on fire").await.unwrap();
    let other = callback.complete("all is well").await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    harness.settle().await.unwrap();
    let run = only(harness.runs_of(fails).await);
    let error = run.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::CallbackFailed);
    let text = error.report();
    assert_eq!(text, "the callback `answer` failed: the printer is on fire");
    assert_eq!(run.record().unwrap().failed_attempts, 1);
    assert_eq!(effects("fails drives"), 2);
}

#[belts::function(id = "z-callback-within", on = Named)]
async fn patient(event: Named) -> belts::Result<Option<u32>> {
    let number = callback!("number", u32).await?;
    for times in ["once", "twice"] {
        if let Some(number) = number.result_within("1d").await? {
            return Ok(Some(number));
        }
        step!("remind-{times}", effect(format!("{} {times}", event.name))).await?;
    }
    number.result_within(Duration::from_secs(3_600)).await
}

#[tokio::test]
async fn each_time_limit_is_a_wait_of_its_own() {
    for (name, completed, output) in [("late", true, Some(3)), ("never", false, None)] {
        let harness = harness_of(patient).await;
        let run = harness
            .run(patient, named(name))
            .run_id(name)
            .await
            .unwrap();
        let id = run.callback("number").unwrap();
        harness.travel(Duration::from_secs(86_400)).await.unwrap();
        harness.restart().await.unwrap();
        harness.travel(Duration::from_secs(86_400)).await.unwrap();
        if completed {
            harness.complete(id, &3).await.unwrap();
        }
        harness.travel(Duration::from_secs(3_600)).await.unwrap();
        let run = only(harness.runs_of(patient).await);
        assert_eq!(run.output().unwrap(), output);
        run.assert_steps(&[
            "number",
            "number/result",
            "remind-once",
            "number/result-2",
            "remind-twice",
            "number/result-3",
        ]);
        assert_eq!(effects(&format!("{name} once")), 1);
    }
}

#[belts::function(id = "z-callback-beside", on = Named)]
async fn beside(event: Named) -> belts::Result<(Option<u32>, Option<u32>, u32)> {
    let number = callback!("number", u32).await?;
    effect(format!("{} drives", event.name));
    let (short, long, all) = tokio::join!(
        number.result_within("1h"),
        number.result_within("2h"),
        number.result(),
    );
    Ok((short?, long?, all?))
}

/// Each has its own time, and the run is suspended while all of them wait.
#[tokio::test]
async fn results_side_by_side_wait_each_for_itself() {
    for (name, hours) in [("soon", 0), ("later", 1), ("last", 3)] {
        let harness = harness_of(beside).await;
        let run = harness.run(beside, named(name)).await.unwrap();
        let id = run.callback("number").unwrap();
        for _ in 0..hours {
            harness.travel(Duration::from_secs(3_600)).await.unwrap();
            harness.restart().await.unwrap();
        }
        harness.complete(id, &7).await.unwrap();
        harness.settle().await.unwrap();
        let run = only(harness.runs_of(beside).await);
        let found = |limit: u32| (hours < limit).then_some(7);
        assert_eq!(run.output().unwrap(), (found(1), found(2), 7));
        assert_eq!(run.status(), Some(RunStatus::Completed));
    }
}

#[belts::function(id = "z-callback-before", on = Named)]
async fn long_before_short(_: Named) -> belts::Result<(Option<u32>, Option<u32>)> {
    let number = callback!("number", u32).await?;
    let both = tokio::join!(number.result_within("2h"), number.result_within("1h"));
    sleep!("pause", "1h").await?;
    Ok((both.0?, both.1?))
}

/// The one whose time was over stays without a value when the run comes again, although by then the other has one.
#[tokio::test]
async fn a_result_that_did_not_come_in_time_does_not_come_on_a_replay() {
    let harness = harness_of(long_before_short).await;
    let run = harness
        .run(long_before_short, named("before"))
        .await
        .unwrap();
    let id = run.callback("number").unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    harness.complete(id, &7).await.unwrap();
    harness.settle().await.unwrap();
    harness.restart().await.unwrap();
    harness.travel(Duration::from_secs(3_600)).await.unwrap();
    let run = only(harness.runs_of(long_before_short).await);
    assert_eq!(run.output().unwrap(), (Some(7), None));
}

#[belts::function(id = "z-callback-task", on = Named, retries = 0)]
async fn in_a_task(_: Named) -> belts::Result<u32> {
    let number = [callback!("number", u32).await?];
    let task = tokio::spawn(async move { number[0].result().await });
    task.await.unwrap()
}

#[tokio::test]
async fn a_result_in_a_task_is_refused() {
    let harness = harness_of(in_a_task).await;
    let run = harness.run(in_a_task, named("task")).await.unwrap();
    let text = run.error().unwrap().report();
    assert!(text.contains("outside of its run"), "{text}");
}
