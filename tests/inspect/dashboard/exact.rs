//! A change does what was asked, and nothing wider: what says nothing, twice, or under another name is refused.

use std::time::Duration;

use belts::{Worker, dispatch::Channel, store::RunStatus};
use belts_suite::a_moment;

use super::browser::{Browser, builder};
use crate::shop;

async fn waiting(worker: &Worker, name: &str) -> String {
    let waited = shop::Waited {
        shop: name.to_owned(),
    };
    let published = shop::publish_waited(waited).via(worker).await.unwrap();
    published.runs[0].run_id.clone()
}

/// A browser that has a page with a form.
async fn browser_of(worker: &Worker) -> Browser {
    let browser = Browser::signed_in(worker).await;
    browser.get("/ui/publish").await.good();
    browser
}

async fn status(worker: &Worker, id: &str) -> RunStatus {
    worker.runs().get(id).await.unwrap().status
}

#[tokio::test]
async fn a_part_of_an_id_chooses_no_runs_to_be_cancelled() {
    let worker = builder().build().await.unwrap();
    let (one, other) = (
        waiting(&worker, "exact-id").await,
        waiting(&worker, "exact-id").await,
    );
    let browser = browser_of(&worker).await;
    let part = &one[one.len() - 6..];
    let list = format!("/ui/runs?function=wait&id={part}");
    browser.get(&list).await.good().hides("Cancel these…");
    let path = format!("/ui/cancel?function=wait&id={part}");
    let question = browser.get(&path).await;
    assert_eq!(question.status, 400);
    question.says("cannot be cancelled by a part of their ids");
    let fields = [("function", "wait"), ("id", part)];
    assert_eq!(browser.post("/ui/cancel", &fields).await.status, 400);
    for id in [one, other] {
        assert_eq!(status(&worker, &id).await, RunStatus::Pending);
    }
}

#[tokio::test]
async fn a_change_has_no_field_that_says_nothing_or_is_unknown() {
    let worker = shop::with_failed_run(builder(), "ui-exact").await;
    let id = waiting(&worker, "ui-exact").await;
    let browser = browser_of(&worker).await;
    let wrong: &[(&str, &[(&str, &str)])] = &[
        ("cancel", &[("run", ""), ("status", "pending")]),
        ("cancel", &[("run", &id), ("function", "wait")]),
        ("cancel", &[("run", &id), ("run", "failed")]),
        ("cancel", &[("function", ""), ("status", "pending")]),
        ("cancel", &[("function", "wait"), ("function", "none")]),
        ("cancel", &[("function", "wait"), ("tag", " ")]),
        ("cancel", &[("function", "wait"), ("sinse", "1h")]),
        ("rerun", &[("run", "failed"), ("from", "")]),
        ("rerun", &[("run", "failed"), ("step", "check-inventory")]),
        ("rerun", &[("run", "failed"), ("run", "other")]),
        ("pause", &[("function", ""), ("schedule", "nightly")]),
        ("pause", &[("function", "wait"), ("schedule", "nightly")]),
        ("pause", &[("function", "wait"), ("until", "tomorrow")]),
        ("trigger", &[("function", "wait")]),
        (
            "publish",
            &[
                ("type", "waited"),
                ("data", "{\"shop\":\"x\"}"),
                ("dely", "1h"),
            ],
        ),
    ];
    for (path, fields) in wrong {
        let page = browser.post(&format!("/ui/{path}"), fields).await;
        assert_eq!(page.status, 400, "{path} {fields:?}: {}", page.body);
    }
    for question in [
        "run=&status=pending",
        "run=failed&status=pending",
        "function=&status=pending",
        "function=wait&did=cancel",
    ] {
        let page = browser.get(&format!("/ui/cancel?{question}")).await;
        assert_eq!(page.status, 400, "{question}");
    }
    assert_eq!(status(&worker, &id).await, RunStatus::Pending);
    assert_eq!(status(&worker, "failed").await, RunStatus::Failed);
    let all = worker.runs().list().function("wait").await.unwrap();
    assert_eq!(all.runs.len(), 1);
}

#[tokio::test]
async fn what_comes_after_the_question_is_not_cancelled() {
    let worker = builder().build().await.unwrap();
    let before = waiting(&worker, "ui-after").await;
    let browser = browser_of(&worker).await;
    a_moment().await;
    let question = browser.json("/ui/cancel?function=wait&since=1h");
    let question = question.await.good().json();
    a_moment().await;
    let after = waiting(&worker, "ui-after").await;
    let fields = question["fields"].as_array().unwrap();
    let fields: Vec<_> = fields
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect();
    browser
        .post("/ui/cancel", &fields)
        .await
        .good()
        .says("Cancelled 1 run");
    assert_eq!(status(&worker, &before).await, RunStatus::Cancelled);
    assert_eq!(status(&worker, &after).await, RunStatus::Pending);
}

#[tokio::test]
async fn what_a_dispatcher_carries_is_not_said_to_have_started_nothing() {
    let worker = builder()
        .dispatcher(Channel::new(Duration::from_secs(30)))
        .build()
        .await
        .unwrap();
    let browser = browser_of(&worker).await;
    let fields = [("type", "waited"), ("data", "{\"shop\":\"carried\"}")];
    let done = browser.post("/ui/publish", &fields).await;
    let to = done.header("location").to_owned();
    assert!(
        to.starts_with("runs?event=") && to.ends_with("did=carried"),
        "{to}"
    );
    browser
        .get(&format!("/ui/{to}"))
        .await
        .good()
        .says("The event is handed to the dispatcher.");
}
