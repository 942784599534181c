//! FIFO queues: order, duplicates, and no delays.

use std::{collections::BTreeSet, time::Duration};

use belts::dispatch::{Dispatcher as _, Message, MessageOptions, Nack, SqsOptions, Verdict};

use super::queue::*;

fn message(id: &str, group: &str) -> Message {
    Message::new(id, id.as_bytes()).with_group(group)
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn messages_of_a_group_come_in_order() {
    let queue = fifo().await;
    let sqs = builder(&queue).visibility(SOON).open().await.unwrap();
    assert_eq!(sqs.capabilities().max_delay, Duration::ZERO);
    let ids: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
    send(&sqs, ids.iter().map(|id| message(id, "one")).collect()).await;
    let mut came = Vec::new();
    while came.len() < ids.len() {
        let some = soon("messages come", sqs.receive(10)).await.unwrap();
        came.extend(bodies(&some).into_iter().map(str::to_owned));
        sqs.ack(receipts(&some)).await.unwrap();
    }
    assert_eq!(came, ids);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn message_that_is_sent_again_comes_once() {
    let queue = fifo().await;
    let sqs = open(&queue).await;
    let mut options = MessageOptions::default();
    options.insert(SqsOptions::new().deduplication_id("another"));
    let other = message("a", "one").with_options(options);
    for sent in [message("a", "one"), message("a", "one"), other] {
        send(&sqs, vec![sent]).await;
    }
    assert_eq!(queue.len().await.unwrap(), 2);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn message_that_is_put_off_holds_up_its_group_alone() {
    let queue = fifo().await;
    let sqs = builder(&queue).visibility(SOON).open().await.unwrap();
    send(&sqs, vec![message("a1", "a")]).await;
    let first = receive_one(&sqs).await;
    send(&sqs, vec![message("a2", "a"), message("b1", "b")]).await;
    let later = Nack::new(
        first.receipt,
        Verdict::Later(Duration::from_secs(2)),
        "busy",
    );
    sqs.nack(vec![later]).await.unwrap();
    let other = receive_one(&sqs).await;
    assert_eq!(bodies(&[other]), ["b1"]);
    let rest = receive(&sqs, 2).await;
    assert_eq!(bodies(&rest), ["a1", "a2"]);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn put_aside_leaves_its_group_and_does_not_come_again() {
    let queue = fifo().await;
    let sqs = open(&queue).await;
    send(&sqs, vec![message("a1", "a")]).await;
    let first = receive_one(&sqs).await;
    send(&sqs, vec![message("a2", "a")]).await;
    sqs.nack(vec![Nack::new(
        first.receipt,
        Verdict::PutAside,
        "not JSON",
    )])
    .await
    .unwrap();
    let came = receive_one(&sqs).await;
    assert_eq!(bodies(std::slice::from_ref(&came)), ["a2"]);
    sqs.ack(vec![came.receipt]).await.unwrap();
    receive_nothing(&sqs, Duration::from_secs(3)).await;
    assert_eq!(queue.len().await.unwrap(), 1, "it is kept");
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn ids_and_groups_may_have_any_characters() {
    let queue = fifo().await;
    let sqs = builder(&queue).visibility(SOON).open().await.unwrap();
    let long = "x".repeat(1_000);
    let odd = ["a b", "\u{e9}", "", &long];
    send(
        &sqs,
        odd.iter()
            .map(|id| Message::new(*id, *b"{}").with_group(*id))
            .collect(),
    )
    .await;
    let ids: BTreeSet<_> = receive(&sqs, 4)
        .await
        .into_iter()
        .map(|it| it.message_id)
        .collect();
    assert_eq!(ids.len(), 4);
}
