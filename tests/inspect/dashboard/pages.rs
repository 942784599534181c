//! What the pages show.

use std::{sync::Arc, time::Duration};

use belts::{
    Timestamp,
    store::{Memory, NewEvent, Publish, Register, RunStatus, Store as _, Subscription},
};

use super::browser::{Browser, TOKEN, builder};
use crate::shop;

#[tokio::test]
async fn the_first_page_says_what_fails_and_what_is_paused() {
    let worker = shop::with_failed_run(builder(), "overview").await;
    worker.functions().pause("wait").await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui").await.good();
    page.says("1 function failing");
    page.says("paused");
    let json = browser.json("/ui").await.good().json();
    let functions = json["functions"].as_array().unwrap();
    let of = |id: &str| functions.iter().find(|it| it["id"] == id).unwrap();
    assert_eq!(
        functions[0]["id"], "process-order",
        "what fails comes first"
    );
    assert_eq!(of("process-order")["lately"]["failed"], 1);
    assert_eq!(of("process-order")["lately"]["completed"], 0);
    assert!(of("process-order")["lately"]["lastFailedAt"].is_string());
    assert!(of("wait")["pausedAt"].is_string());
}

#[tokio::test]
async fn an_empty_store_says_what_to_do_next() {
    let worker = builder().publish_only().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    browser.get("/ui").await.good().says("belts::serve()");
    browser
        .get("/ui/runs")
        .await
        .good()
        .says("Publish an event");
    browser
        .get("/ui/runs?status=failed")
        .await
        .good()
        .says("Show all runs");
    browser
        .get("/ui/schedules")
        .await
        .good()
        .says("belts schedules put");
}

#[tokio::test]
async fn runs_are_filtered_by_the_address() {
    let worker = shop::with_failed_run(builder(), "filters").await;
    shop::shop("filters")
        .mended
        .store(true, std::sync::atomic::Ordering::SeqCst);
    for id in ["good-1", "good-2"] {
        let execute = worker
            .execute(shop::order("filters"))
            .function("process-order");
        execute.run_id(id).await.unwrap();
    }
    let event = worker
        .runs()
        .get("good-1")
        .await
        .unwrap()
        .event_id
        .to_string();
    let browser = Browser::signed_in(&worker).await;
    let shown = async |query: &str| {
        let page = browser
            .json(&format!("/ui/runs?{query}"))
            .await
            .good()
            .json();
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| run["runId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (query, runs) in [
        ("", "good-2 good-1 failed"),
        // As a form sends it.
        (
            "status=&since=&function=&tag=&id=&event=",
            "good-2 good-1 failed",
        ),
        ("status=failed", "failed"),
        (
            "status=failed,completed&function=process-order&since=24h",
            "good-2 good-1 failed",
        ),
        ("function=wait", ""),
        ("since=2999-01-01", ""),
        ("tag=customer%3Dc-1", ""),
        ("id=good", "good-2 good-1"),
        ("id=%20good-1%20", "good-1"),
        ("parent=good-1", ""),
    ] {
        assert_eq!(shown(query).await, runs, "{query}");
    }
    assert_eq!(shown(&format!("event={event}")).await, "good-1");
    // The form keeps what was asked, and so do the links to other pages.
    let page = browser
        .get("/ui/runs?status=failed&function=process-order")
        .await
        .good();
    page.says("<option value=\"failed\" selected>");
    page.says("value=\"process-order\"");
    page.says("card\\ndeclined");
    // A whole id leads to the run.
    let found = browser.get("/ui/runs?id=good-1").await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, "runs/good-1")
    );
    assert_eq!(browser.get("/ui/runs?status=wrong").await.status, 400);
    assert_eq!(browser.get("/ui/runs?nothing=1").await.status, 400);
    assert_eq!(browser.get("/ui/runs?page=wrong").await.status, 400);
}

#[tokio::test]
async fn pages_of_runs_follow_each_other_with_their_filters() {
    let worker = builder().build().await.unwrap();
    for number in 0..120 {
        let execute = worker
            .execute(shop::order("many"))
            .function("process-order");
        execute.run_id(format!("r-{number:03}")).await.unwrap();
    }
    let browser = Browser::signed_in(&worker).await;
    let mut path = "/ui/runs?status=failed".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = browser.get(&path).await.good();
        assert!(page.body.len() < 200_000, "{}", page.body.len());
        let ids = page.attributes("href").into_iter();
        seen.extend(ids.filter_map(|it| Some(it.strip_prefix("runs/")?.to_owned())));
        let next = page
            .attributes("href")
            .into_iter()
            .find(|it| it.contains("page="));
        let Some(next) = next else { break };
        assert!(next.contains("status=failed"), "{next}");
        path = format!("/ui/{next}");
    }
    let expected: Vec<_> = (0..120)
        .rev()
        .map(|number| format!("r-{number:03}"))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_run_says_why_it_failed_and_what_can_be_done() {
    let worker = shop::with_failed_run(builder(), "why").await;
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui/runs/failed").await.good();
    page.says("Why it failed");
    page.says("step <code>charge-payment</code> failed");
    page.says("declined");
    let links = page.attributes("href");
    assert!(
        links.contains(&"../rerun?run=failed".to_owned()),
        "{links:?}"
    );
    assert!(
        links.contains(&"../rerun?run=failed&from=charge-payment".to_owned()),
        "{links:?}"
    );
    let json = browser.json("/ui/runs/failed").await.good().json();
    assert_eq!(
        (&json["status"], json["steps"].as_array().unwrap().len()),
        (&"failed".into(), 2)
    );
    assert_eq!(json["reasons"], serde_json::json!([]));
    assert_eq!(browser.get("/ui/runs/nobody").await.status, 404);
}

