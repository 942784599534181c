//! The npm package `@upstash/qstash` publishes to the mock, and its receiver judges what the mock signs.

use belts_qstash_mock::{Faults, Forge, Keys, Mock, Refusal, When};

use serde_json::json;

use super::{destination::*, judge, peers::Peer, sign::BODY};

async fn peer(mock: &Mock) -> Peer {
    let peer = Peer::node(mock, packages()).await;
    peer.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn every_option_of_a_message_is_understood() {
    let mock = fast().start().unwrap();
    mock.stop_delivering();
    let mut peer = peer(&mock).await;
    let (url, callback) = ("https://a.example/x?y=1&z=a%20b", "https://cb.example/c");
    let request = json!([{
        "url": url,
        "body": { "a": 1 },
        "headers": { "Authorization": "Bearer user", "My-Header": "v", "Upstash-Callback-Forward-Secret": "s" },
        "method": "PUT",
        "delay": 90,
        "notBefore": 1_700_000_000,
        "retries": 0,
        "retryDelay": "1000 * (1 + retried)",
        "timeout": 30,
        "deduplicationId": "d1",
        "contentBasedDeduplication": true,
        "callback": callback,
        "failureCallback": "https://cb.example/f",
        "flowControl": { "key": "k", "parallelism": 2, "rate": 10, "period": "1m" },
        "label": ["l1", "l2"],
        "redact": { "body": true, "header": ["Authorization"] },
    }]);
    let answer = peer.call("publishJSON", request).await.unwrap();
    let message = mock.message(answer["messageId"].as_str().unwrap()).unwrap();
    assert_eq!(
        (message.url.as_str(), &message.body[..]),
        (url, &br#"{"a":1}"#[..])
    );
    judge::is_every_option(&message);
    assert_eq!(message.options.labels, ["l1", "l2"]);
    assert_eq!(message.options.callback.unwrap().options.headers[1].1, "s");
    let seen = peer
        .call("messages.get", json!([message.id]))
        .await
        .unwrap();
    assert_eq!(
        (
            &seen["maxRetries"],
            &seen["flowControlKey"],
            &seen["period"]
        ),
        (&json!(0), &json!("k"), &json!(60))
    );
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn its_receiver_believes_what_the_mock_delivers_and_nothing_else() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    judge::deliveries(&mock, &mut peer).await;
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn its_receiver_says_of_29_tokens_what_is_known_of_it() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let forge = Forge::new(
        &Keys::default(),
        "https://app.example.com/belts",
        BODY.as_bytes(),
        1_700_000_100,
    );
    // It does not pin the algorithm, wants neither `exp` nor `nbf`, and does not look at `iat`.
    let lax = [
        "alg is HS512",
        "no exp",
        "no nbf",
        "iat in the future",
        "padded signature",
    ];
    judge::forged(&mut peer, &forge, &lax, &[]).await;
    judge::vectors(&mut peer).await;
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn batches_queues_and_groups_are_understood() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let url = always(200).await;
    peer.call(
        "urlGroups.addEndpoints",
        json!([{ "name": "g", "endpoints": [{ "name": "e", "url": url }] }]),
    )
    .await
    .unwrap();
    let batch = json!([[
        { "url": format!("{url}/1"), "body": { "n": 1 }, "delay": 5, "headers": { "h": "1" } },
        { "url": format!("{url}/2"), "body": { "n": 2 }, "queueName": "q-1" },
        { "urlGroup": "g", "body": { "n": 3 } },
        { "urlGroup": "unknown", "body": {} },
    ]]);
    let answers = peer.call("batchJSON", batch).await.unwrap();
    assert!(answers[3]["error"].is_string());
    assert_eq!(answers[2][0]["url"], url);
    let enqueued = peer
        .call_queue("q-1", "enqueueJSON", json!([{ "url": url, "body": 4 }]))
        .await
        .unwrap();
    let grouped = peer
        .call("publishJSON", json!([{ "urlGroup": "g", "body": 5 }]))
        .await
        .unwrap();
    mock.idle(SOON).await.unwrap();
    let bodies = |answer: &serde_json::Value| {
        let delivery = mock
            .deliveries_of(answer["messageId"].as_str().unwrap())
            .remove(0);
        (
            String::from_utf8(delivery.body.to_vec()).unwrap(),
            delivery.header("h").to_owned(),
        )
    };
    assert_eq!(
        bodies(&answers[0]),
        (r#"{"n":1}"#.to_owned(), "1".to_owned())
    );
    assert_eq!(bodies(&answers[1]).0, r#"{"n":2}"#);
    assert_eq!(bodies(&answers[2][0]).0, r#"{"n":3}"#);
    assert_eq!(bodies(&enqueued).0, "4");
    assert_eq!(bodies(&grouped[0]).0, "5");
    assert_eq!(
        peer.call_queue("q-1", "get", json!([])).await.unwrap()["parallelism"],
        1
    );
    assert_eq!(
        peer.call("flowControl.getGlobalParallelism", json!([]))
            .await
            .unwrap()["parallelismMax"],
        64
    );
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn duplicates_are_told() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let request = json!([{ "url": "https://a.example", "body": "x", "delay": 1_000_000, "deduplicationId": "d" }]);
    let first = peer.call("publish", request.clone()).await.unwrap();
    assert!(first.get("deduplicated").is_none());
    let second = peer.call("publish", request).await.unwrap();
    assert_eq!(
        second,
        json!({ "messageId": first["messageId"], "deduplicated": true })
    );
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn dead_letters_are_listed_deleted_and_retried() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let url = always(500).await;
    let request =
        json!([{ "url": url, "body": "x", "retries": 0, "label": "l", "headers": { "h": "1" } }]);
    for _ in 0..3 {
        peer.call("publish", request.clone()).await.unwrap();
        mock.idle(SOON).await.unwrap();
    }
    let list = peer
        .call(
            "dlq.listMessages",
            json!([{ "count": 2, "filter": { "label": "l", "responseStatus": 500 } }]),
        )
        .await
        .unwrap();
    assert_eq!(list["messages"].as_array().unwrap().len(), 2);
    let rest = peer
        .call("dlq.listMessages", json!([{ "cursor": list["cursor"] }]))
        .await
        .unwrap();
    assert_eq!(rest["messages"].as_array().unwrap().len(), 1);
    assert!(rest.get("cursor").is_none());
    let letter = &list["messages"][0];
    assert_eq!(
        (&letter["responseStatus"], &letter["header"]["H"]),
        (&json!(500), &json!(["1"]))
    );
    let retried = peer
        .call("dlq.retry", json!([letter["dlqId"]]))
        .await
        .unwrap();
    assert_ne!(retried["responses"][0]["messageId"], letter["messageId"]);
    mock.idle(SOON).await.unwrap();
    assert_eq!(
        mock.dead_letters().len(),
        3,
        "the retried message failed as well"
    );
    let deleted = peer
        .call("dlq.delete", json!([list["messages"][1]["dlqId"]]))
        .await
        .unwrap();
    assert_eq!(deleted["deleted"], 1);
    let deleted = peer
        .call("dlq.delete", json!([{ "all": true, "count": 1 }]))
        .await
        .unwrap();
    assert!(
        deleted["deleted"] == 1 && deleted["cursor"].is_string(),
        "{deleted}"
    );
    let retried = peer
        .call("dlq.retry", json!([{ "filter": { "url": url } }]))
        .await
        .unwrap();
    assert_eq!(retried["responses"].as_array().unwrap().len(), 1);
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn messages_are_cancelled() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let mut ids = Vec::new();
    for label in ["a", "b", "c", "d"] {
        let request =
            json!([{ "url": "https://a.example", "body": label, "delay": "30d", "label": label }]);
        ids.push(peer.call("publish", request).await.unwrap()["messageId"].clone());
    }
    let mut cancel = async |what| peer.call("messages.cancel", json!([what])).await;
    assert_eq!(cancel(ids[0].clone()).await.unwrap()["cancelled"], 1);
    assert_eq!(cancel(ids[0].clone()).await.unwrap_err().status, Some(404));
    assert_eq!(
        cancel(json!([ids[0], ids[1]])).await.unwrap()["cancelled"],
        1
    );
    assert_eq!(
        cancel(json!({ "filter": { "label": ["c", "x"] } }))
            .await
            .unwrap()["cancelled"],
        1
    );
    assert_eq!(
        cancel(json!({ "all": true })).await.unwrap()["cancelled"],
        1
    );
    mock.idle(SOON).await.unwrap();
    let logs = peer
        .call("logs", json!([{ "filter": { "state": "CANCELED" } }]))
        .await
        .unwrap();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 4);
}

#[tokio::test]
#[cfg_attr(not(has_node), ignore = "no node or npm found: install them")]
async fn errors_are_understood() {
    let mock = Mock::settings().token("right").start().unwrap();
    let mut peer = peer(&mock).await;
    let request = json!([{ "url": "https://a.example", "body": "x", "delay": "1d" }]);
    let error = peer
        .call("messages.get", json!(["msg_unknown"]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.name.as_str(), error.status),
        ("QstashError", Some(404))
    );
    assert!(error.message.contains(r#"{"error":"#));
    let refuse = Some(Refusal::rate_limited(When::Next(1), 1_700_000_000));
    mock.set_faults(Faults {
        refuse,
        ..Faults::default()
    });
    let error = peer.call("publish", request.clone()).await.unwrap_err();
    assert_eq!(
        (error.name.as_str(), error.status),
        ("QstashRatelimitError", Some(429))
    );
    let mut stranger = Peer::node_with_token(&mock, "wrong", packages())
        .await
        .unwrap();
    assert_eq!(
        stranger.call("publish", request).await.unwrap_err().status,
        Some(401)
    );
    assert_eq!(mock.counts().messages, 0);
}
