//! Requests that say something where nobody would read it.

use std::sync::Arc;

use belts::{
    Worker,
    store::{Memory, RunFilter, RunStatus, SharedStore},
};
use serde_json::json;

use crate::{bulk::fill, shop::*};

async fn with_runs() -> Worker {
    let store: SharedStore = Arc::new(Memory::new());
    fill(&store, "mine", 0..3).await;
    fill(&store, "theirs", 0..2).await;
    builder().shared_store(store).build().await.unwrap()
}

async fn unfinished(worker: &Worker) -> usize {
    let filter = RunFilter::new().with_statuses(RunStatus::UNFINISHED);
    worker.runs().count(filter).await.unwrap().runs
}

/// A filter in the body of a cancel was passed over, and all the others were cancelled too.
#[tokio::test]
async fn a_body_that_says_something_is_refused() {
    let worker = with_runs().await;
    let long = format!("{{\"function\":\"{}\"}}", "m".repeat(5_000));
    for path in [
        "/runs/cancel?status=pending",
        "/runs/purge?before=30d",
        "/runs/mine-1/cancel",
        "/runs/mine-1/rerun",
        "/functions/mine/pause",
        "/functions/mine/resume",
        "/functions/mine/forget",
    ] {
        for body in [
            "{\"function\":\"mine\"}",
            "[]",
            "null",
            "{",
            "function=mine",
            &long,
        ] {
            let (status, refused) = with_body(&worker, post(path), body).await;
            assert_eq!(status, 400, "{path} {body}: {refused}");
            assert_eq!(refused["code"], "bad-request");
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains("goes into the query string"), "{message}");
        }
    }
    assert_eq!(unfinished(&worker).await, 5);
    for (path, body) in [
        ("/runs/mine-0/cancel", "{}"),
        ("/runs/mine-1/cancel", ""),
        ("/runs/mine-2/cancel", " { }\n"),
    ] {
        let (status, changed) = with_body(&worker, post(path), body).await;
        assert_eq!((status, &changed["changed"]), (200, &json!(true)), "{body}");
    }
    let (_, part) = with_body(&worker, post("/runs/cancel?function=theirs"), "{}").await;
    assert_eq!(part["cancelled"], 2);
}

/// The last one counted, and the others were passed over.
#[tokio::test]
async fn a_parameter_that_is_there_twice_is_refused() {
    let worker = with_runs().await;
    for (request, name) in [
        (
            post("/runs/cancel?function=mine&function=theirs"),
            "function",
        ),
        (
            post("/runs/cancel?function=mine&since=1h&since=100h"),
            "since",
        ),
        (
            post("/runs/cancel?function=mine&limit=1&limit=1000"),
            "limit",
        ),
        (post("/runs/cancel?status=pending&event=e&event=e"), "event"),
        (post("/runs/purge?before=30d&before=1s"), "before"),
        (post("/runs/mine-1/rerun?from=a&from=b"), "from"),
        (get("/runs?function=mine&function=theirs"), "function"),
        (get("/runs?page=1&limit=1&page=2"), "page"),
        (get("/runs/mine-1?values=true&values=false"), "values"),
    ] {
        let (status, refused) = locally(&worker, request).await;
        assert_eq!(status, 400, "{name}: {refused}");
        let message = refused["message"].as_str().unwrap();
        assert_eq!(message, format!("`{name}` is there more than once"));
    }
    assert_eq!(unfinished(&worker).await, 5);
    let all = "/runs/cancel?status=pending&status=running";
    let (status, part) = locally(&worker, post(all)).await;
    assert_eq!((status, &part["cancelled"]), (200, &json!(5)));
}

#[tokio::test]
async fn a_wrong_mark_is_named_as_its_parameter() {
    let worker = with_runs().await;
    let requests = [
        get("/runs?page=x"),
        post("/runs/cancel?function=mine&page=x"),
    ];
    for request in requests {
        let (status, refused) = locally(&worker, request).await;
        let message = "`page` is not a mark that an earlier page gave";
        assert_eq!((status, &refused["message"]), (400, &json!(message)));
        assert!(refused.get("next").is_none());
    }
}
