//! The router of a harness, asked without a socket.

use axum::{body::Body, http::Request};
use belts::{
    Event,
    http::HttpMode,
    sleep, step,
    testing::{Crash, Harness},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;

#[derive(Serialize, Deserialize, Event)]
struct OrderPosted {
    cents: u64,
}

#[belts::function(id = "take-order", on = OrderPosted)]
async fn take_order(order: OrderPosted) -> belts::Result<u64> {
    let net = step!("net", order.cents * 100 / 119).await?;
    sleep!("cool-off", "10m").await?;
    step!("book", net).await
}

fn order() -> Value {
    json!({ "event": { "type": "order-posted", "cents": 119 } })
}

#[tokio::test]
async fn a_posted_event_runs_to_its_end_whatever_it_sleeps() {
    let harness = Harness::new().await.unwrap();
    let answer = harness.post(order()).await.unwrap();
    answer.assert_status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body: Value = answer.json().unwrap();
    assert_eq!(body["runs"][0]["output"], 100);
    let run = body["runs"][0]["id"].as_str().unwrap();
    let net: u64 = harness.store().step_result(run, "net").await.unwrap();
    assert_eq!(net, 100);
}

#[tokio::test]
async fn a_preset_counts_for_deliveries_by_http() {
    let harness = Harness::new().await.unwrap();
    harness
        .preset::<()>("net", Err(belts::terminal("no tax here")))
        .unwrap();
    let answer = harness.post(order()).await.unwrap();
    answer.assert_status(500);
    let body: Value = answer.json().unwrap();
    assert_eq!(body["error"], true);
    assert!(body["message"].as_str().unwrap().contains("no tax here"));
}

#[tokio::test]
async fn a_message_that_comes_twice_starts_one_run() {
    let harness = Harness::new().await.unwrap();
    for duplicate in [Value::Null, Value::Bool(true)] {
        let post = harness.post(order()).header("webhook-id", "m-1");
        let body: Value = post.await.unwrap().assert_status(200).json().unwrap();
        assert_eq!(body["duplicate"], duplicate);
    }
    let runs = harness.runs_of(take_order).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].evaluations("book"), 1);
}

#[tokio::test]
async fn an_accepted_event_is_driven_when_the_harness_settles() {
    let harness = Harness::new().await.unwrap();
    let post = harness.post(order()).mode(HttpMode::Accept);
    post.await.unwrap().assert_status(202);
    harness.settle().await.unwrap();
    let runs = harness.runs_of(take_order).await.unwrap();
    assert_eq!(runs[0].output().unwrap(), 100);
}

#[tokio::test]
async fn a_signature_goes_by_the_clock_of_the_harness() {
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_bm90IHRoZSBrZXkgb2YgdGhpcyB3b3JrZXI=";
    let builder = Harness::builder().worker(|worker| worker.signing_keys([KEY]));
    let harness = builder.build().await.unwrap();
    let signed = harness.post(order()).signed(KEY.parse().unwrap());
    signed.await.unwrap().assert_status(200);
    let wrong = harness.post(order()).signed(OTHER.parse().unwrap());
    wrong.await.unwrap().assert_status(401);
    harness.post(order()).await.unwrap().assert_status(401);
    let named = harness.post(order()).header("webhook-id", "m-1");
    let named = named.signed(KEY.parse().unwrap()).await.unwrap();
    named.assert_status(200);
}

#[tokio::test]
async fn a_worker_that_dies_while_it_answers_is_an_error_and_the_next_one_resumes() {
    let harness = Harness::new().await.unwrap();
    harness.faults().crash(Crash::After(2));
    let post = || harness.post(order()).header("webhook-id", "m-1");
    let died = post().await.unwrap_err();
    assert_eq!(died.to_string(), "the worker died before it responded");
    harness.restart().await.unwrap();
    let body: Value = post().await.unwrap().assert_status(200).json().unwrap();
    // The first delivery had started the run, so the second is told which it is, and not what it came to.
    assert_eq!(body["duplicate"], true);
    let runs = harness.runs_of(take_order).await.unwrap();
    assert_eq!(runs[0].output().unwrap(), 100);
    assert_eq!(runs[0].evaluations("net"), 1);
}

#[tokio::test]
async fn the_router_takes_any_request() {
    let harness = Harness::new().await.unwrap();
    let health = || Request::get("/health").body(Body::empty()).unwrap();
    harness.request(health()).await.unwrap().assert_status(200);
    let nested = axum::Router::new().nest_service("/belts", harness.router());
    let health = Request::get("/belts/health").body(Body::empty()).unwrap();
    assert_eq!(nested.oneshot(health).await.unwrap().status(), 200);
}

#[tokio::test]
#[should_panic(expected = "the status should be 200, but is 404: {\"error\":true")]
async fn an_unexpected_status_shows_the_body() {
    let harness = Harness::new().await.unwrap();
    let unknown = harness.post(json!({ "event": { "type": "unheard-of" } }));
    unknown.await.unwrap().assert_status(200);
}
