//! The dead letter queue: what failed for good, and how it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;

use super::destination::*;

#[tokio::test]
async fn a_dead_letter_shows_the_message_and_its_last_answer() {
    let mock = fast().start().unwrap();
    let url = destination(|_| (axum::http::StatusCode::BAD_GATEWAY, "no")).await;
    delivered(
        &mock,
        &url,
        &[("upstash-retries", "0"), ("upstash-label", "l1")],
    )
    .await;
    let list = get(&mock, "/v2/dlq?label=l1").await.body;
    let letter = &list["messages"][0];
    assert_eq!(
        (
            &letter["responseStatus"],
            &letter["responseBody"],
            &letter["body"]
        ),
        (&json!(502), &json!("no"), &json!("hello"))
    );
    assert!(list.get("cursor").is_none());
    let alone = get(
        &mock,
        &format!("/v2/dlq/{}", letter["dlqId"].as_str().unwrap()),
    )
    .await
    .body;
    assert_eq!(&alone, letter);
    assert_eq!(
        get(&mock, "/v2/dlq?responseStatus=500").await.body["messages"],
        json!([])
    );
    assert_eq!(get(&mock, "/v2/dlq/dlq_unknown").await.status, 404);
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let mock = fast().start().unwrap();
    let url = always(500).await;
    for _ in 0..3 {
        delivered(&mock, &url, &[("upstash-retries", "0")]).await;
    }
    let first = get(&mock, "/v2/dlq?count=2").await.body;
    assert_eq!(first["messages"].as_array().unwrap().len(), 2);
    let cursor = first["cursor"].as_str().unwrap();
    let second = get(&mock, &format!("/v2/dlq?count=2&cursor={cursor}"))
        .await
        .body;
    assert_eq!(second["messages"].as_array().unwrap().len(), 1);
    assert!(second.get("cursor").is_none());
}

#[tokio::test]
async fn letters_are_deleted_one_by_one_or_many_at_once() {
    let mock = fast().start().unwrap();
    let url = always(500).await;
    for _ in 0..4 {
        delivered(&mock, &url, &[("upstash-retries", "0")]).await;
    }
    let ids: Vec<_> = mock
        .dead_letters()
        .into_iter()
        .map(|letter| letter.id)
        .collect();
    let one = format!("/v2/dlq/{}", ids[0]);
    assert_eq!(ask(&mock, "DELETE", &one, &[], "").await.status, 200);
    assert_eq!(ask(&mock, "DELETE", &one, &[], "").await.status, 404);
    let many = ask(
        &mock,
        "DELETE",
        &format!("/v2/dlq?dlqIds={}&dlqIds={}", ids[0], ids[1]),
        &[],
        "",
    )
    .await;
    assert_eq!(many.body["deleted"], 1);
    let none = ask(&mock, "DELETE", "/v2/dlq", &[], r#"{"dlqIds":[]}"#).await;
    assert_eq!(none.body["deleted"], 0);
    let body = json!({ "dlqIds": [ids[2]] }).to_string();
    assert_eq!(
        ask(&mock, "DELETE", "/v2/dlq", &[], &body).await.body["deleted"],
        1
    );
    assert_eq!(mock.dead_letters()[0].id, ids[3]);
}

#[tokio::test]
async fn a_letter_that_is_retried_is_a_new_message_with_the_old_content() {
    let mock = fast().start().unwrap();
    let works = Arc::new(AtomicBool::new(false));
    let url = destination({
        let works = Arc::clone(&works);
        move |_| with_headers(if works.load(SeqCst) { 200 } else { 500 }, [])
    });
    let url = url.await;
    let headers = [
        ("upstash-retries", "0"),
        ("upstash-delay", "1s"),
        ("upstash-deduplication-id", "d"),
        ("upstash-forward-n", "1"),
    ];
    let old = delivered(&mock, &url, &headers).await.remove(0);
    works.store(true, SeqCst);
    let letter = mock.dead_letters().remove(0).id;
    let said = ask(
        &mock,
        "POST",
        &format!("/v2/dlq/retry?dlqIds={letter}"),
        &[("upstash-retries", "5")],
        "",
    )
    .await;
    assert_eq!(said.status, 201);
    let id = said.body["responses"][0]["messageId"].as_str().unwrap();
    mock.idle(SOON).await.unwrap();
    let new = mock.deliveries_of(id).remove(0);
    assert_ne!(new.message_id, old.message_id);
    assert_eq!(
        (new.header("n"), &new.body, new.status()),
        ("1", &old.body, 200)
    );
    assert_eq!(mock.message(id).unwrap().options.retries, 5);
    assert!(mock.dead_letters().is_empty());
    let gone = ask(&mock, "POST", &format!("/v2/dlq/retry/{letter}"), &[], "").await;
    assert_eq!(gone.status, 404);
}
