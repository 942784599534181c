//! What the router answers about runs.

use std::time::Duration;

use axum::http::Request;
use belts::{http::Limits, store::RunStatus};
use serde_json::{Value, json};

use crate::shop::*;

#[tokio::test]
async fn a_list_says_which_runs_failed_and_why() {
    let worker = with_failed_run(builder(), "list").await;
    shop("list-well")
        .mended
        .store(true, std::sync::atomic::Ordering::SeqCst);
    worker.execute(order("list-well")).await.unwrap();
    let (status, all) = locally(&worker, get("/runs")).await;
    assert_eq!((status, all["runs"].as_array().unwrap().len()), (200, 2));
    assert_eq!(all["next"], Value::Null);
    let path = "/runs?function=process-order&status=failed,cancelled&since=24h";
    let (_, failed) = locally(&worker, get(path)).await;
    let runs = failed["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["runId"], "failed");
    assert_eq!(
        runs[0]["error"],
        json!({
            "kind": "step-failed",
            "message": "step `charge-payment` failed",
            "sources": ["card\ndeclined"],
        })
    );
    assert!(runs[0].get("payload").is_none(), "{}", runs[0]);
    for (path, count) in [
        ("/runs?since=2999-01-01", 0),
        ("/runs?until=24h", 0),
        ("/runs?function=nobody", 0),
        ("/runs?status=completed&status=failed", 2),
    ] {
        let (_, page) = locally(&worker, get(path)).await;
        assert_eq!(page["runs"].as_array().unwrap().len(), count, "{path}");
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let worker = builder().build().await.unwrap();
    for number in 0..5 {
        let run_id = format!("r-{number}");
        let execute = worker.execute(order("pages")).function("process-order");
        execute.run_id(run_id).await.unwrap();
    }
    let mut path = "/runs?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let (_, page) = locally(&worker, get(&path)).await;
        let runs = page["runs"].as_array().unwrap();
        seen.extend(
            runs.iter()
                .map(|run| run["runId"].as_str().unwrap().to_owned()),
        );
        let Some(mark) = page["next"].as_str() else {
            break;
        };
        path = format!("/runs?limit=2&page={mark}");
    }
    assert_eq!(seen, ["r-4", "r-3", "r-2", "r-1", "r-0"]);
}

#[tokio::test]
async fn a_run_is_shown_with_its_steps_and_without_values() {
    let worker = with_failed_run(builder(), "run").await;
    let (status, run) = locally(&worker, get("/runs/failed")).await;
    assert_eq!((status, run["status"].as_str()), (200, Some("failed")));
    let steps = run["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(
        (&steps[0]["path"], &steps[0]["state"], &steps[0]["attempts"]),
        (&json!("check-inventory"), &json!("completed"), &json!(1))
    );
    assert_eq!(
        (
            &steps[1]["path"],
            &steps[1]["state"],
            &steps[1]["error"]["message"]
        ),
        (
            &json!("charge-payment"),
            &json!("failed"),
            &json!("card\ndeclined")
        )
    );
    assert!(steps[0]["durationMs"].is_u64());
    for time in [
        &run["createdAt"],
        &run["finishedAt"],
        &steps[0]["startedAt"],
    ] {
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    }
    assert!(
        run.get("payload").is_none() && steps[0].get("output").is_none(),
        "{run}"
    );
    let (_, run) = locally(&worker, get("/runs/failed?values=true")).await;
    assert_eq!(run["payload"], json!({"shop": "run", "cents": 20}));
    assert_eq!(run["steps"][0]["output"], 20);
}

/// An id that is not UTF-8 was answered with 500, and one with a NUL is more than PostgreSQL can be asked for.
#[tokio::test]
async fn an_id_that_no_run_can_have_is_the_askers_mistake() {
    let worker = with_failed_run(builder(), "ids").await;
    for id in ["%FF", "%C3%28", "a%00b"] {
        let asked = [
            get(&format!("/runs/{id}")),
            post(&format!("/runs/{id}/cancel")),
            post(&format!("/runs/{id}/rerun")),
            post(&format!("/functions/{id}/forget")),
            post(&format!("/functions/{id}/pause")),
            post(&format!("/functions/{id}/resume")),
        ];
        for (number, request) in asked.into_iter().enumerate() {
            let (status, body) = locally(&worker, request).await;
            let code = body["code"].as_str();
            assert_eq!((status, code), (400, Some("bad-request")), "{id} {number}");
        }
    }
    for query in ["function=a%00b", "event=%00", "page=%00", "page=%FF"] {
        let (status, body) = locally(&worker, get(&format!("/runs?{query}"))).await;
        let code = body["code"].as_str();
        assert_eq!((status, code), (400, Some("bad-request")), "{query}");
    }
    let (status, _) = locally(&worker, post("/runs/failed/rerun?from=a%00b")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_result_of_a_run_can_be_waited_for() {
    let worker = with_failed_run(builder(), "result").await;
    let (url, _serving) = served(&worker).await;
    let run = wait(Waited {
        shop: "result".into(),
    })
    .run_id("gated")
    .via(&worker);
    run.start().await.unwrap();
    shop("result").reached.notified().await;
    let path = "/runs/gated/result";
    let going_on = json!({"runId": "gated", "functionId": "wait", "status": "running"});
    for path in [path.to_owned(), format!("{path}?wait=1ms")] {
        let answer = locally(&worker, get(&path)).await;
        assert_eq!(answer, (202, going_on.clone()));
    }
    // Over a socket, as whoever waits for minutes would.
    let asked = reqwest::get(format!("{url}{path}?wait=1m"));
    let waits = tokio::spawn(async move { asked.await.unwrap().text().await.unwrap() });
    shop("result").opened.notify_one();
    let body = tokio::time::timeout(PATIENCE, waits).await.unwrap();
    let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"runId": "gated", "functionId": "wait", "status": "completed", "output": null})
    );
    let (status, failed) = locally(&worker, get("/runs/failed/result")).await;
    assert_eq!((status, failed["status"].as_str()), (200, Some("failed")));
    assert_eq!(failed["error"]["message"], "step `charge-payment` failed");
    assert!(failed.get("output").is_none() && failed.get("payload").is_none());
    for (path, expected) in [
        ("/runs/nobody/result?wait=10s", 404),
        ("/runs/gated/result?wait=61s", 400),
        ("/runs/gated/result?wait=soon", 400),
        ("/runs/gated/result?patience=1s", 400),
    ] {
        let (status, _) = locally(&worker, get(path)).await;
        assert_eq!(status, expected, "{path}");
    }
    let (status, _) = locally(&worker, post("/runs/gated/result")).await;
    assert_eq!(status, 405);
}

