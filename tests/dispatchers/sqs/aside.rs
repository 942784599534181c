//! Messages that no try can help, on queues with and without a dead-letter queue.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use belts::dispatch::{
    Dispatcher as _, Message, MessageOptions, Nack, Receipt, SqsOptions, Verdict,
};
use belts_suite::servers::Queue;

use super::queue::*;

fn aside(receipt: Receipt) -> Vec<Nack> {
    vec![Nack::new(
        receipt,
        Verdict::PutAside,
        "the body is not JSON",
    )]
}

/// A queue and its dead-letter queue.
pub(crate) async fn with_dead_letters(fifo: bool, most: u32) -> (Queue, Queue) {
    let mut attributes = Vec::new();
    if fifo {
        attributes.push((QueueAttributeName::FifoQueue, "true"));
    }
    let dead = queue_with(&attributes).await;
    let policy = dead.redrive_policy(most).await.unwrap();
    attributes.push((QueueAttributeName::RedrivePolicy, &policy));
    (queue_with(&attributes).await, dead)
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn put_aside_goes_to_the_dead_letter_queue_whole() {
    for fifo in [false, true] {
        let (queue, dead) = with_dead_letters(fifo, 100).await;
        let sqs = open(&queue).await;
        let mut options = MessageOptions::default();
        options.insert(SqsOptions::new().attribute("tenant", "acme"));
        let poison = Message::new("m", *b"\xff not JSON").with_options(options);
        send(&sqs, vec![poison]).await;
        let came = receive_one(&sqs).await;
        sqs.nack(aside(came.receipt)).await.unwrap();
        assert_eq!(queue.len().await.unwrap(), 0);
        let dead_letters = open(&dead).await;
        let kept = receive_one(&dead_letters).await;
        assert_eq!(kept.body, b"\xff not JSON");
        dead_letters
            .nack(vec![Nack::new(
                kept.receipt,
                Verdict::Later(Duration::ZERO),
                "",
            )])
            .await
            .unwrap();
        let asked = dead
            .client()
            .receive_message()
            .queue_url(dead.url())
            .message_attribute_names("All");
        let answer = asked.wait_time_seconds(5).send().await.unwrap();
        let attributes = answer.messages()[0].message_attributes().unwrap();
        assert_eq!(attributes["tenant"].string_value(), Some("acme"));
        assert_eq!(
            attributes["belts-reason"].string_value(),
            Some("the body is not JSON")
        );
    }
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn put_aside_without_a_dead_letter_queue_is_hidden_and_kept() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("m", *b"not JSON")]).await;
    let came = receive_one(&sqs).await;
    sqs.nack(aside(came.receipt)).await.unwrap();
    receive_nothing(&sqs, Duration::from_secs(3)).await;
    assert_eq!(queue.len().await.unwrap(), 1);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn what_comes_too_often_is_moved_by_the_queue_itself() {
    let (queue, dead) = with_dead_letters(false, 2).await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("m", *b"{}")]).await;
    for arrivals in 1..=2 {
        assert_eq!(receive_one(&sqs).await.arrivals, arrivals);
    }
    until("it is moved", async || {
        assert!(sqs.receive(10).await.unwrap().is_empty());
        dead.len().await.unwrap() == 1
    })
    .await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn message_stays_where_it_was_if_it_cannot_be_put_aside() {
    let (queue, dead) = with_dead_letters(false, 100).await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("m", *b"{}")]).await;
    let came = receive_one(&sqs).await;
    let delete = dead.client().delete_queue().queue_url(dead.url());
    delete.send().await.unwrap();
    let error = sqs.nack(aside(came.receipt)).await.unwrap_err();
    assert_eq!(
        error.kind(),
        belts::ErrorKind::Dispatcher,
        "{}",
        error.report()
    );
    assert_eq!(receive_one(&sqs).await.arrivals, 2);
}
