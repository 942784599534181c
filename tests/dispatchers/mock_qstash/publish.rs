//! Publishing: who may, where the message goes, and what is refused.

use belts_qstash_mock::State;
use serde_json::json;

use super::destination::*;

#[tokio::test]
async fn only_the_right_token_may_publish() {
    let mock = fast().start().unwrap();
    let path = "/v2/publish/http://a.example/";
    for wrong in ["Bearer wrong", "mock-token", ""] {
        let said = ask(&mock, "POST", path, &[("authorization", wrong)], "").await;
        assert_eq!(said.status, 401, "{wrong}");
        assert!(said.body["error"].is_string());
    }
    assert_eq!(mock.counts().messages, 0);
    let in_query = format!("{path}?upstash-delay=1d&qstash_token={}", mock.token());
    let said = ask(&mock, "POST", &in_query, &[("authorization", "")], "").await;
    assert_eq!(said.status, 200);
    assert_eq!(mock.messages()[0].url, "http://a.example/");
}

#[tokio::test]
async fn the_destination_is_called_with_its_own_escapes_and_query() {
    let mock = fast().start().unwrap();
    let url = destination(|seen| assert_eq!(seen.path, "/c%2Fd//e/?x=1&y=a%20b")).await;
    let deliveries = delivered(
        &mock,
        &format!("{url}/c%2Fd//e/?x=1&upstash-retries=0&y=a%20b"),
        &[],
    )
    .await;
    assert_eq!(deliveries[0].status(), 200);
    assert_eq!(mock.messages()[0].options.retries, 0);
}

#[tokio::test]
async fn method_body_and_headers_arrive_as_they_were_published() {
    let mock = fast().region("US-EAST-1").start().unwrap();
    let url = always(200).await;
    let headers = [
        ("content-type", "text/x-own"),
        ("upstash-method", "PATCH"),
        ("upstash-forward-my-header", "mine"),
        ("upstash-forward-authorization", "Bearer user"),
        ("my-other", "not forwarded"),
    ];
    let deliveries = delivered(&mock, &url, &headers).await;
    let delivery = &deliveries[0];
    assert_eq!(
        (delivery.method.as_str(), &delivery.body[..]),
        ("PATCH", &b"hello"[..])
    );
    let seen = [
        "content-type",
        "my-header",
        "authorization",
        "my-other",
        "user-agent",
        "upstash-retried",
        "upstash-caller-ip",
        "upstash-region",
    ];
    let seen = seen.map(|name| delivery.header(name));
    assert_eq!(
        seen,
        [
            "text/x-own",
            "mine",
            "Bearer user",
            "",
            "Upstash-QStash",
            "0",
            "127.0.0.1",
            "US-EAST-1"
        ]
    );
    assert_eq!(delivery.header("upstash-message-id"), delivery.message_id);
}

#[tokio::test]
async fn all_headers_are_forwarded_where_that_is_asked() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let deliveries = delivered(
        &mock,
        &format!("{url}?upstash-header-forward=true"),
        &[("x-hook", "1")],
    )
    .await;
    assert_eq!(deliveries[0].header("x-hook"), "1");
    assert_eq!(deliveries[0].header("authorization"), "");
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_not_kept() {
    let mock = fast().start().unwrap();
    let wrong = [
        ("upstash-retries", "-1"),
        ("upstash-retries", "many"),
        ("upstash-delay", "10"),
        ("upstash-not-before", "tomorrow"),
        ("upstash-timeout", "1 s"),
        ("upstash-method", "BREW"),
        ("upstash-retry-delay", "sin(retried)"),
        ("upstash-callback", "callback"),
        ("upstash-failure-callback", "ftp://a.example"),
        ("upstash-callback-retries", "x"),
        ("upstash-flow-control-key", "alone"),
        ("upstash-redact-fields", "soul"),
    ];
    for header in wrong {
        // The callback's options count only with a callback.
        let headers = [("upstash-callback", "http://cb.example"), header];
        let headers = if header.0 == "upstash-callback" {
            &headers[1..]
        } else {
            &headers[..]
        };
        let said = ask(&mock, "POST", "/v2/publish/http://a.example", headers, "").await;
        assert_eq!(said.status, 400, "{header:?}");
        assert!(said.body["error"].is_string());
    }
    for (target, status) in [("ftp://a.example", 400), ("no-such-group", 404)] {
        assert_eq!(
            ask(&mock, "POST", &format!("/v2/publish/{target}"), &[], "")
                .await
                .status,
            status,
            "{target}"
        );
    }
    assert_eq!(
        ask(&mock, "GET", "/v2/publish/http://a.example", &[], "")
            .await
            .status,
        405
    );
    assert_eq!(mock.counts().messages, 0);
}

#[tokio::test]
async fn a_wrong_flow_control_value_gets_the_services_own_words() {
    let mock = fast().start().unwrap();
    let headers = [
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "speed=3"),
    ];
    let said = ask(&mock, "POST", "/v2/publish/http://a.example", &headers, "").await;
    let error = said.body["error"].as_str().unwrap();
    assert!(
        error.starts_with("Upstash-Flow-Control-Value should be either rate=X or parallelism=Y"),
        "{error}"
    );
}

