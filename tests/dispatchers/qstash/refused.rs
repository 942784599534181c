//! Messages that a worker cannot take, and how the service hears whether they may come again.

use belts::dispatch::Dispatcher as _;
use belts::{Worker, dispatch::Message, store::Memory};
use belts_qstash_mock::{Delivery, Mock, State};

use super::mail::*;

/// The deliveries of a message with this body.
async fn delivered(mock: &Mock, url: &str, headers: &[(&str, &str)], body: &str) -> Vec<Delivery> {
    let said = ask(mock, "POST", &format!("/v2/publish/{url}"), headers, body).await;
    mock.idle(SOON).await.unwrap();
    mock.deliveries_of(&said.id())
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn what_no_retry_can_help_is_a_dead_letter_at_once() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let served = place.worker(to(&mock, &url).build().unwrap()).await;
    let long = format!("{{\"event\":\"{}\"}}", "x".repeat(1024 * 1024));
    let bad = [
        (JSON, "no json"),
        (JSON, "{}"),
        (
            ("content-type", "text/plain"),
            r#"{"event":{"type":"mail-ordered","name":"a"}}"#,
        ),
    ];
    for (count, (kind, body)) in bad.iter().enumerate() {
        let deliveries = delivered(&mock, &url, &[*kind], body).await;
        let statuses: Vec<_> = deliveries.iter().map(Delivery::status).collect();
        assert_eq!(statuses, [489], "{body}");
        let answer = deliveries[0].answer.as_ref().unwrap();
        assert_eq!(answer.headers["upstash-nonretryable-error"], "true");
        assert_eq!(mock.dead_letters().len(), count + 1);
    }
    // What is too long cannot be verified to be the service's, so it is not told in its own way.
    let deliveries = delivered(&mock, &url, &[JSON, ("upstash-retries", "0")], &long).await;
    assert_eq!(deliveries[0].status(), 413);
    assert!(runs(&served.worker).await.is_empty());
}

#[tokio::test]
async fn what_does_not_fit_this_program_comes_again() {
    // In a deploy it was a dead letter at its first arrival, if the other version received it.
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let _served = place.worker(to(&mock, &url).build().unwrap()).await;
    for body in [
        r#"{"v":2,"event":{"type":"mail-ordered","name":"a"}}"#,
        r#"{"event":{"type":"mail-ordered"}}"#,
        r#"{"event":{"type":"mail-ordered","name":"a"},"context":{"functionId":"not-yet"}}"#,
    ] {
        let deliveries = delivered(&mock, &url, &[JSON, ("upstash-retries", "1")], body).await;
        assert_eq!(deliveries.len(), 2, "{body}");
        assert!(
            deliveries
                .iter()
                .all(|it| (400..=404).contains(&it.status())),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_wake_up_of_a_run_that_is_purged_is_done() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let _served = place.worker(to(&mock, &url).build().unwrap()).await;
    for context in [
        r#"{"executionId":"gone","timestamp":1}"#,
        r#"{"executionId":"gone"}"#,
    ] {
        let body = format!(r#"{{"v":1,"context":{context}}}"#);
        let deliveries = delivered(&mock, &url, &[JSON], &body).await;
        let statuses: Vec<_> = deliveries.iter().map(Delivery::status).collect();
        assert_eq!(statuses, [200], "{body}");
    }
    assert!(mock.dead_letters().is_empty());
}

#[tokio::test]
async fn an_event_that_nobody_takes_yet_comes_again() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let _served = place.worker(to(&mock, &url).build().unwrap()).await;
    let body = r#"{"event":{"type":"nobody-takes-it"}}"#;
    let deliveries = delivered(&mock, &url, &[JSON], body).await;
    let statuses: Vec<_> = deliveries.iter().map(Delivery::status).collect();
    assert_eq!(
        statuses, [404; 4],
        "a worker that takes it may be on its way"
    );
    assert_eq!(mock.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_message_without_retries_is_delivered_once() {
    let mock = fast().start().unwrap();
    let url = destination(|_| with_headers(500, [])).await;
    let qstash = to(&mock, &url).retries(0).build().unwrap();
    let sent = qstash.send(vec![Message::new("m1", *b"{}")]).await.unwrap();
    sent[0].as_ref().unwrap();
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().deliveries, 1);
    assert_eq!(mock.messages()[0].state, State::Failed);
}

#[tokio::test]
async fn a_worker_that_shuts_down_says_when_to_come_back() {
    let mock = fast().start().unwrap();
    let place = Place::new().await;
    let url = place.url.clone();
    let worker = Worker::builder()
        .store(Memory::new())
        .function(mail)
        .dispatcher(to(&mock, &url).retries(0).build().unwrap());
    let worker = worker.build().await.unwrap();
    place.serve_only(worker.router());
    worker.shutdown();
    let deliveries = delivered(
        &mock,
        &url,
        &[JSON, ("upstash-retries", "1")],
        &foreign("late"),
    )
    .await;
    assert_eq!(deliveries.len(), 2);
    let answer = deliveries[0].answer.as_ref().unwrap();
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (503, &"5".parse().unwrap())
    );
}
