//! What a delivery starts.

use axum::{Router, http::StatusCode};
use belts::store::{Memory, RunStatus, Store as _};
use serde_json::json;

use crate::router::*;

const ORDER: &str = r#"{"event":{"type":"order-created","order_id":"o-1","cents":41}}"#;

#[tokio::test]
async fn an_event_starts_every_subscriber_and_the_answer_has_their_outputs() {
    let answer = send(&worker().await, post(ORDER)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = answer.json();
    assert_eq!(body["runs"][0]["functionId"], "process-order");
    assert_eq!(body["runs"][0]["status"], "completed");
    assert_eq!(body["runs"][0]["output"], 42);
    assert!(body["eventId"].is_string() && body["runs"][0]["id"].is_string());
}

#[tokio::test]
async fn the_router_answers_where_it_is_nested_with_and_without_a_slash() {
    let worker = worker().await;
    for path in ["/belts", "/belts/"] {
        let app = Router::new().nest_service("/belts", worker.router());
        let answer = ask(app, json(path).body(ORDER.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let app = Router::new().nest("/belts", worker.router());
    assert_eq!(
        ask(app, json("/belts").body(ORDER.into()).unwrap())
            .await
            .status,
        StatusCode::OK
    );
    let app = Router::new().nest("/belts", worker.router());
    assert_eq!(ask(app, get("/belts/health")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_router_merges_into_an_application_with_a_fallback() {
    let app = Router::new()
        .fallback(|| async { "mine" })
        .merge(worker().await.router());
    assert_eq!(ask(app, get("/elsewhere")).await.body, b"mine");
}

#[tokio::test]
async fn values_are_kept_as_they_were_written() {
    let store = Memory::new();
    let worker = belts::Worker::builder()
        .insecure(true)
        .store(store.clone())
        .build()
        .await
        .unwrap();
    let body = r#"{"event":{"big":123456789012345678901234567890.10, "order_id":"a\u0041","type":"order-created","cents":18446744073709551615,"é":[1.0,-0]}}"#;
    let body = body.replace("18446744073709551615", "18446744073709551614");
    let answer = send(&worker, post(body)).await.json();
    let run = store
        .run(answer["runs"][0]["id"].as_str().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        std::str::from_utf8(&run.payload).unwrap(),
        r#"{"big":123456789012345678901234567890.10,"order_id":"a\u0041","cents":18446744073709551614,"é":[1.0,-0]}"#
    );
    assert_eq!(
        answer["runs"][0]["output"].to_string(),
        "18446744073709551615"
    );
}

#[tokio::test]
async fn a_message_delivered_twice_finds_its_runs() {
    let (worker, _loop) = running(builder()).await;
    let request = || {
        json("/")
            .header("webhook-id", "msg_1")
            .body(ORDER.into())
            .unwrap()
    };
    let first = send(&worker, request()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let mut expected = first.json();
    assert!(expected.get("duplicate").is_none());
    let second = send(&worker, request()).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    expected["duplicate"] = json!(true);
    assert_eq!(second.json(), expected);
    let other = send(
        &worker,
        json("/")
            .header("webhook-id", "msg_2")
            .body(ORDER.into())
            .unwrap(),
    )
    .await;
    assert_ne!(other.json()["eventId"], expected["eventId"]);
}

#[tokio::test]
async fn a_message_id_meets_no_idempotency_key() {
    let worker = worker().await;
    let event = OrderCreated {
        order_id: "o".into(),
        cents: 1,
    };
    let published = publish_order_created(event)
        .idempotency_key("msg_1")
        .via(&worker)
        .await
        .unwrap();
    let answer = send(
        &worker,
        json("/")
            .header("webhook-id", "msg_1")
            .body(ORDER.into())
            .unwrap(),
    )
    .await;
    assert_ne!(answer.json()["eventId"], published.event_id);
}

#[tokio::test]
async fn function_id_starts_only_that_function() {
    let worker = worker().await;
    let body = r#"{"event":{"type":"order-cancelled","reason":"late"},"context":{"functionId":"refund/money"}}"#;
    let answer = send(&worker, post(body)).await.json();
    assert_eq!(answer["runs"].as_array().unwrap().len(), 1);
    assert_eq!(answer["runs"][0]["output"], 4);
}

#[tokio::test]
async fn a_function_of_another_worker_may_be_named() {
    let store = Memory::new();
    let (_worker, _loop) =
        running(belts::Worker::builder().insecure(true).store(store.clone())).await;
    let front = belts::Worker::builder()
        .insecure(true)
        .store(store)
        .publish_only()
        .build()
        .await
        .unwrap();
    for context in [r#"{"functionId":"process-order"}"#, "null"] {
        let body = ORDER.replace("}}", &format!("}},\"context\":{context}}}"));
        let answer = send(&front, post(body)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["runs"][0]["output"], 42);
    }
}

#[tokio::test]
async fn execution_id_begins_a_run_once_and_then_finds_it() {
    let worker = builder().inspection_token(TOKEN).build().await.unwrap();
    let body = ORDER.replace("}}", r#"},"context":{"executionId":"run 7/ü","extra":[]}}"#);
    let first = send(&worker, post(body.clone())).await.json();
    assert_eq!(first["runs"][0]["id"], "run 7/ü");
    let mut second = send(&worker, with_token(post(body))).await.json();
    assert_eq!(second["duplicate"].take(), true);
    assert_eq!(
        (&second["runs"], &second["eventId"]),
        (&first["runs"], &first["eventId"])
    );
}

#[tokio::test]
async fn execution_target_stops_the_run_behind_that_step_and_the_next_delivery_goes_on() {
    let (worker, _loop) = running(builder().inspection_token(TOKEN)).await;
    for (mode, run) in [("sync", "r-1"), ("accept", "r-2")] {
        let request = |target: &str| {
            let context = format!(r#"}},"context":{{"executionId":"{run}"{target}}}}}"#);
            json(&format!("/?mode={mode}"))
                .body(ORDER.replace("}}", &context).into())
                .unwrap()
        };
        assert!(
            send(&worker, request(r#","executionTarget":"check""#))
                .await
                .status
                .is_success()
        );
        // In accept mode nobody waited, so ask until it has stopped.
        let record = loop {
            let record = worker.store().run(run).await.unwrap().unwrap();
            if !matches!(record.status, RunStatus::Running | RunStatus::Pending) {
                break record;
            }
            belts_suite::a_moment().await;
        };
        assert_eq!(record.status, RunStatus::Stopped);
        let journal = worker.store().journal(run).await.unwrap();
        assert_eq!(
            journal.iter().map(|entry| &*entry.path).collect::<Vec<_>>(),
            ["check"]
        );
        let url = json("/?mode=sync");
        let context = format!(r#"}},"context":{{"executionId":"{run}"}}}}"#);
        let answer = send(
            &worker,
            with_token(url.body(ORDER.replace("}}", &context).into()).unwrap()),
        )
        .await
        .json();
        assert_eq!(answer["runs"][0]["output"], 42);
    }
}

#[tokio::test]
async fn an_event_of_the_future_is_due_then() {
    let clock = ManualClock::new();
    let (worker, _loop) = running(builder().clock(clock.clone())).await;
    for timestamp in [
        "1800000060000",
        r#""2027-01-15T08:01:00Z""#,
        r#""2027-01-15T09:01:00+01:00""#,
    ] {
        let context = format!(r#"}},"context":{{"timestamp":{timestamp}}}}}"#);
        let answer = send(&worker, post(ORDER.replace("}}", &context))).await;
        assert_eq!(
            answer.status,
            StatusCode::ACCEPTED,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        let run = worker
            .store()
            .run(answer.json()["runs"][0]["id"].as_str().unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(run.due_at.unwrap().as_millis(), 1_800_000_060_000);
        assert_eq!(run.status, RunStatus::Pending);
    }
    let past = ORDER.replace("}}", r#"},"context":{"timestamp":0}}"#);
    let answer = send(&worker, json("/?mode=sync").body(past.into()).unwrap()).await;
    assert_eq!(answer.json()["runs"][0]["output"], 42);
}

#[tokio::test]
async fn wake_up_of_a_run_that_is_purged_has_nothing_left_to_do() {
    // It was answered with 404 until it was a dead letter, as if something were wrong.
    let wake_up = r#"{"v":1,"context":{"executionId":"purged","timestamp":1800000000000}}"#;
    let answer = send(&worker().await, post(wake_up)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), serde_json::json!({"runs": []}));
    // Somebody who names a run wants to hear that there is none.
    let asked = r#"{"context":{"executionId":"purged"}}"#;
    let answer = send(&worker().await, post(asked)).await;
    assert_eq!(answer.code(), (404, "unknown-run".to_owned()));
}