/// Whoever waits keeps a connection; without a bound, those who wait would leave none for deliveries.
#[tokio::test]
async fn those_who_wait_for_results_are_counted() {
    let limits = Limits::new().waiting(1);
    let worker = builder().limits(limits).build().await.unwrap();
    let later = Duration::from_secs(3600);
    let run = wait(Waited {
        shop: "crowd".into(),
    });
    let run = run.run_id("crowd").delay(later).via(&worker);
    let run = run.start().await.unwrap();
    let waits = tokio::spawn({
        let worker = worker.clone();
        async move { locally(&worker, get("/runs/crowd/result?wait=1m")).await }
    });
    // It takes its place when it is first polled.
    belts_suite::a_moment().await;
    let (status, _) = locally(&worker, get("/runs/crowd/result?wait=1m")).await;
    assert_eq!(status, 503, "no more may wait");
    // A look takes no place, nor does a request for the headers alone, which waits for nothing.
    let (status, _) = locally(&worker, get("/runs/crowd/result")).await;
    assert_eq!(status, 202);
    let head = Request::head("/runs/crowd/result?wait=1m");
    assert_eq!(locally(&worker, head).await.0, 202);
    assert!(run.cancel().await.unwrap());
    let (status, body) = tokio::time::timeout(PATIENCE, waits)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((status, &body["status"]), (200, &json!("cancelled")));
    assert!(body.get("error").is_none() && body.get("output").is_none());
}

/// A worker that is about to end does not keep its clients waiting.
#[tokio::test]
async fn a_shutdown_answers_those_who_wait_for_results() {
    let worker = builder().build().await.unwrap();
    let run = wait(Waited {
        shop: "leaving".into(),
    });
    let later = Duration::from_secs(3600);
    let run = run.run_id("leaving").delay(later).via(&worker);
    run.start().await.unwrap();
    let waits = tokio::spawn({
        let worker = worker.clone();
        async move { locally(&worker, get("/runs/leaving/result?wait=1m")).await }
    });
    belts_suite::a_moment().await;
    worker.shutdown();
    let answer = tokio::time::timeout(PATIENCE, waits).await.unwrap();
    assert_eq!(answer.unwrap().0, 202);
}

/// A result tells what a run's steps returned, so it is for those who may inspect.
#[tokio::test]
async fn a_result_is_not_for_everybody() {
    let worker = with_failed_run(builder(), "private").await;
    let (status, body) = send(&worker, get("/runs/failed/result"), "192.0.2.7:5000").await;
    assert_eq!(status, 404);
    assert!(body.get("runId").is_none(), "{body}");
}

