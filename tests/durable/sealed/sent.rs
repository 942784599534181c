//! Events that a dispatcher carries are sealed as well, and grouped by a hash.

use std::time::Duration;

use belts::{
    ErrorKind,
    dispatch::{Channel, Dispatcher as _},
    store::{Memory, Store as _},
};

use super::*;

async fn sender(channel: &Channel, keys: Keyring) -> Worker {
    let builder = Worker::builder().publish_only().dispatcher(channel.clone());
    builder.encryption(keys).build().await.unwrap()
}

#[tokio::test]
async fn a_message_says_nothing_but_its_type() {
    let channel = Channel::new(Duration::from_secs(30));
    let sender = sender(&channel, new_keys()).await;
    publish_sealed_order(order("sent"))
        .via(&sender)
        .await
        .unwrap();
    let sent = channel.receive(1).await.unwrap().remove(0);
    let body = String::from_utf8(sent.body).unwrap();
    assert!(
        body.contains(r#"{"type":"sealed-order","belts.sealed":1,"key":"2026-11","data":""#),
        "{body}"
    );
    assert!(!body.contains(MARK), "{body}");
}

#[tokio::test]
async fn a_sealed_message_starts_its_runs() {
    let channel = Channel::new(Duration::from_secs(30));
    let sender = sender(&channel, new_keys()).await;
    let store = Memory::new();
    let receiver = Worker::builder()
        .store(store.clone())
        .function(payment)
        .dispatcher(channel.clone())
        .encryption(Keyring::new("2026-01", [1; 32]).and_old("2026-11", [11; 32]))
        .build()
        .await
        .unwrap();
    let running = looped(&receiver);
    publish_sealed_order(order("carried"))
        .via(&sender)
        .await
        .unwrap();
    publish_sealed_paid(paid("carried"))
        .via(&sender)
        .await
        .unwrap();
    eventually("it is done", async || {
        let runs = receiver.runs().list().await.unwrap().runs;
        runs.iter().any(|run| run.status == RunStatus::Completed)
    })
    .await;
    let run = receiver.runs().list().await.unwrap().runs.remove(0);
    let payload = store.run(&run.run_id).await.unwrap().unwrap().payload;
    assert!(
        payload.starts_with(br#"{"belts.sealed":1,"key":"2026-01""#),
        "sealed anew with its own key"
    );
    receiver.shutdown();
    within("it ends", running).await.unwrap().unwrap();
}

/// One whose key is missing comes again until somebody has it.
#[tokio::test]
async fn a_message_without_its_key_comes_again() {
    let channel = Channel::new(Duration::from_millis(50));
    let sender = sender(&channel, new_keys()).await;
    let receiver = async |keys: Option<Keyring>| {
        let mut builder = Worker::builder()
            .store(Memory::new())
            .function(child)
            .dispatcher(channel.clone());
        if let Some(keys) = keys {
            builder = builder.encryption(keys);
        }
        let worker = builder.build().await.unwrap();
        let running = looped(&worker);
        Running(worker, running)
    };
    publish_sealed_paid(paid("again"))
        .via(&sender)
        .await
        .unwrap();
    for keys in [None, Some(old_keys())] {
        let lacking = receiver(keys).await;
        for _ in 0..50 {
            belts_suite::a_moment().await;
        }
        assert!(lacking.0.runs().list().await.unwrap().runs.is_empty());
        assert!(channel.put_aside().is_empty());
        lacking.end().await;
    }
    let having = receiver(Some(new_keys())).await;
    eventually("it is done", async || {
        let runs = having.0.runs().list().await.unwrap().runs;
        runs.iter().any(|run| run.status == RunStatus::Completed)
    })
    .await;
    having.end().await;
}

/// Limits count what users write, and not what becomes of it.
#[tokio::test]
async fn limits_count_plain_text() {
    let channel = Channel::new(Duration::from_secs(30));
    let noise = |bytes: usize| {
        let text: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(bytes)
            .collect();
        SealedOrder {
            note: text,
            ..order("limit")
        }
    };
    let builder = || {
        let builder = Worker::builder()
            .dispatcher(channel.clone())
            .max_body_bytes(5_000);
        builder
            .encryption(new_keys())
            .function(payment)
            .store(Memory::new())
    };
    let worker = builder().build().await.unwrap();
    let error = publish_sealed_order(noise(5_000))
        .via(&worker)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let running = looped(&worker);
    publish_sealed_order(noise(4_800))
        .via(&worker)
        .await
        .unwrap();
    eventually("it has come", async || {
        !worker.runs().list().await.unwrap().runs.is_empty()
    })
    .await;
    worker.shutdown();
    within("it ends", running).await.unwrap().unwrap();
}
