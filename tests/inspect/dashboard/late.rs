//! Changes that come twice, or after somebody else's.

use belts::{Event, callback, step, store::RunStatus};
use serde::{Deserialize, Serialize};

use super::browser::{Browser, Page, builder};
use crate::shop;

#[derive(Debug, Serialize, Deserialize, Event)]
struct LeaveAsked {
    days: u64,
}

#[belts::function(id = "z-leave", on = LeaveAsked)]
async fn leave(asked: LeaveAsked) -> belts::Result<String> {
    let decision = callback!("decision", String).await?;
    step!("ask", asked.days).await?;
    decision.result().await
}

/// What the form has that makes a publish of it happen once.
fn once(page: &Page) -> String {
    let (_, rest) = page.body.split_once("name=\"once\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_form_that_is_sent_twice_publishes_once() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let form = once(&browser.get("/ui/publish?type=leave-asked").await.good());
    let say = async |once: &str, days: &str| {
        let data = format!("{{\"days\":{days}}}");
        let fields = [("type", "leave-asked"), ("data", &*data), ("once", once)];
        let page = browser.post("/ui/publish", &fields).await;
        assert_eq!(page.status, 303, "{}", page.body);
        page.header("location").to_owned()
    };
    let first = say(&form, "1").await;
    assert!(first.ends_with("did=publish"), "{first}");
    assert!(say(&form, "1").await.ends_with("did=duplicate"));
    // What was changed in the form, and the same event from another form, are others.
    assert!(say(&form, "2").await.ends_with("did=publish"));
    let other = once(&browser.get("/ui/publish?type=leave-asked").await.good());
    assert!(say(&other, "1").await.ends_with("did=publish"));
    let runs = worker.runs().list().function("z-leave").await.unwrap().runs;
    assert_eq!(runs.len(), 3);
}

#[tokio::test]
async fn what_was_done_meanwhile_is_said_and_nothing_is_done_again() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let publish = publish_leave_asked(LeaveAsked { days: 3 }).via(&worker);
    let id = publish.await.unwrap().runs[0].run_id.clone();
    shop::until(&worker, &id, RunStatus::Suspended).await;
    let browser = Browser::signed_in(&worker).await;
    // Two people have the question before them.
    browser
        .get(&format!("/ui/complete?run={id}&step=decision"))
        .await
        .good();
    let say = async |value: &str| {
        let fields = [("run", id.as_str()), ("step", "decision"), ("value", value)];
        browser.post("/ui/complete", &fields).await
    };
    assert_eq!(say("\"yes\"").await.status, 303);
    shop::until(&worker, &id, RunStatus::Completed).await;
    let late = say("\"no\"").await;
    assert_eq!(late.status, 404, "{}", late.body);
    late.says("no callback `decision` of the run");
    let cancelled = browser.post("/ui/cancel", &[("run", &id)]).await;
    assert_eq!(
        cancelled.header("location"),
        format!("runs/{id}?did=not-cancelled")
    );
    browser
        .get(&format!("/ui/runs/{id}?did=not-cancelled"))
        .await
        .good()
        .says("Nothing was changed: the run had ended.");
    let rerun = browser.post("/ui/rerun", &[("run", &id)]).await;
    assert_eq!(rerun.header("location"), format!("runs/{id}?did=not-rerun"));
    let run = worker.runs().get(&id).await.unwrap();
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(run.output().unwrap().get(), "\"yes\"");
    let done: Vec<_> = run.notes.iter().map(|note| &*note.action).collect();
    assert_eq!(done, ["complete decision"]);
}

#[tokio::test]
async fn a_run_that_was_removed_meanwhile_is_not_found() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui/publish").await.good();
    for (path, fields) in [
        ("/ui/rerun", &[("run", "gone")][..]),
        ("/ui/rerun", &[("run", "gone"), ("from", "a")]),
        ("/ui/cancel", &[("run", "gone")]),
        (
            "/ui/complete",
            &[("run", "gone"), ("step", "a"), ("value", "1")],
        ),
        (
            "/ui/settle",
            &[("run", "gone"), ("step", "a"), ("outcome", "retry")],
        ),
    ] {
        let page = browser.post(path, fields).await;
        assert_eq!(page.status, 404, "{path}: {}", page.body);
        page.says("Not found");
    }
}