#[tokio::test]
async fn each_item_of_a_batch_is_taken_or_refused_by_itself() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let batch = json!([
        { "destination": url, "headers": { "Upstash-Forward-N": "1", "content-type": "text/plain" }, "body": "one" },
        { "destination": "nowhere", "body": "two" },
        { "destination": url, "queue": "q-1", "headers": null, "body": null },
    ]);
    let said = ask(&mock, "POST", "/v2/batch", &[], &batch.to_string()).await;
    assert_eq!(said.status, 200);
    assert!(said.body[1]["error"].is_string());
    mock.idle(SOON).await.unwrap();
    let first = &mock.deliveries_of(said.body[0]["messageId"].as_str().unwrap())[0];
    assert_eq!(
        (
            first.header("n"),
            first.header("content-type"),
            &first.body[..]
        ),
        ("1", "text/plain", &b"one"[..])
    );
    assert_eq!(
        mock.message(said.body[2]["messageId"].as_str().unwrap())
            .unwrap()
            .queue
            .as_deref(),
        Some("q-1")
    );
}

#[tokio::test]
async fn a_full_mock_takes_no_more() {
    let mock = fast().capacity(1).start().unwrap();
    let path = "/v2/publish/http://a.example";
    assert_eq!(
        ask(&mock, "POST", path, &[("upstash-delay", "1d")], "")
            .await
            .status,
        200
    );
    assert_eq!(
        ask(&mock, "POST", path, &[("upstash-delay", "1d")], "")
            .await
            .status,
        412
    );
}

#[tokio::test]
async fn a_group_gets_one_message_for_each_of_its_urls() {
    let mock = fast().start().unwrap();
    let (one, two) = (always(200).await, always(200).await);
    let endpoints = json!({ "endpoints": [{ "name": "first", "url": one }, { "url": two }] });
    ask(
        &mock,
        "POST",
        "/v2/topics/my-group/endpoints",
        &[("content-type", "application/json")],
        &endpoints.to_string(),
    )
    .await;
    let said = ask(
        &mock,
        "POST",
        "/v2/publish/my-group",
        &[("upstash-deduplication-id", "d")],
        "x",
    )
    .await;
    let urls = said
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|taken| taken["url"].as_str().unwrap());
    assert_eq!(urls.collect::<Vec<_>>(), [one.as_str(), two.as_str()]);
    mock.idle(SOON).await.unwrap();
    let deliveries = mock.deliveries();
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.header("upstash-topic-name") == "my-group")
    );
    assert_eq!(deliveries.len(), 2);
}

#[tokio::test]
async fn a_message_is_found_until_its_end_and_shows_no_secret() {
    let mock = fast().start().unwrap();
    mock.stop_delivering();
    let headers = [
        ("upstash-redact-fields", "body, header[secret]"),
        ("upstash-forward-secret", "s"),
        ("upstash-forward-open", "o"),
    ];
    let id = publish(&mock, &always(200).await, &headers).await;
    let path = format!("/v2/messages/{id}");
    let said = get(&mock, &path).await;
    assert_eq!(
        said.body["body"],
        "REDACTED:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(said.body["header"]["Open"], json!(["o"]));
    assert!(
        said.body["header"]["Secret"][0]
            .as_str()
            .unwrap()
            .starts_with("REDACTED:")
    );
    mock.continue_delivering();
    mock.idle(SOON).await.unwrap();
    assert_eq!(&mock.deliveries()[0].body[..], b"hello");
    assert_eq!(get(&mock, &path).await.status, 404);
}

#[tokio::test]
async fn what_waits_can_be_cancelled_by_id_by_filter_or_all_at_once() {
    let mock = fast().start().unwrap();
    let later = [("upstash-delay", "30d")];
    let one = publish(&mock, "http://a.example/x", &later).await;
    let two = publish(
        &mock,
        "http://a.example/y",
        &[later[0], ("upstash-label", "l1,l2")],
    )
    .await;
    let three = publish(&mock, "http://b.example", &later).await;
    let four = publish(&mock, "http://c.example", &later).await;
    let cancel = |path: String| ask_cancel(&mock, path);
    assert_eq!(cancel(format!("/v2/messages/{one}")).await, (202, json!(1)));
    assert_eq!(cancel(format!("/v2/messages/{one}")).await.0, 404);
    assert_eq!(
        cancel("/v2/messages?label=l2&host=a.example".to_owned()).await,
        (202, json!(1))
    );
    assert_eq!(
        cancel(format!(
            "/v2/messages?messageIds={three}&messageIds=unknown"
        ))
        .await,
        (202, json!(1))
    );
    assert_eq!(cancel("/v2/messages".to_owned()).await, (202, json!(1)));
    assert!(
        [one, two, three, four]
            .iter()
            .all(|id| mock.message(id).unwrap().state == State::Cancelled)
    );
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries().len(), 0);
}

async fn ask_cancel(mock: &belts_qstash_mock::Mock, path: String) -> (u16, serde_json::Value) {
    let said = ask(mock, "DELETE", &path, &[], "").await;
    (said.status, said.body["cancelled"].clone())
}
