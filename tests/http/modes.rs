//! How a delivery is answered.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use belts::{http::HttpMode, store::Memory};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::router::*;

fn waited(gate: &str, mode: &str) -> Request<Body> {
    json_to(
        mode,
        &format!(r#"{{"event":{{"type":"waited","gate":"{gate}"}}}}"#),
    )
}

fn json_to(mode: &str, body: &str) -> Request<Body> {
    crate::router::json(&format!("/?mode={mode}"))
        .body(body.to_owned().into())
        .unwrap()
}

#[tokio::test]
async fn accept_answers_before_the_run_ends() {
    let (worker, _loop) = running(builder()).await;
    let answer = send(
        &worker,
        post(r#"{"event":{"type":"waited","gate":"accept"}}"#),
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let body = answer.json();
    let run = &body["runs"][0];
    assert_eq!(
        body,
        json!({"eventId": body["eventId"], "runs": [{"id": run["id"], "functionId": "wait"}]})
    );
    gate("accept").reached.notified().await;
    gate("accept").opened.notify_one();
}

#[tokio::test]
async fn accept_keeps_to_the_limit_of_runs_at_once() {
    let (worker, _loop) = running(builder().concurrency(1)).await;
    for _ in 0..3 {
        let answer = send(
            &worker,
            post(r#"{"event":{"type":"waited","gate":"limit"}}"#),
        )
        .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    gate("limit").reached.notified().await;
    let filter = belts::store::RunFilter::default();
    let runs = worker.store().list(filter).await.unwrap().runs;
    let running = runs
        .iter()
        .filter(|run| run.status == belts::store::RunStatus::Running)
        .count();
    assert_eq!(running, 1);
}

#[tokio::test]
async fn sync_answers_a_failed_run_with_its_report() {
    let body = r#"{"event":{"type":"order-cancelled","reason":"late"}}"#;
    let answer = send(&worker().await, post(body)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.json();
    assert_eq!(body["error"], true);
    assert_eq!(body["code"], "terminal");
    assert_eq!(body["message"], "terminal error: the goods are gone");
    assert_eq!(body["runs"][0]["functionId"], "refund/goods");
    assert_eq!(body["runs"][0]["status"], "failed");
    assert_eq!(body["runs"][0]["error"]["message"], body["message"]);
    assert_eq!(body["runs"][1]["output"], 4);
}

#[tokio::test]
async fn the_mode_of_the_builder_holds_unless_the_request_says_otherwise() {
    let (worker, _loop) = running(builder().http_mode(HttpMode::Accept)).await;
    let body = r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#;
    assert_eq!(send(&worker, post(body)).await.status, StatusCode::ACCEPTED);
    assert_eq!(
        send(&worker, json_to("sync", body)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn stream_sends_heartbeats_and_the_outcome_last() {
    let clock = ManualClock::new();
    let (worker, _loop) = running(builder().clock(clock.clone())).await;
    let response = worker
        .router()
        .oneshot(waited("stream", "stream"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let mut body = response.into_body();
    assert_eq!(line(&mut body).await.unwrap(), json!({"heartbeat": true}));
    gate("stream").reached.notified().await;
    for _ in 0..3 {
        // The line is asked for first, so that its clock starts before the time moves.
        let next = line(&mut body);
        tokio::pin!(next);
        assert!(
            futures_poll(next.as_mut()).await.is_none(),
            "a heartbeat without time passing"
        );
        clock.advance(Duration::from_secs(9));
        assert_eq!(next.await.unwrap(), json!({"heartbeat": true}));
    }
    gate("stream").opened.notify_one();
    let last = line(&mut body).await.unwrap();
    assert_eq!(last["runs"][0]["output"], "stream");
    assert!(line(&mut body).await.is_none());
}

#[tokio::test]
async fn stream_ends_with_the_error_of_a_failed_run() {
    let request = json_to(
        "stream",
        r#"{"event":{"type":"order-cancelled","reason":"late"}}"#,
    );
    let answer = send(&worker().await, request).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = String::from_utf8(answer.body).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["error"], &last["code"]),
        (&json!(true), &json!("terminal"))
    );
    assert!(text.ends_with('\n'));
}

#[tokio::test]
async fn a_run_that_another_worker_drives_is_busy() {
    let store = Memory::new();
    let (owner, _loop) = running(
        belts::Worker::builder()
            .insecure(true)
            .inspection_token(TOKEN)
            .store(store.clone()),
    )
    .await;
    let other = belts::Worker::builder()
        .insecure(true)
        .inspection_token(TOKEN)
        .store(store)
        .build()
        .await
        .unwrap();
    let body = r#"{"event":{"type":"waited","gate":"busy"},"context":{"executionId":"busy-run"}}"#;
    assert_eq!(send(&owner, post(body)).await.status, StatusCode::ACCEPTED);
    gate("busy").reached.notified().await;
    for mode in ["sync", "accept", "stream"] {
        let answer = send(&other, json_to(mode, body)).await;
        assert_eq!(answer.code(), (409, "busy".to_owned()), "{mode}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    // The one that drives it joins in.
    assert_eq!(
        send(&owner, json_to("accept", body)).await.status,
        StatusCode::ACCEPTED
    );
    let joined = send(&owner, with_token(json_to("sync", body)));
    tokio::pin!(joined);
    assert!(futures_poll(joined.as_mut()).await.is_none());
    gate("busy").opened.notify_one();
    assert_eq!(joined.await.json()["runs"][0]["output"], "busy");
    // And once it is over, whoever may inspect has its output.
    assert_eq!(
        send(&other, with_token(json_to("sync", body))).await.json()["runs"][0]["output"],
        "busy"
    );
}

#[tokio::test]
async fn a_redelivered_message_whose_run_is_driven_elsewhere_is_busy_in_sync_mode() {
    let store = Memory::new();
    let (owner, _loop) =
        running(belts::Worker::builder().insecure(true).store(store.clone())).await;
    let other = belts::Worker::builder()
        .insecure(true)
        .store(store)
        .build()
        .await
        .unwrap();
    let request = |mode: &str| {
        let mut request = waited("redelivered", mode);
        request
            .headers_mut()
            .insert("webhook-id", "msg_1".parse().unwrap());
        request
    };
    assert_eq!(
        send(&owner, request("accept")).await.status,
        StatusCode::ACCEPTED
    );
    gate("redelivered").reached.notified().await;
    assert_eq!(
        send(&other, request("sync")).await.code(),
        (409, "busy".to_owned())
    );
    assert_eq!(
        send(&other, request("accept")).await.json()["duplicate"],
        true
    );
    gate("redelivered").opened.notify_one();
}

#[tokio::test]
async fn a_waiting_request_is_let_go_when_the_worker_shuts_down() {
    let worker = builder().grace(Duration::ZERO).build().await.unwrap();
    let request = tokio::spawn({
        let worker = worker.clone();
        async move { send(&worker, waited("shutdown", "sync")).await }
    });
    gate("shutdown").reached.notified().await;
    worker.shutdown();
    assert_eq!(request.await.unwrap().code(), (503, "shutdown".to_owned()));
    let late = send(&worker, waited("shutdown", "accept")).await;
    assert_eq!(late.code(), (503, "shutdown".to_owned()));
    assert!(late.headers.contains_key("retry-after"));
}

async fn line(body: &mut Body) -> Option<Value> {
    let frame = body.frame().await?.unwrap().into_data().unwrap();
    Some(serde_json::from_slice(frame.strip_suffix(b"\n").unwrap()).unwrap())
}

/// Polls once.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
