//! What a publisher is told when the service does not take a message.

use std::{sync::Arc, time::Duration};

use belts::{
    ErrorKind, Worker,
    dispatch::{Dispatcher, Message, Qstash},
};
use belts_qstash_mock::{Faults, Refusal, When};
use tokio::sync::Semaphore;

use super::{super::mock_qstash::destination::gated, mail::*};

async fn error_of(qstash: &Qstash) -> belts::Error {
    let sent = qstash.send(vec![Message::new("m1", *b"{}")]).await;
    sent.and_then(|mut answers| answers.remove(0)).unwrap_err()
}

#[tokio::test]
async fn a_wrong_token_names_the_setting_and_can_be_put_right() {
    let mock = fast().start().unwrap();
    let error = error_of(&impatient(mock.url()).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    let told = told(&error);
    assert!(
        told.contains("rejects the token: set the token, or QSTASH_TOKEN,"),
        "{told}"
    );
    assert!(told.contains("each region has its own"), "{told}");
    assert_eq!(mock.requests().len(), 1, "it does not help to ask again");
}

#[tokio::test]
async fn too_many_messages_are_told_apart_by_their_limit() {
    let mock = fast().start().unwrap();
    let qstash = to(&mock, "https://app.example/belts").build().unwrap();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cases = [
        (
            vec![
                header("burst-ratelimit-limit", "100"),
                header("burst-ratelimit-reset", "1900000000"),
            ],
            "too many requests in one second; try again after 2030-03-17T17:46:40Z: HTTP status 429",
        ),
        (
            vec![
                header("burst-ratelimit-limit", "100"),
                header("ratelimit-limit", "1000"),
                header("ratelimit-reset", "3600"),
            ],
            "accepts no more messages today: the plan's limit is reached; try again in 3600 s",
        ),
        (
            vec![
                header("ratelimit-limit", "1000"),
                header("x-ratelimit-limit-requests", "3"),
                header("x-ratelimit-reset-requests", "6m5s"),
            ],
            "too many requests to a language model; try again in 6m5s",
        ),
        (Vec::new(), "received too many requests"),
    ];
    for (headers, part) in cases {
        let mut refusal = Refusal::new(When::Always, 429);
        refusal.headers = headers;
        mock.set_faults(Faults {
            refuse: Some(refusal),
            ..Faults::default()
        });
        let error = error_of(&qstash).await;
        assert_eq!(error.kind(), ErrorKind::Dispatcher);
        assert!(told(&error).contains(part), "{}", told(&error));
    }
    assert_eq!(mock.requests().len(), 4, "each was asked once");
}

#[tokio::test]
async fn each_status_says_whether_another_try_can_help() {
    let cases = [
        (302, ErrorKind::Dispatcher, "set QSTASH_URL"),
        (400, ErrorKind::Config, "rejects the message"),
        (404, ErrorKind::Dispatcher, "set QSTASH_URL"),
        (412, ErrorKind::Dispatcher, "did not accept the message"),
        (413, ErrorKind::TooLarge, "larger than the plan allows"),
        (500, ErrorKind::Dispatcher, "did not accept the message"),
    ];
    for (status, kind, part) in cases {
        let words = format!("no <hunter2> today\n{}", "é".repeat(500));
        let base = destination(move |_| (with_headers(status, []).status(), words.clone())).await;
        let error = error_of(&impatient(&base).build().unwrap()).await;
        let told = told(&error);
        assert_eq!(error.kind(), kind, "{told}");
        assert!(
            told.contains(part) && told.contains("no <…> today é"),
            "{told}"
        );
        assert!(told.contains(&format!("HTTP status {status}")), "{told}");
        assert!(told.chars().count() < 600, "{told}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_an_error_after_its_time() {
    let base = gated(Arc::new(Semaphore::new(0))).await;
    let error = error_of(&impatient(&base).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    let told = told(&error);
    assert!(told.contains("does not respond in time"), "{told}");
    let host = base.trim_start_matches("http://");
    assert!(told.contains(&format!("QStash at {host}")), "{told}");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_asked_again_and_then_named() {
    let place = Place::new().await;
    let base = place.url.clone();
    drop(place);
    let error = error_of(&impatient(&base).build().unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Dispatcher);
    assert!(
        told(&error).contains("cannot be reached"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn an_answer_that_is_not_the_services_is_an_error() {
    for answer in ["", "{}", "[]", "<html>", r#"{"messageId":null}"#] {
        let base = destination(move |_| answer).await;
        let error = error_of(&impatient(&base).build().unwrap()).await;
        assert_eq!(error.kind(), ErrorKind::Dispatcher);
        assert!(
            told(&error).contains("cannot be interpreted"),
            "{}",
            told(&error)
        );
    }
}

#[tokio::test]
async fn an_event_that_is_too_big_never_leaves() {
    let mock = fast().start().unwrap();
    let url = "https://app.example/belts";
    let qstash = to(&mock, url).max_bytes(500).build().unwrap();
    let publisher = Worker::builder().publish_only().dispatcher(qstash);
    let publisher = publisher.build().await.unwrap();
    let order = publish_mail_ordered(mail_ordered(&"x".repeat(500)));
    let error = order.via(&publisher).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{}", told(&error));
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn a_wrong_setting_is_named_when_the_dispatcher_is_built() {
    let new = || Qstash::builder("hunter2", "https://app.example/belts");
    let day = Duration::from_secs(24 * 60 * 60);
    let cases = [
        (Qstash::builder("", "https://app.example"), "QSTASH_TOKEN"),
        (
            Qstash::builder("hunter2\n", "https://app.example"),
            "QSTASH_TOKEN",
        ),
        (
            Qstash::builder("hunter2", "app.example"),
            "wrong `destination`",
        ),
        (
            Qstash::builder("hunter2", "https://a.example?upstash-delay=1s"),
            "`upstash-delay`",
        ),
        (new().url("hunter2"), "wrong `url`"),
        (
            new().signing_keys("hunter2", "sig_b"),
            "the current signing key must begin with `sig_`",
        ),
        (
            new().signing_keys("sig_a", ""),
            "the next signing key must begin",
        ),
        (
            new().region_signing_keys("us-east-1", "sig_a", ""),
            "for the region US_EAST_1",
        ),
        (new().retry_delay(""), "`retry_delay` is empty"),
        (
            new().callback("nowhere"),
            "`callback` must be a complete URL",
        ),
        (
            new().connect_timeout(Duration::ZERO),
            "`connect_timeout` of zero",
        ),
        (
            new().request_timeout(Duration::ZERO),
            "`request_timeout` of zero",
        ),
        (new().max_bytes(0), "`max_bytes` of zero"),
        (new().delay(day * 8), "`delay` longer than its `max_delay`"),
        (new().clock_tolerance(day), "`clock_tolerance`"),
    ];
    for (builder, part) in cases {
        let shown = format!("{builder:?}");
        assert!(
            !shown.contains("hunter2") || part == "wrong `url`",
            "{shown}"
        );
        let error = builder.build().expect_err(part);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(told(&error).contains(part), "{}", told(&error));
    }
}
