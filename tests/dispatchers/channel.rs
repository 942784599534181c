//! Workers on the reference implementation: what cannot be received, and what is too big.

use std::time::Duration;

use belts::{
    ErrorKind, Event, Worker,
    dispatch::{Channel, Dispatcher as _, Message},
    store::Memory,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Parcelled {
    content: String,
}

#[belts::function(id = "unpack", on = Parcelled)]
async fn unpack(event: Parcelled) -> belts::Result<usize> {
    Ok(event.content.len())
}

/// What serde makes a field `type` of, past whatever the macro can see.
#[derive(Debug, Serialize, Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Sorted {
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Nested {
    kind: Kind,
}

async fn working(channel: &Channel) -> Worker {
    let worker = Worker::builder()
        .store(Memory::new())
        .function(unpack)
        .dispatcher(channel.clone())
        .max_body_bytes(1000)
        .build()
        .await
        .unwrap();
    let running = worker.clone();
    tokio::spawn(async move { running.run().await });
    worker
}

/// The reason for which the next message is put aside.
async fn put_aside(channel: &Channel) -> String {
    let aside = async {
        loop {
            if let Some((_, reason)) = channel.put_aside().pop() {
                return reason;
            }
            belts_suite::a_moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), aside)
        .await
        .unwrap()
}

#[tokio::test]
async fn event_that_is_too_big_is_the_publishers_error() {
    let channel = Channel::new(Duration::from_secs(30));
    let worker = working(&channel).await;
    let content = "x".repeat(1000);
    let error = publish_parcelled(Parcelled { content }).via(&worker).await;
    let error = error.expect_err("it is over the limit");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("over the limit of 1000"),
        "{error}"
    );
    assert!(channel.is_empty());
}

/// Such an event was written with two fields `type`: the publisher heard that all was well, and whoever received the message
/// put it aside.
#[tokio::test]
async fn event_with_a_type_of_its_own_is_the_publishers_error() {
    let channel = Channel::new(Duration::from_secs(30));
    let worker = Worker::builder()
        .store(Memory::new())
        .dispatcher(channel.clone())
        .publish_only()
        .build()
        .await
        .unwrap();
    let kind = || Kind {
        r#type: "heavy".to_owned(),
    };
    let error = publish_sorted(Sorted { kind: kind() }).via(&worker).await;
    let error = error.expect_err("the wire has one `type`");
    assert_eq!(error.kind(), ErrorKind::InvalidEvent);
    assert!(
        error
            .to_string()
            .starts_with("event `sorted` has a field `type` of its own"),
        "{error}"
    );
    assert!(channel.is_empty());
    let nested = publish_nested(Nested { kind: kind() }).via(&worker).await;
    nested.expect("a `type` deeper down is in nobody's way");
}

#[tokio::test]
async fn message_that_is_too_big_is_put_aside_with_the_reason() {
    let channel = Channel::new(Duration::from_secs(30));
    let _worker = working(&channel).await;
    let body = format!(
        r#"{{"event":{{"type":"parcelled","content":"{}"}}}}"#,
        "x".repeat(1000)
    );
    let message = Message::new("big", body.into_bytes());
    channel.send(vec![message]).await.unwrap();
    let reason = put_aside(&channel).await;
    assert!(reason.contains("raise `max_body_bytes`"), "{reason}");
}

#[tokio::test]
async fn message_that_is_none_is_put_aside_at_once_with_the_reason() {
    for (body, part) in [("no JSON", "is not JSON"), ("{}", "`event` is missing")] {
        let channel = Channel::new(Duration::from_secs(30));
        let _worker = working(&channel).await;
        let message = Message::new("none", body.as_bytes().to_vec());
        channel.send(vec![message]).await.unwrap();
        let reason = put_aside(&channel).await;
        assert!(reason.contains(part), "{reason}");
        assert_eq!(channel.put_aside()[0].0.arrivals, 1);
    }
}