#[tokio::test]
async fn a_run_is_cancelled_once() {
    let worker = with_failed_run(builder(), "cancel").await;
    worker.runs().rerun("failed").await.unwrap();
    let (status, body) = locally(&worker, post("/runs/failed/cancel")).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"runId": "failed", "changed": true, "status": "cancelled"})
        )
    );
    let (status, body) = locally(&worker, post("/runs/failed/cancel")).await;
    assert_eq!((status, &body["changed"]), (200, &json!(false)));
    assert_eq!(
        worker.runs().get("failed").await.unwrap().status,
        RunStatus::Cancelled
    );
}

#[tokio::test]
async fn a_run_goes_on_after_a_mend() {
    let worker = with_failed_run(builder(), "rerun").await;
    let (_url, _serving) = served(&worker).await;
    shop("rerun")
        .mended
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let (status, body) = locally(&worker, post("/runs/failed/rerun")).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)));
    until(&worker, "failed", RunStatus::Completed).await;
    let (_, run) = locally(&worker, get("/runs/failed?values=1")).await;
    assert_eq!(run["output"], 41);
}

#[tokio::test]
async fn a_run_goes_on_from_a_step() {
    let worker = with_failed_run(builder(), "from-http").await;
    let (status, body) = locally(&worker, post("/runs/failed/rerun?from=nothing")).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("unknown-run")));
    let (status, body) = locally(&worker, post("/runs/failed/rerun?to=ship")).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("bad-request")));
    let (status, body) = locally(&worker, post("/runs/failed/rerun?from=check-inventory")).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)));
    assert!(worker.runs().journal("failed").await.unwrap().is_empty());
}

#[tokio::test]
async fn ids_in_paths_are_decoded() {
    let worker = builder().build().await.unwrap();
    for id in ["purge", "a/b", "50% off?", "é", "cancel"] {
        let execute = worker.execute(order("ids")).function("process-order");
        execute.run_id(id).await.unwrap();
    }
    for (path, id) in [
        ("/runs/purge", "purge"),
        ("/runs/a%2Fb", "a/b"),
        ("/runs/50%25%20off%3F", "50% off?"),
        ("/runs/%C3%A9", "é"),
        ("/runs/cancel", "cancel"),
    ] {
        let (status, run) = locally(&worker, get(path)).await;
        assert_eq!((status, run["runId"].as_str()), (200, Some(id)), "{path}");
    }
    let (status, _) = locally(&worker, post("/runs/a%2Fb/rerun")).await;
    assert_eq!(status, 200);
    assert_eq!(locally(&worker, get("/runs/%FF")).await.0, 400);
}

#[tokio::test]
async fn runs_are_purged_by_age() {
    let worker = with_failed_run(builder(), "purge").await;
    let (_, body) = locally(&worker, post("/runs/purge?before=1h")).await;
    assert_eq!(body, json!({"purged": 0, "events": 0, "more": false}));
    let (_, body) = locally(&worker, post("/runs/purge?before=2999-01-01")).await;
    assert_eq!(body, json!({"purged": 1, "events": 0, "more": false}));
    let (status, body) = locally(&worker, get("/runs/failed")).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("unknown-run")));
}

#[tokio::test]
async fn a_wrong_question_is_told_what_is_right() {
    let worker = builder().build().await.unwrap();
    for (path, part) in [
        (
            "/runs?state=failed",
            "known: `function`, `event`, `parent`, `tag`, `status`",
        ),
        ("/runs?status=broken", "`pending`, `running`"),
        (
            "/runs?since=yesterday",
            "`since`: `yesterday` is not a time: write an age, such as `24h`",
        ),
        ("/runs?limit=0", "from 1 to 1000"),
        ("/runs?limit=1001", "from 1 to 1000"),
        (
            "/runs?page=first",
            "is not a mark that an earlier page gave",
        ),
        (
            "/runs?values=true",
            "a list has no values; request a single run",
        ),
        ("/functions?removed=1", "known: `orphaned`"),
        ("/functions?orphaned=perhaps", "`true` or `false`"),
        ("/runs/r?value=true", "known: `values`"),
        ("/runs/r?values=please", "`true` or `false`"),
    ] {
        let (status, body) = locally(&worker, get(path)).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (400, Some("bad-request")),
            "{path}"
        );
        assert!(body["message"].as_str().unwrap().contains(part), "{body}");
    }
    for (path, part) in [
        ("/runs/purge", "`before` is missing"),
        ("/runs/purge?before=soon", "`before`: `soon` is not a time"),
        ("/runs/purge?older=30d", "known: `before`"),
    ] {
        let (status, body) = locally(&worker, post(path)).await;
        assert_eq!(status, 400, "{path}");
        assert!(body["message"].as_str().unwrap().contains(part), "{body}");
    }
}
