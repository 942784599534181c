//! Functions that are paused, over HTTP and in the log.

use belts::store::RunStatus;
use belts_suite::log;
use serde_json::json;

use crate::shop::*;

#[tokio::test]
async fn a_function_is_paused_and_resumed_over_http() {
    let worker = with_failed_run(builder(), "paused-http").await;
    let done = |changed, paused| json!({"functionId": "process-order", "changed": changed, "paused": paused});
    for changed in [true, false] {
        let answer = locally(&worker, post("/functions/process-order/pause")).await;
        assert_eq!(answer, (200, done(changed, true)));
    }
    let (_, told) = locally(&worker, get("/functions")).await;
    let told = told["functions"].as_array().unwrap();
    let paused = |id: &str| {
        let mut all = told.iter();
        all.find(|it| it["id"] == id).unwrap().get("pausedAt")
    };
    assert!(
        paused("process-order")
            .unwrap()
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    assert!(paused("wait").is_none());

    // The run is due again, and why it does not go on is told.
    assert_eq!(locally(&worker, post("/runs/failed/rerun")).await.0, 200);
    let (_, run) = locally(&worker, get("/runs/failed")).await;
    assert_eq!(run["status"], "suspended");
    assert_eq!(run["functionPausedAt"], *paused("process-order").unwrap());

    for changed in [true, false] {
        let answer = locally(&worker, post("/functions/process-order/resume")).await;
        assert_eq!(answer, (200, done(changed, false)));
    }
    let (_, run) = locally(&worker, get("/runs/failed")).await;
    assert!(run.get("functionPausedAt").is_none(), "{run}");
    for path in ["pause", "resume"] {
        let (status, refused) = locally(&worker, post(&format!("/functions/nobody/{path}"))).await;
        assert_eq!(
            (status, &refused["code"]),
            (404, &json!("unknown-function"))
        );
        let message = refused["message"].as_str().unwrap();
        assert!(
            message.starts_with("no function has the id `nobody`; there are: "),
            "{message}"
        );
        let (status, _) = locally(&worker, get(&format!("/functions/wait/{path}"))).await;
        assert_eq!(status, 405);
    }
}

#[tokio::test]
async fn nobody_without_access_pauses_anything() {
    let worker = builder()
        .inspection_token("correct-horse-battery-staple")
        .build();
    let worker = worker.await.unwrap();
    for path in ["pause", "resume"] {
        let request = post(&format!("/functions/wait/{path}"));
        assert_eq!(send(&worker, request, "10.0.0.7:5000").await.0, 401);
    }
    assert!(
        worker.functions().pause("wait").await.unwrap(),
        "it was not paused"
    );
}

#[tokio::test]
async fn a_pause_and_its_end_are_one_line_each() {
    log::keep();
    let worker = builder().build().await.unwrap();
    let functions = worker.functions().by("ada\n2026 INFO forged");
    assert!(functions.pause("wait").await.unwrap());
    assert!(!functions.pause("wait").await.unwrap());
    assert!(functions.resume("wait").await.unwrap());
    assert!(!functions.resume("wait").await.unwrap());
    let lines = log::lines_with(&["by=ada\\n2026 INFO forged", "function=wait"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (line, action) in lines.iter().zip(["action=pause", "action=resume"]) {
        assert!(line.starts_with("INFO ") && line.contains(action), "{line}");
    }
}

// A rerun, as any other change, does not wait for the function.
#[tokio::test]
async fn what_is_due_goes_on_when_its_function_is_resumed() {
    let worker = with_failed_run(builder(), "paused-goes-on").await;
    let (_url, _serving) = served(&worker).await;
    worker.functions().pause("process-order").await.unwrap();
    shop("paused-goes-on")
        .mended
        .store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(worker.runs().rerun("failed").await.unwrap());
    let run = worker.runs().get("failed").await.unwrap();
    assert_eq!(run.status, RunStatus::Suspended);
    worker.functions().resume("process-order").await.unwrap();
    until(&worker, "failed", RunStatus::Completed).await;
}
