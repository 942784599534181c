//! A message that was published already is not published again, for a while.

use std::time::Duration;

use super::destination::*;

const LATER: (&str, &str) = ("upstash-delay", "30d");

#[tokio::test]
async fn the_same_id_is_answered_with_the_earlier_message() {
    let mock = fast().start().unwrap();
    let headers = [LATER, ("upstash-deduplication-id", "d1")];
    let first = publish(&mock, "http://a.example", &headers).await;
    let said = ask(
        &mock,
        "POST",
        "/v2/publish/http://b.example",
        &headers,
        "other",
    )
    .await;
    assert_eq!((said.status, said.id()), (202, first));
    assert_eq!(said.body["deduplicated"], true);
    let counts = mock.counts();
    assert_eq!((counts.messages, counts.duplicates), (1, 1));
}

#[tokio::test]
async fn the_same_content_is_a_duplicate_and_other_content_is_not() {
    let mock = fast().duplicate_status(200).start().unwrap();
    let by_content = ("upstash-content-based-deduplication", "True");
    let first = publish(
        &mock,
        "http://a.example",
        &[LATER, by_content, ("content-type", "text/plain")],
    )
    .await;
    let again = publish(
        &mock,
        "http://a.example",
        &[LATER, by_content, ("content-type", "text/plain")],
    )
    .await;
    assert_eq!(again, first);
    let others = [
        publish(
            &mock,
            "http://a.example/2",
            &[LATER, by_content, ("content-type", "text/plain")],
        )
        .await,
        publish(
            &mock,
            "http://a.example",
            &[LATER, by_content, ("content-type", "text/html")],
        )
        .await,
        publish(
            &mock,
            "http://a.example",
            &[
                LATER,
                by_content,
                ("content-type", "text/plain"),
                ("upstash-forward-n", "1"),
            ],
        )
        .await,
        publish(
            &mock,
            "http://a.example",
            &[LATER, ("content-type", "text/plain")],
        )
        .await,
    ];
    assert!(others.iter().all(|other| *other != first));
}

#[tokio::test]
async fn a_message_at_its_end_still_keeps_others_out() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let headers = [("upstash-deduplication-id", "d1")];
    delivered(&mock, &url, &headers).await;
    let said = ask(&mock, "POST", &format!("/v2/publish/{url}"), &headers, "").await;
    assert_eq!(said.body["deduplicated"], true);
}

#[tokio::test]
async fn after_the_window_the_message_is_new() {
    let mock = fast().deduplicate_for(Duration::ZERO).start().unwrap();
    let headers = [LATER, ("upstash-deduplication-id", "d1")];
    let first = publish(&mock, "http://a.example", &headers).await;
    assert_ne!(publish(&mock, "http://a.example", &headers).await, first);
}