/// The kinds of reasons why a run is not running.
async fn why(browser: &Browser, id: &str) -> String {
    let json = browser.json(&format!("/ui/runs/{id}")).await.good().json();
    let why = json["reasons"].as_array().unwrap().iter();
    let kinds = why.map(|it| it["kind"].as_str().unwrap().to_owned());
    kinds.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_run_that_no_worker_has_says_so() {
    let store = Memory::new();
    let then = Timestamp::from_millis(0);
    let register = Register::new(then, Duration::from_secs(1));
    let gone = register.with_subscriptions(vec![Subscription::new("gone", ["e"])]);
    store.register(gone).await.unwrap();
    let event = NewEvent::new("e-1", "e", *b"{}", then);
    store
        .publish(Publish::new(vec![event], then))
        .await
        .unwrap();
    let worker = belts::Worker::builder()
        .shared_store(Arc::new(store))
        .publish_only()
        .inspection_token(TOKEN)
        .build()
        .await
        .unwrap();
    let id = worker.runs().list().await.unwrap().runs[0]
        .run_id
        .to_string();
    let browser = Browser::signed_in(&worker).await;
    assert_eq!(why(&browser, &id).await, "no-worker");
    worker.functions().pause("gone").await.unwrap();
    assert_eq!(why(&browser, &id).await, "paused no-worker");
    let page = browser.get(&format!("/ui/runs/{id}")).await.good();
    page.says("Its function is paused.");
    page.says("No running worker has its function");
    page.says("resume?function=gone");
}

#[tokio::test]
async fn a_run_says_why_it_is_not_running() {
    let worker = builder().build().await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    publish_order_created(&worker, "queued").await;
    let id = worker.runs().list().await.unwrap().runs[0]
        .run_id
        .to_string();
    // There is a worker, and it does not run.
    assert_eq!(why(&browser, &id).await, "queued");
    worker.functions().pause("process-order").await.unwrap();
    assert_eq!(why(&browser, &id).await, "paused");
    browser
        .get(&format!("/ui/runs/{id}"))
        .await
        .good()
        .says("Its function is paused.");
    worker.functions().resume("process-order").await.unwrap();
    let (_url, serving) = shop::served(&worker).await;
    shop::until(&worker, &id, RunStatus::Failed).await;
    assert_eq!(why(&browser, &id).await, "");
    let executing = tokio::spawn({
        let worker = worker.clone();
        async move {
            let waited = shop::Waited {
                shop: "why-gate".to_owned(),
            };
            worker.execute(waited).function("wait").run_id("held").await
        }
    });
    shop::shop("why-gate").reached.notified().await;
    assert_eq!(why(&browser, "held").await, "running");
    shop::shop("why-gate").opened.notify_one();
    executing.await.unwrap().unwrap();
    drop(serving);
}

async fn publish_order_created(worker: &belts::Worker, shop: &str) {
    let publish = shop::publish_order_created(shop::order(shop)).via(worker);
    publish.await.unwrap();
}

#[tokio::test]
async fn whoever_has_a_page_already_is_told_so() {
    let worker = shop::with_failed_run(builder(), "etag").await;
    let browser = Browser::signed_in(&worker).await;
    for path in ["/ui/runs", "/ui/runs/failed", "/ui/schedules"] {
        let page = browser.get(path).await.good();
        let mark = page.header("etag").to_owned();
        let again = || {
            axum::http::Request::get(path)
                .header("accept", "text/html")
                .header("if-none-match", &mark)
        };
        let same = browser.send(again(), "").await;
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{path}");
    }
    let page = browser.get("/ui/runs").await.good();
    let mark = page.header("etag").to_owned();
    worker.runs().rerun("failed").await.unwrap();
    let again = axum::http::Request::get("/ui/runs")
        .header("accept", "text/html")
        .header("if-none-match", &mark);
    browser.send(again, "").await.good().says("pending");
}
