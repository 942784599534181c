//! The `PyPI` package `qstash` publishes to the mock, and its receiver judges what the mock signs.

use belts_qstash_mock::{Faults, Forge, Keys, Mock, Refusal, When};

use serde_json::json;

use super::{destination::*, judge, peers::Peer, sign::BODY};

async fn peer(mock: &Mock) -> Peer {
    let peer = Peer::python(mock, packages()).await;
    peer.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn every_option_of_a_message_is_understood() {
    let mock = fast().start().unwrap();
    mock.stop_delivering();
    let mut peer = peer(&mock).await;
    let url = "https://a.example/x?y=1&z=a%20b";
    let request = json!({
        "url": url,
        "body": { "a": 1 },
        "headers": { "Upstash-Forward-Authorization": "Bearer user", "Upstash-Forward-My-Header": "v" },
        "method": "PUT",
        "delay": 90,
        "not_before": 1_700_000_000,
        "retries": 0,
        "retry_delay": "1000 * (1 + retried)",
        "timeout": 30,
        "deduplication_id": "d1",
        "content_based_deduplication": true,
        "callback": "https://cb.example/c",
        "callback_headers": { "Forward-Secret": "s" },
        "failure_callback": "https://cb.example/f",
        "flow_control": { "key": "k", "parallelism": 2, "rate": 10, "period": 60 },
        "label": "l1",
        "redact": { "body": true, "header": ["Authorization"] },
    });
    let answer = peer.call("message.publish_json", request).await.unwrap();
    let message = mock
        .message(answer["message_id"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        (message.url.as_str(), &message.body[..]),
        (url, &br#"{"a": 1}"#[..])
    );
    judge::is_every_option(&message);
    assert_eq!(message.options.callback.unwrap().options.headers[1].1, "s");
    let seen = peer
        .call("message.get", json!({ "message_id": message.id }))
        .await
        .unwrap();
    assert_eq!(
        (
            &seen["max_retries"],
            &seen["flow_control"]["period"],
            &seen["label"]
        ),
        (&json!(0), &json!(60), &json!("l1"))
    );
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn its_receiver_believes_what_the_mock_delivers_and_nothing_else() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    judge::deliveries(&mock, &mut peer).await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn its_receiver_says_of_29_tokens_what_is_known_of_it() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let forge = Forge::new(
        &Keys::default(),
        "https://app.example.com/belts",
        BODY.as_bytes(),
        1_700_000_100,
    );
    // Its tolerance has no effect.
    let harsh = ["expired, tolerance", "not yet, tolerance"];
    judge::forged(&mut peer, &forge, &["padded signature"], &harsh).await;
    judge::vectors(&mut peer).await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn batches_queues_groups_and_keys_are_understood() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let url = always(200).await;
    peer.call(
        "url_group.upsert_endpoints",
        json!({ "url_group": "g", "endpoints": [{ "url": url }] }),
    )
    .await
    .unwrap();
    peer.call("queue.upsert", json!({ "queue": "q-1", "parallelism": 2 }))
        .await
        .unwrap();
    let batch = json!({ "messages": [
        { "url": format!("{url}/1"), "body": { "n": 1 }, "delay": "5s" },
        { "url": format!("{url}/2"), "body": { "n": 2 }, "queue": "q-1" },
        { "url_group": "g", "body": { "n": 3 } },
    ]});
    let answers = peer.call("message.batch_json", batch).await.unwrap();
    assert_eq!(answers[2][0]["url"], url);
    let enqueued = peer
        .call(
            "message.enqueue_json",
            json!({ "queue": "q-1", "url": url, "body": 4 }),
        )
        .await
        .unwrap();
    assert_eq!(enqueued["deduplicated"], false);
    let grouped = peer
        .call(
            "message.publish_json",
            json!({ "url_group": "g", "body": 5 }),
        )
        .await
        .unwrap();
    assert_eq!(grouped[0]["url"], url);
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().delivered, 5);
    assert_eq!(
        peer.call("queue.get", json!({ "queue": "q-1" }))
            .await
            .unwrap()["parallelism"],
        2
    );
    let rotated = peer.call("signing_key.rotate", json!({})).await.unwrap();
    assert_eq!(
        rotated,
        json!({ "current": Keys::default().next, "next": mock.keys().next })
    );
    assert_eq!(
        peer.call("signing_key.get", json!({})).await.unwrap(),
        rotated
    );
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn duplicates_are_told() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let request = json!({ "url": "https://a.example", "body": "x", "delay": "30d", "content_based_deduplication": true });
    let first = peer.call("message.publish", request.clone()).await.unwrap();
    let second = peer.call("message.publish", request).await.unwrap();
    assert_eq!(
        second,
        json!({ "message_id": first["message_id"], "deduplicated": true })
    );
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn dead_letters_are_listed_and_deleted() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let url = always(500).await;
    for _ in 0..3 {
        peer.call(
            "message.publish",
            json!({ "url": url, "body": "x", "retries": 0 }),
        )
        .await
        .unwrap();
        mock.idle(SOON).await.unwrap();
    }
    let list = peer
        .call("dlq.list", json!({ "filter": { "response_status": 500 } }))
        .await
        .unwrap();
    assert_eq!(list["cursor"], json!(null));
    let ids: Vec<_> = list["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|letter| &letter["dlq_id"])
        .collect();
    let alone = peer
        .call("dlq.get", json!({ "dlq_id": ids[0] }))
        .await
        .unwrap();
    assert_eq!(
        (&alone["response_status"], &alone["body"]),
        (&json!(500), &json!("x"))
    );
    peer.call("dlq.delete", json!({ "dlq_id": ids[0] }))
        .await
        .unwrap();
    let deleted = peer
        .call("dlq.delete_many", json!({ "dlq_ids": [ids[0], ids[1]] }))
        .await
        .unwrap();
    assert_eq!(deleted, 1);
    assert_eq!(mock.dead_letters().len(), 1);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn messages_are_cancelled_and_the_log_is_read() {
    let mock = fast().start().unwrap();
    let mut peer = peer(&mock).await;
    let mut ids = Vec::new();
    for body in ["a", "b", "c"] {
        let request = json!({ "url": "https://a.example", "body": body, "delay": "30d" });
        ids.push(peer.call("message.publish", request).await.unwrap()["message_id"].clone());
    }
    peer.call("message.cancel", json!({ "message_id": ids[0] }))
        .await
        .unwrap();
    let many = peer
        .call(
            "message.cancel_many",
            json!({ "message_ids": [ids[0], ids[1]] }),
        )
        .await
        .unwrap();
    assert_eq!(many, 1);
    assert_eq!(peer.call("message.cancel_all", json!({})).await.unwrap(), 1);
    mock.idle(SOON).await.unwrap();
    let logs = peer
        .call("log.list", json!({ "filter": { "message_id": ids[0] } }))
        .await
        .unwrap();
    let states: Vec<_> = logs["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| &log["state"])
        .collect();
    assert_eq!(states, ["CANCELED", "CREATED"]);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn errors_are_understood() {
    let mock = Mock::settings().token("right").start().unwrap();
    let mut peer = peer(&mock).await;
    let request = json!({ "url": "https://a.example", "body": "x", "delay": "1d" });
    let error = peer
        .call("message.get", json!({ "message_id": "msg_unknown" }))
        .await
        .unwrap_err();
    assert!(error.message.contains("status: 404"), "{error}");
    let refuse = Some(Refusal::rate_limited(When::Next(1), 1_700_000_000));
    mock.set_faults(Faults {
        refuse,
        ..Faults::default()
    });
    let error = peer
        .call("message.publish", request.clone())
        .await
        .unwrap_err();
    assert_eq!(error.name, "RateLimitExceededError");
    let mut stranger = Peer::python_with_token(&mock, "wrong", packages())
        .await
        .unwrap();
    let error = stranger.call("message.publish", request).await.unwrap_err();
    assert!(error.message.contains("status: 401"), "{error}");
    assert_eq!(mock.counts().messages, 0);
}
