//! Callbacks: who is told of an attempt, and of what.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use belts_qstash_mock::{Delivery, Mock};
use serde_json::{Value, json};

use super::destination::*;

fn news(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap()
}

fn told(mock: &Mock, url: &str) -> Vec<Delivery> {
    let mut deliveries = mock.deliveries();
    deliveries.retain(|delivery| delivery.url == url);
    deliveries
}

#[tokio::test]
async fn a_callback_is_told_of_each_attempt_and_a_failure_callback_of_the_end() {
    let mock = fast().start().unwrap();
    let url = destination(|_| {
        (
            axum::http::StatusCode::IM_A_TEAPOT,
            [("x-pot", "tea")],
            "short and stout",
        )
    })
    .await;
    let (each, end) = (always(200).await + "/each", always(200).await + "/end");
    let headers = [
        ("upstash-retries", "1"),
        ("upstash-callback", each.as_str()),
        ("upstash-callback-forward-secret", "s"),
        ("upstash-callback-method", "PUT"),
        ("upstash-failure-callback", end.as_str()),
        ("upstash-forward-mine", "m"),
    ];
    let id = delivered(&mock, &url, &headers).await[0].message_id.clone();
    let each = told(&mock, &each);
    let mut retried: Vec<_> = each
        .iter()
        .map(|delivery| news(delivery)["retried"].clone())
        .collect();
    retried.sort_by_key(Value::as_u64);
    assert_eq!(retried, [json!(0), json!(1)]);
    assert_eq!(
        (
            each[0].method.as_str(),
            each[0].header("secret"),
            each[0].header("mine")
        ),
        ("PUT", "s", "")
    );
    assert_eq!(each[0].header("content-type"), "application/json");
    assert!(!each[0].header("upstash-signature").is_empty());
    let end = told(&mock, &end);
    assert_eq!(end.len(), 1);
    let news = news(&end[0]);
    assert_eq!(news["dlqId"], mock.dead_letters()[0].id);
    assert_eq!(
        (&news["status"], &news["sourceMessageId"]),
        (&json!(418), &json!(id))
    );
    assert_eq!(news["header"]["X-Pot"], json!(["tea"]));
    assert_eq!(news["body"], STANDARD.encode("short and stout"));
    assert_eq!(news["sourceBody"], STANDARD.encode("hello"));
    assert_eq!(news["sourceHeader"]["Mine"], "m");
    assert_eq!(
        (&news["maxRetries"], &news["url"]),
        (&json!(1), &json!(url))
    );
}

#[tokio::test]
async fn a_message_that_arrives_has_no_failure_to_tell() {
    let mock = fast().start().unwrap();
    let (url, each, end) = (always(201).await, always(200).await, always(200).await);
    delivered(
        &mock,
        &url,
        &[
            ("upstash-callback", &each),
            ("upstash-failure-callback", &end),
        ],
    )
    .await;
    assert_eq!(news(&told(&mock, &each)[0])["status"], 201);
    assert_eq!(told(&mock, &end).len(), 0);
}

#[tokio::test]
async fn a_callback_is_retried_like_its_message_unless_it_says_more() {
    let mock = fast().start().unwrap();
    let (url, deaf, deafer) = (always(500).await, always(500).await, always(500).await);
    let headers = [
        ("upstash-retries", "1"),
        ("upstash-failure-callback", deaf.as_str()),
        ("upstash-callback", deafer.as_str()),
        ("upstash-callback-retries", "0"),
    ];
    delivered(&mock, &url, &headers).await;
    assert_eq!(told(&mock, &deaf).len(), 2);
    assert_eq!(
        told(&mock, &deafer).len(),
        2,
        "one for each attempt of the message"
    );
}
