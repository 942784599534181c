//! Queues of a private server, and what a test waits for.

use std::{future::Future, path::Path, time::Duration};

use aws_sdk_sqs::types::QueueAttributeName;
use belts::{
    Clock as _, SystemClock,
    dispatch::{Delivery, Dispatcher as _, Message, Receipt, Sqs, SqsBuilder},
};
use belts_suite::servers::{Moto, Queue};

/// Long enough for every wait of these tests, of which none should need it.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Where `moto` is installed.
pub(crate) fn packages() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A queue that nobody else uses.
pub(crate) async fn queue_with(attributes: &[(QueueAttributeName, &str)]) -> Queue {
    let moto = Moto::shared(packages()).await;
    moto.queue(attributes).await.unwrap()
}

pub(crate) async fn queue() -> Queue {
    queue_with(&[]).await
}

pub(crate) async fn fifo() -> Queue {
    queue_with(&[(QueueAttributeName::FifoQueue, "true")]).await
}

/// A dispatcher that hides messages for a second, and waits as long for them.
pub(crate) fn builder(queue: &Queue) -> SqsBuilder {
    let second = Duration::from_secs(1);
    Sqs::builder(queue.url())
        .client(queue.client())
        .visibility(second)
        .wait(second)
}

pub(crate) async fn open(queue: &Queue) -> Sqs {
    builder(queue).open().await.unwrap()
}

/// Sends messages, of which each is taken.
pub(crate) async fn send(sqs: &Sqs, messages: Vec<Message>) {
    for answer in sqs.send(messages).await.unwrap() {
        assert!(answer.unwrap().message_id.is_some());
    }
}

/// The next deliveries, as many as that.
pub(crate) async fn receive(sqs: &Sqs, count: usize) -> Vec<Delivery> {
    let all = async {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(sqs.receive(count - all.len()).await.unwrap());
        }
        all
    };
    soon("messages come", all).await
}

pub(crate) async fn receive_one(sqs: &Sqs) -> Delivery {
    receive(sqs, 1).await.remove(0)
}

/// Receives for so long, and expects nothing.
pub(crate) async fn receive_nothing(sqs: &Sqs, time: Duration) {
    let until = SystemClock.now().after(time);
    while SystemClock.now() < until {
        let came = sqs.receive(10).await.unwrap();
        assert!(came.is_empty(), "{:?}", bodies(&came));
    }
}

pub(crate) fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| std::str::from_utf8(&delivery.body).unwrap())
        .collect()
}

pub(crate) fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|it| it.receipt.clone()).collect()
}

/// What has to come to an end.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(SOON, future).await;
    ended.unwrap_or_else(|_| panic!("in time: {what}"))
}

/// Asks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            belts_suite::a_moment().await;
        }
    };
    soon(what, asking).await;
}
