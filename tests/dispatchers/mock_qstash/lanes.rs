//! Queues and flow control: messages wait for each other, and none is refused.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use belts_qstash_mock::{Mock, State};
use serde_json::json;
use tokio::sync::Semaphore;

use super::destination::*;

async fn enqueue(
    mock: &Mock,
    queue: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    ask(
        mock,
        "POST",
        &format!("/v2/enqueue/{queue}/{url}"),
        headers,
        body,
    )
    .await
    .id()
}

fn active(mock: &Mock) -> usize {
    mock.messages()
        .iter()
        .filter(|message| message.state == State::Active)
        .count()
}

#[tokio::test]
async fn a_queue_delivers_in_its_order_though_the_first_is_retried() {
    let mock = fast().start().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = destination({
        let seen = Arc::clone(&seen);
        move |request: Seen| {
            seen.lock().unwrap().push(format!(
                "{}{}",
                String::from_utf8_lossy(&request.body),
                request.retried()
            ));
            with_headers(
                if &request.body[..] == b"a" && request.retried() == 0 {
                    500
                } else {
                    200
                },
                [],
            )
        }
    });
    let url = url.await;
    for body in ["a", "b", "c"] {
        enqueue(&mock, "q", &url, &[], body).await;
    }
    mock.idle(SOON).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["a0", "a1", "b0", "c0"]);
    assert_eq!(get(&mock, "/v2/queues/q").await.body["lag"], 0);
}

#[tokio::test]
async fn the_next_in_a_queue_waits_for_the_callbacks_of_the_one_before() {
    let mock = fast().start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let (url, callback) = (always(200).await, gated(Arc::clone(&gate)).await);
    let first = enqueue(&mock, "q", &url, &[("upstash-callback", &callback)], "1").await;
    let second = enqueue(&mock, "q", &url, &[], "2").await;
    mock.until(SOON, |mock| {
        (mock.message(&first)?.state == State::Delivered && active(mock) == 1).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(mock.message(&second).unwrap().state, State::Waiting);
    gate.add_permits(1);
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries_of(&second).len(), 1);
}

#[tokio::test]
async fn a_paused_queue_waits_and_other_messages_do_not() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let json_type = [("content-type", "application/json")];
    let paused = json!({ "queueName": "q", "parallelism": 2, "paused": true }).to_string();
    assert_eq!(
        ask(&mock, "POST", "/v2/queues", &json_type, &paused)
            .await
            .status,
        200
    );
    let held = enqueue(&mock, "q", &url, &[], "1").await;
    let cancelled = enqueue(&mock, "q", &url, &[], "2").await;
    let free = publish(&mock, &url, &[]).await;
    mock.until(SOON, |mock| {
        mock.message(&free)?.state.is_end().then_some(())
    })
    .await
    .unwrap();
    let view = get(&mock, "/v2/queues/q").await.body;
    assert_eq!(
        (&view["lag"], &view["paused"], &view["parallelism"]),
        (&json!(2), &json!(true), &json!(2))
    );
    ask(
        &mock,
        "DELETE",
        &format!("/v2/messages/{cancelled}"),
        &[],
        "",
    )
    .await;
    ask(&mock, "POST", "/v2/queues/q/resume", &[], "").await;
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries_of(&held).len(), 1);
    assert_eq!(
        ask(&mock, "DELETE", "/v2/queues/q", &[], "").await.status,
        200
    );
    assert_eq!(get(&mock, "/v2/queues/q").await.status, 404);
    assert_eq!(
        ask(&mock, "POST", &format!("/v2/enqueue/a b/{url}"), &[], "")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn messages_of_one_key_share_its_parallelism() {
    let mock = fast().start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let url = gated(Arc::clone(&gate)).await;
    let headers = [
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "parallelism=2"),
    ];
    for _ in 0..5 {
        publish(&mock, &url, &headers).await;
    }
    mock.until(SOON, |mock| (active(mock) == 2).then_some(()))
        .await
        .unwrap();
    let view = get(&mock, "/v2/flowControl/k").await.body;
    let shown =
        ["waitListSize", "parallelismMax", "parallelismCount"].map(|name| view[name].as_u64());
    assert_eq!(shown, [Some(3), Some(2), Some(2)]);
    gate.add_permits(5);
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.counts().delivered, 5);
}

#[tokio::test]
async fn messages_of_one_key_share_its_rate() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let headers = [
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "rate=2, period=1m"),
    ];
    for _ in 0..5 {
        publish(&mock, &url, &headers).await;
    }
    mock.idle(SOON).await.unwrap();
    let mut sent: Vec<_> = mock
        .deliveries()
        .iter()
        .map(|delivery| delivery.sent_at)
        .collect();
    sent.sort();
    // A period is 60 ms here, and the fifth is in the third one.
    assert!(
        sent[4].saturating_sub(sent[0]) >= Duration::from_millis(60),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_key_is_paused_pinned_and_resumed() {
    let mock = fast().start().unwrap();
    let url = always(200).await;
    let headers = [
        ("upstash-flow-control-key", "k"),
        ("upstash-flow-control-value", "rate=100"),
    ];
    delivered(&mock, &url, &headers).await;
    ask(&mock, "POST", "/v2/flowControl/k/pause", &[], "").await;
    ask(
        &mock,
        "POST",
        "/v2/flowControl/k/pin?parallelism=3",
        &[],
        "",
    )
    .await;
    let id = publish(&mock, &url, &headers).await;
    let view = get(&mock, "/v2/flowControl/k").await.body;
    let shown = [
        "isPaused",
        "parallelismMax",
        "isPinnedParallelism",
        "rateMax",
        "isPinnedRate",
    ];
    assert_eq!(
        shown.map(|name| &view[name]),
        [
            &json!(true),
            &json!(3),
            &json!(true),
            &json!(100),
            &json!(false)
        ]
    );
    ask(
        &mock,
        "POST",
        "/v2/flowControl/k/unpin?parallelism=true",
        &[],
        "",
    )
    .await;
    ask(&mock, "POST", "/v2/flowControl/k/resume", &[], "").await;
    mock.idle(SOON).await.unwrap();
    assert_eq!(mock.deliveries_of(&id).len(), 1);
    assert_eq!(
        get(&mock, "/v2/flowControl/k").await.body["parallelismMax"],
        0
    );
}
