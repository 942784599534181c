//! The table of errors.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};

use crate::router::*;

async fn refused(body: &str) -> Answer {
    let answer = send(&worker().await, post(body.to_owned())).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    answer
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_wrong_with_a_body_is_said() {
    let long = "x".repeat(201);
    let context = |context: &str| {
        format!(
            r#"{{"event":{{"type":"order-created","order_id":"o","cents":1}},"context":{context}}}"#
        )
    };
    let cases = [
        (String::new(), "bad-json", "line 1 column 0"),
        (
            "{\n \"event\": {,}}".to_owned(),
            "bad-json",
            "line 2 column 12",
        ),
        (
            r#"{"event":{}} trailing"#.to_owned(),
            "bad-json",
            "trailing characters",
        ),
        (
            "[]".to_owned(),
            "bad-request",
            "the body must be a JSON object",
        ),
        (
            r#""secret""#.to_owned(),
            "bad-request",
            "the body must be a JSON object",
        ),
        ("{}".to_owned(), "bad-request", "`event` is missing"),
        (
            r#"{"event":null}"#.to_owned(),
            "bad-request",
            "`event` is missing",
        ),
        (
            r#"{"event":"secret"}"#.to_owned(),
            "bad-request",
            "`event` must be a JSON object",
        ),
        (
            r#"{"event":{},"event":{}}"#.to_owned(),
            "bad-request",
            "`event` is there twice",
        ),
        (
            r#"{"event":{"cents":1}}"#.to_owned(),
            "bad-request",
            "`event.type` is missing",
        ),
        (
            r#"{"event":{"type":7}}"#.to_owned(),
            "bad-request",
            "`event.type` must be a string",
        ),
        (
            r#"{"event":{"type":""}}"#.to_owned(),
            "bad-request",
            "`event.type` is empty",
        ),
        (
            r#"{"event":{"type":"a","type":"b"}}"#.to_owned(),
            "bad-request",
            "`event.type` is there twice",
        ),
        (
            context("7"),
            "bad-request",
            "`context` must be a JSON object",
        ),
        (
            context(r#"{"functionId":7}"#),
            "bad-request",
            "`context.functionId` must be a string",
        ),
        (
            context(r#"{"executionId":["secret"]}"#),
            "bad-request",
            "`context.executionId` must be a string",
        ),
        (
            context(r#"{"executionId":""}"#),
            "bad-request",
            "`context.executionId` is empty",
        ),
        (
            context(r#"{"executionId":"a\u0000"}"#),
            "bad-request",
            "control characters",
        ),
        (
            context(&format!(r#"{{"executionId":"{long}"}}"#)),
            "bad-request",
            "`context.executionId` has more than 200",
        ),
        (
            context(&format!(r#"{{"functionId":"{long}"}}"#)),
            "bad-request",
            "`context.functionId` has more than 200",
        ),
        (
            context(r#"{"executionTarget":{}}"#),
            "bad-request",
            "`context.executionTarget` must be a string",
        ),
        (
            context(r#"{"timestamp":"yesterday"}"#),
            "bad-request",
            "`context.timestamp` must be a time by RFC 3339",
        ),
        (
            context(r#"{"timestamp":true}"#),
            "bad-request",
            "`context.timestamp` must be",
        ),
        (
            context(r#"{"timestamp":99999999999999999999}"#),
            "bad-request",
            "`context.timestamp` must be",
        ),
    ];
    for (body, code, part) in cases {
        let answer = refused(&body).await;
        assert_eq!(answer.code(), (400, code.to_owned()), "{body}");
        assert!(
            answer.message().contains(part),
            "{body}: {}",
            answer.message()
        );
        assert!(
            !answer.message().contains("secret"),
            "{body}: {}",
            answer.message()
        );
    }
}

#[tokio::test]
async fn an_event_that_does_not_fit_names_the_field_and_not_its_value() {
    let cases = [
        (
            r#"{"type":"order-created","order_id":"o","cents":"secret"}"#,
            "`cents`: expected u64",
        ),
        (
            r#"{"type":"order-created","order_id":"o"}"#,
            "missing field `cents`",
        ),
        (
            r#"{"type":"order-cancelled","reason":""}"#,
            "there is no reason",
        ),
    ];
    for (event, part) in cases {
        let answer = refused(&format!(r#"{{"event":{event}}}"#)).await;
        assert_eq!(answer.code(), (400, "invalid-event".to_owned()), "{event}");
        assert!(
            answer.message().contains(part),
            "{event}: {}",
            answer.message()
        );
        assert!(
            !answer.message().contains("secret"),
            "{event}: {}",
            answer.message()
        );
    }
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_not_found() {
    let answer = refused(r#"{"event":{"type":"order-lost"}}"#).await;
    assert_eq!(answer.code(), (404, "unknown-event".to_owned()));
    assert!(
        answer.message().contains("order-cancelled, order-created"),
        "{}",
        answer.message()
    );
}

#[tokio::test]
async fn a_function_that_is_not_there_or_does_not_take_the_event_is_refused() {
    let body = |id: &str| {
        format!(
            r#"{{"event":{{"type":"order-created","order_id":"o","cents":1}},"context":{{"functionId":"{id}"}}}}"#
        )
    };
    let answer = refused(&body("lost")).await;
    assert_eq!(answer.code(), (404, "unknown-function".to_owned()));
    assert!(answer.message().contains("process-order"));
    let answer = refused(&body("refund/money")).await;
    assert_eq!(answer.code(), (400, "bad-request".to_owned()));
    assert!(answer.message().contains("order-cancelled"));
}

#[tokio::test]
async fn a_run_of_another_function_is_refused() {
    let worker = worker().await;
    let body = r#"{"event":{"type":"order-created","order_id":"o","cents":1},"context":{"executionId":"r"}}"#;
    assert_eq!(send(&worker, post(body)).await.status, StatusCode::OK);
    let body = r#"{"event":{"type":"order-cancelled","reason":"x"},"context":{"executionId":"r","functionId":"refund/money"}}"#;
    assert_eq!(
        send(&worker, post(body)).await.code(),
        (404, "unknown-run".to_owned())
    );
}

#[tokio::test]
async fn a_new_run_id_needs_a_function_where_several_listen() {
    let body = r#"{"event":{"type":"order-cancelled","reason":"x"},"context":{"executionId":"r"}}"#;
    let answer = refused(body).await;
    assert_eq!(answer.code(), (400, "bad-request".to_owned()));
    assert!(answer.message().contains("name the function"));
}

#[tokio::test]
async fn an_unknown_mode_is_refused() {
    let request = json("/?mode=async")
        .body(r#"{"event":{"type":"slept"}}"#.into())
        .unwrap();
    let answer = send(&worker().await, request).await;
    assert_eq!(answer.code(), (400, "bad-request".to_owned()));
    assert!(answer.message().contains("`accept`, `sync` or `stream`"));
}

#[tokio::test]
async fn a_message_id_that_is_too_long_is_refused() {
    let request = json("/")
        .header("webhook-id", "x".repeat(201))
        .body(r#"{"event":{"type":"slept"}}"#.into())
        .unwrap();
    assert_eq!(
        send(&worker().await, request).await.code(),
        (400, "bad-request".to_owned())
    );
}

/// What no id can be is the sender's mistake, and was told as one of the worker's.
#[tokio::test]
async fn a_message_id_that_is_no_text_is_refused() {
    let worker = worker().await;
    for id in [&b"msg_\xff"[..], b"\xc3\x28", b"a\tb"] {
        let request = json("/").header("webhook-id", id);
        let request = request.body(r#"{"event":{"type":"slept"}}"#.into());
        let answer = send(&worker, request.unwrap()).await;
        assert_eq!(answer.code(), (400, "bad-request".to_owned()), "{id:?}");
    }
    assert!(worker.runs().list().await.unwrap().runs.is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_whether_its_size_is_announced_or_not() {
    let worker = builder().max_body_bytes(1000).build().await.unwrap();
    let large = " ".repeat(10 * 1024 * 1024);
    let announced = send(&worker, post(large.clone())).await;
    assert_eq!(announced.code(), (413, "too-large".to_owned()));
    assert!(announced.message().contains("1000 bytes"));
    let chunks = large
        .into_bytes()
        .chunks(64 * 1024)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
        .collect::<Vec<_>>();
    let streamed = post(Body::from_stream(futures_util::stream::iter(chunks)));
    assert_eq!(
        send(&worker, streamed).await.code(),
        (413, "too-large".to_owned())
    );
    let fits = format!(
        "{:1000}",
        r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#
    );
    assert_eq!(send(&worker, post(fits)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_limit_is_one_mebibyte_where_nothing_is_said() {
    let worker = worker().await;
    let event = r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#;
    let padded = |bytes: usize| event.to_owned() + &" ".repeat(bytes - event.len());
    assert_eq!(
        send(&worker, post(padded(1024 * 1024))).await.status,
        StatusCode::OK
    );
    assert_eq!(
        send(&worker, post(padded(1024 * 1024 + 1))).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn only_json_is_taken() {
    let worker = worker().await;
    let event = r#"{"event":{"type":"order-created","order_id":"o","cents":1}}"#;
    for (given, status) in [
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=utf-8"), 200),
        (Some("application/cloudevents+json"), 200),
        (Some("application/+json"), 415),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/jsonp"), 415),
        (None, 415),
    ] {
        let mut request = Request::post("/");
        if let Some(given) = given {
            request = request.header("content-type", given);
        }
        let answer = send(&worker, request.body(event.into()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{given:?}");
        if status == 415 {
            assert_eq!(answer.code().1, "not-json");
        }
    }
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let worker = worker().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let request = Request::builder()
            .method(&method)
            .uri("/")
            .body(Body::empty())
            .unwrap();
        let answer = send(&worker, request).await;
        assert_eq!(
            answer.code(),
            (405, "method-not-allowed".to_owned()),
            "{method}"
        );
        assert_eq!(answer.headers["allow"], "GET, HEAD, POST");
    }
    let answer = send(&worker, json("/health").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.headers["allow"].to_str().unwrap()
        ),
        (405, "GET, HEAD")
    );
}
