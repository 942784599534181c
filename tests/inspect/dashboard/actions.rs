//! What is done to runs: each asks first, and stands in the run's record.

use std::sync::atomic::Ordering;

use belts::{Event, callback, step, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::browser::{Browser, builder};
use crate::shop;

#[derive(Debug, Serialize, Deserialize, Event)]
struct ExpenseFiled {
    cents: u64,
}

#[belts::function(id = "z-expense", on = ExpenseFiled)]
async fn expense(filed: ExpenseFiled) -> belts::Result<String> {
    let decision = callback!("approval", String).await?;
    step!("ask", filed.cents).await?;
    decision.result().await
}

/// The last note of a run, and who left it.
async fn note(worker: &belts::Worker, run: &str) -> (String, String) {
    let run = worker.runs().get(run).await.unwrap();
    let note = run.notes.last().unwrap();
    (note.action.to_string(), note.by.to_string())
}

const ADA: &str = "dashboard from 127.0.0.1:5000, Ada";

#[tokio::test]
async fn a_failed_run_is_rerun_after_a_question() {
    let worker = shop::with_failed_run(builder(), "ui-rerun").await;
    let browser = Browser::signed_in(&worker).await;
    let question = browser.get("/ui/rerun?run=failed").await.good();
    question.says("Run it again?");
    question.says("recorded results stay");
    let done = browser.post("/ui/rerun", &[("run", "failed")]).await;
    assert_eq!(
        (done.status, done.header("location")),
        (303, "runs/failed?did=rerun")
    );
    browser
        .get("/ui/runs/failed?did=rerun")
        .await
        .good()
        .says("The run goes on where it stopped.");
    let run = worker.runs().get("failed").await.unwrap();
    // It has recorded something, and waits for a worker.
    assert_eq!(run.status, RunStatus::Suspended);
    assert_eq!(note(&worker, "failed").await, ("rerun".into(), ADA.into()));
    let again = browser.post("/ui/rerun", &[("run", "failed")]).await;
    assert_eq!(again.header("location"), "runs/failed?did=not-rerun");
    assert_eq!(browser.get("/ui/rerun?run=nobody").await.status, 404);
    assert_eq!(
        browser.post("/ui/rerun", &[("run", "nobody")]).await.status,
        404
    );
}

#[tokio::test]
async fn a_run_is_rerun_from_a_step() {
    let worker = shop::with_failed_run(builder(), "ui-from").await;
    shop::shop("ui-from").mended.store(true, Ordering::SeqCst);
    let browser = Browser::signed_in(&worker).await;
    let path = "/ui/rerun?run=failed&from=check-inventory";
    browser
        .get(path)
        .await
        .good()
        .says("<code>check-inventory</code>");
    let fields = [("run", "failed"), ("from", "check-inventory")];
    assert_eq!(browser.post("/ui/rerun", &fields).await.status, 303);
    assert!(worker.runs().journal("failed").await.unwrap().is_empty());
    assert_eq!(
        note(&worker, "failed").await.0,
        "rerun from check-inventory"
    );
    let wrong = [("run", "failed"), ("from", "nothing")];
    assert_eq!(browser.post("/ui/rerun", &wrong).await.status, 404);
}

#[tokio::test]
async fn a_run_is_cancelled_after_a_question() {
    let worker = builder().build().await.unwrap();
    let waiting = shop::Waited {
        shop: "ui-cancel".to_owned(),
    };
    let id = shop::publish_waited(waiting)
        .via(&worker)
        .await
        .unwrap()
        .runs[0]
        .run_id
        .clone();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get(&format!("/ui/runs/{id}")).await.good();
    page.says("Cancel…");
    browser
        .get(&format!("/ui/cancel?run={id}"))
        .await
        .good()
        .says("Cancel this run?");
    let done = browser.post("/ui/cancel", &[("run", &id)]).await;
    assert_eq!(done.header("location"), format!("runs/{id}?did=cancel"));
    assert_eq!(
        worker.runs().get(&id).await.unwrap().status,
        RunStatus::Cancelled
    );
    assert_eq!(note(&worker, &id).await, ("cancel".into(), ADA.into()));
    let again = browser.post("/ui/cancel", &[("run", &id)]).await;
    assert_eq!(
        again.header("location"),
        format!("runs/{id}?did=not-cancelled")
    );
}

#[tokio::test]
async fn many_runs_are_counted_and_then_cancelled() {
    let worker = builder().build().await.unwrap();
    for _ in 0..7 {
        let waiting = shop::Waited {
            shop: "ui-bulk".to_owned(),
        };
        shop::publish_waited(waiting).via(&worker).await.unwrap();
    }
    shop::publish_order_created(shop::order("ui-bulk"))
        .via(&worker)
        .await
        .unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser
        .get("/ui/runs?function=wait")
        .await
        .good()
        .says("Cancel these…");
    browser.get("/ui/runs").await.good().hides("Cancel these…");
    browser
        .get("/ui/runs?status=failed")
        .await
        .good()
        .hides("Cancel these…");
    let question = browser
        .get("/ui/cancel?function=wait&status=pending")
        .await
        .good();
    question.says("<strong>7</strong> of these have not ended");
    // All that is asked for is in the form.
    question.says("name=\"status\" value=\"pending\"");
    for wrong in [
        "/ui/cancel",
        "/ui/cancel?since=1970-01-01T00:00:00Z",
        "/ui/cancel?status=failed",
        "/ui/cancel?wrong=1",
    ] {
        assert_eq!(browser.get(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(browser.post("/ui/cancel", &[]).await.status, 400);
    let fields = [("function", "wait"), ("status", "pending")];
    browser
        .post("/ui/cancel", &fields)
        .await
        .good()
        .says("Cancelled 7 runs");
    let page = worker.runs().list().function("wait").await.unwrap();
    assert!(
        page.runs
            .iter()
            .all(|run| run.status == RunStatus::Cancelled)
    );
    let (action, by) = note(&worker, &page.runs[0].run_id).await;
    assert_eq!(
        (&*action, &*by),
        ("cancel all with function wait, status pending", ADA)
    );
    let other = worker
        .runs()
        .list()
        .function("process-order")
        .await
        .unwrap();
    assert_eq!(other.runs[0].status, RunStatus::Pending);
}

#[tokio::test]
async fn a_callback_is_completed_and_its_id_is_never_shown() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let published = publish_expense_filed(ExpenseFiled { cents: 7 })
        .via(&worker)
        .await
        .unwrap();
    let id = published.runs[0].run_id.clone();
    shop::until(&worker, &id, RunStatus::Suspended).await;
    let browser = Browser::signed_in(&worker).await;
    let page = browser
        .get(&format!("/ui/runs/{id}?values=true"))
        .await
        .good();
    page.says("waits for a callback");
    page.says("Complete approval…");
    let journal = worker.runs().journal(&id).await.unwrap();
    let made = journal
        .iter()
        .find(|entry| &*entry.path == "approval")
        .unwrap();
    let secret: serde_json::Value = serde_json::from_str(made.output().unwrap().get()).unwrap();
    let secret = secret["id"].as_str().unwrap();
    page.hides(secret);
    browser
        .json(&format!("/ui/runs/{id}?values=true"))
        .await
        .good()
        .hides(secret);
    let path = format!("/ui/complete?run={id}&step=approval");
    browser.get(&path).await.good().hides(secret);
    let say = async |fields: &[(&str, &str)]| {
        let mut all = vec![("run", id.as_str()), ("step", "approval")];
        all.extend(fields);
        browser.post("/ui/complete", &all).await
    };
    assert_eq!(say(&[("value", "yes")]).await.status, 400);
    assert_eq!(say(&[]).await.status, 400);
    assert_eq!(
        say(&[("value", "\"a\""), ("failure", "b")]).await.status,
        400
    );
    assert_eq!(
        browser
            .post(
                "/ui/complete",
                &[("run", &id), ("step", "ask"), ("value", "1")]
            )
            .await
            .status,
        404
    );
    assert_eq!(say(&[("value", "\"approved\"")]).await.status, 303);
    shop::until(&worker, &id, RunStatus::Completed).await;
    let run = worker.runs().get(&id).await.unwrap();
    assert_eq!(run.output().unwrap().get(), "\"approved\"");
    assert!(
        run.notes
            .iter()
            .any(|note| &*note.action == "complete approval" && &*note.by == ADA)
    );
    browser
        .get(&format!("/ui/runs/{id}"))
        .await
        .good()
        .hides("Complete…");
}
