//! Pausing, triggering, settling and publishing.

use std::time::Duration;

use belts::{
    Event, Schedule, Tick, step,
    store::RunStatus,
    testing::{Crash, Harness},
};
use serde::{Deserialize, Serialize};

use super::browser::{Browser, TOKEN, builder};
use crate::shop;

#[derive(Debug, Serialize, Deserialize, Event)]
struct ParcelPacked {
    to: Address,
    grams: u64,
    fragile: bool,
    labels: Vec<String>,
    note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Address {
    street: String,
}

#[belts::function(id = "z-parcel", on = ParcelPacked)]
async fn send_parcel(parcel: ParcelPacked) -> belts::Result<String> {
    step!("send", parcel.to.street.clone()).await
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct ToBeCharged {
    cents: u64,
}

#[belts::function(id = "z-charge", on = ToBeCharged)]
async fn charge_once(order: ToBeCharged) -> belts::Result<u64> {
    step!("charge", order.cents, unknown = "park").await
}

#[belts::function(id = "z-report")]
async fn nightly_report(tick: Tick) -> belts::Result<bool> {
    step!("report", !tick.schedule().is_empty()).await
}

#[tokio::test]
async fn a_function_is_paused_and_resumed_after_a_question() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser
        .get("/ui/pause?function=wait")
        .await
        .good()
        .says("Pause this function?");
    let paused = async || {
        let all = worker.functions().list().await.unwrap();
        all.iter()
            .any(|it| &*it.function_id == "wait" && it.paused_at.is_some())
    };
    assert!(!paused().await);
    let done = browser.post("/ui/pause", &[("function", "wait")]).await;
    assert_eq!(done.header("location"), "functions?did=pause");
    assert!(paused().await);
    let again = browser.post("/ui/pause", &[("function", "wait")]).await;
    assert_eq!(again.header("location"), "functions?did=not-pause");
    browser.get("/ui").await.good().says("Resume");
    let done = browser.post("/ui/resume", &[("function", "wait")]).await;
    assert_eq!(done.header("location"), "functions?did=resume");
    assert!(!paused().await);
    assert_eq!(
        browser
            .post("/ui/pause", &[("function", "nobody")])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_schedule_is_shown_paused_resumed_and_triggered() {
    let worker = builder().build().await.unwrap();
    let every = Schedule::every(Duration::from_secs(3600));
    worker
        .schedules()
        .put("tenant-7", nightly_report, every, &())
        .await
        .unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui/schedules").await.good();
    page.says("tenant-7");
    page.says("z-report");
    browser
        .get("/ui/trigger?schedule=tenant-7")
        .await
        .good()
        .says("Trigger this schedule now?");
    let done = browser
        .post("/ui/trigger", &[("schedule", "tenant-7")])
        .await;
    let to = done.header("location");
    let id = to
        .strip_prefix("runs/")
        .unwrap()
        .strip_suffix("?did=trigger")
        .unwrap();
    shop::until(&worker, id, RunStatus::Completed).await;
    let note = worker.runs().get(id).await.unwrap().notes[0].clone();
    assert_eq!(&*note.action, "trigger the schedule tenant-7");
    assert_eq!(&*note.by, "dashboard from 127.0.0.1:5000, Ada");
    assert_eq!(
        browser
            .post("/ui/pause", &[("schedule", "tenant-7")])
            .await
            .header("location"),
        "schedules?did=pause"
    );
    assert!(
        worker
            .schedules()
            .get("tenant-7")
            .await
            .unwrap()
            .paused_at
            .is_some()
    );
    browser.get("/ui/schedules").await.good().says("paused");
    assert_eq!(
        browser
            .post("/ui/resume", &[("schedule", "tenant-7")])
            .await
            .header("location"),
        "schedules?did=resume"
    );
    assert!(
        worker
            .schedules()
            .get("tenant-7")
            .await
            .unwrap()
            .paused_at
            .is_none()
    );
    let json = browser.json("/ui/schedules").await.good().json();
    let all = json["schedules"].as_array().unwrap();
    let own = all.iter().find(|it| it["name"] == "tenant-7").unwrap();
    assert_eq!(own["next"].as_array().unwrap().len(), 3);
    assert_eq!(
        browser
            .post("/ui/trigger", &[("schedule", "nobody")])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_is_settled() {
    let harness = Harness::builder()
        .worker(|builder| builder.inspection_token(TOKEN))
        .build()
        .await
        .unwrap();
    harness.faults().crash(Crash::Before(3));
    harness
        .run(charge_once, ToBeCharged { cents: 400 })
        .run_id("parked")
        .await
        .unwrap();
    let worker = harness.worker();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui/runs/parked").await.good();
    page.says("Say what came of it…");
    // What settles it is no callback of the function.
    page.hides("/complete?");
    browser
        .get("/ui/settle?run=parked&step=charge")
        .await
        .good()
        .says("What came of this step?");
    let say = async |fields: &[(&str, &str)]| {
        let mut all = vec![("run", "parked"), ("step", "charge")];
        all.extend(fields);
        browser.post("/ui/settle", &all).await
    };
    for wrong in [
        &[][..],
        &[("outcome", "value")],
        &[("outcome", "value"), ("value", "{")],
        &[("outcome", "maybe")],
    ] {
        assert_eq!(say(wrong).await.status, 400, "{wrong:?}");
    }
    assert_eq!(
        say(&[("outcome", "value"), ("value", "400")]).await.status,
        303
    );
    harness.settle().await.unwrap();
    let run = worker.runs().get("parked").await.unwrap();
    assert_eq!(
        (run.status, run.output().unwrap().get()),
        (RunStatus::Completed, "400")
    );
    assert_eq!(
        &*run.notes.last().unwrap().action,
        "settle charge with a value"
    );
}

#[tokio::test]
async fn the_form_has_the_shape_of_the_event() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let browser = Browser::signed_in(&worker).await;
    browser
        .get("/ui/publish")
        .await
        .good()
        .says("starts z-parcel");
    let page = browser.get("/ui/publish?type=parcel-packed").await.good();
    let (_, text) = page.body.split_once("name=\"data\"").unwrap();
    let text = text
        .split_once('>')
        .unwrap()
        .1
        .split_once("</textarea>")
        .unwrap()
        .0;
    let shape: serde_json::Value = serde_json::from_str(&text.replace("&quot;", "\"")).unwrap();
    let expected =
        serde_json::json!({"to": {"street": ""}, "grams": 0, "fragile": false, "labels": []});
    assert_eq!(shape, expected);
    // A type that nobody has.
    browser.get("/ui/publish?type=nothing").await.good();
}

#[tokio::test]
async fn an_event_is_published_and_its_runs_say_by_whom() {
    let worker = builder().build().await.unwrap();
    let (_url, _serving) = shop::served(&worker).await;
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui/publish").await.good();
    let parcel =
        r#"{"to":{"street":"Main"},"grams":12345678901,"fragile":true,"labels":[],"note":null}"#;
    let say = async |event_type: &str, data: &str, more: &[(&str, &str)]| {
        let mut all = vec![("type", event_type), ("data", data)];
        all.extend(more);
        browser.post("/ui/publish", &all).await
    };
    for (event_type, data) in [
        ("parcel-packed", "[]"),
        ("parcel-packed", "{"),
        ("parcel-packed", r#"{"grams":1}"#),
        ("belts.ended", "{}"),
        ("", "{}"),
        ("parcel-packed", r#"{"type":"x"}"#),
    ] {
        assert_eq!(
            say(event_type, data, &[]).await.status,
            400,
            "{event_type} {data}"
        );
    }
    assert_eq!(say("nobody-takes-it", "{}", &[]).await.status, 404);
    assert_eq!(
        say("parcel-packed", parcel, &[("delay", "soon")])
            .await
            .status,
        400
    );
    assert!(
        worker
            .runs()
            .list()
            .function("z-parcel")
            .await
            .unwrap()
            .runs
            .is_empty()
    );

    let done = say("parcel-packed", parcel, &[("key", "p-1")]).await;
    let id = done
        .header("location")
        .strip_prefix("runs/")
        .unwrap()
        .strip_suffix("?did=publish")
        .unwrap()
        .to_owned();
    shop::until(&worker, &id, RunStatus::Completed).await;
    let run = worker.runs().get(&id).await.unwrap();
    assert_eq!(
        (&*run.notes[0].action, &*run.notes[0].by),
        (
            "publish parcel-packed",
            "dashboard from 127.0.0.1:5000, Ada"
        )
    );
    let again = say("parcel-packed", parcel, &[("key", "p-1")]).await;
    assert!(
        again.header("location").contains("did=duplicate"),
        "{}",
        again.header("location")
    );
    let later = say("parcel-packed", parcel, &[("delay", "1h")]).await;
    let id = later
        .header("location")
        .strip_prefix("runs/")
        .unwrap()
        .strip_suffix("?did=publish")
        .unwrap();
    browser
        .get(&format!("/ui/runs/{id}"))
        .await
        .good()
        .says("Its time has not come.");
}
