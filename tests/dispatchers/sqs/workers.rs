//! Workers with a loop take events from the queue, whatever comes between.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker,
    dispatch::{Dispatcher as _, Message, Sqs},
    step,
    store::{Memory, RunFilter, RunStatus, SharedStore},
};
use belts_suite::servers::{Moto, Queue};
use serde::{Deserialize, Serialize};

use super::queue::*;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct SqsOrder {
    id: u32,
}

#[belts::function(id = "sqs-order", on = SqsOrder)]
async fn take_order(order: SqsOrder) -> belts::Result<u32> {
    step!("double", order.id * 2).await
}

struct Running {
    worker: Worker,
    store: SharedStore,
    task: tokio::task::JoinHandle<belts::Result<()>>,
}

impl Running {
    async fn begin(store: SharedStore, sqs: Sqs) -> Self {
        let builder = Worker::builder().shared_store(Arc::clone(&store));
        let worker = builder
            .dispatcher(sqs)
            .function(take_order)
            .build()
            .await
            .unwrap();
        let looped = worker.clone();
        let task = tokio::spawn(async move { looped.run().await });
        Self {
            worker,
            store,
            task,
        }
    }

    async fn publish(&self, id: u32) {
        publish_sqs_order(SqsOrder { id })
            .via(&self.worker)
            .await
            .unwrap();
    }

    async fn completed(&self) -> usize {
        let filter = RunFilter::new().with_statuses([RunStatus::Completed]);
        self.store.list(filter).await.unwrap().runs.len()
    }

    async fn complete(&self, runs: usize) {
        until("the runs complete", async || self.completed().await >= runs).await;
        assert_eq!(self.completed().await, runs);
    }

    async fn end(self) {
        self.worker.shutdown();
        soon("it ends", self.task).await.unwrap().unwrap();
    }
}

async fn running(queue: &Queue) -> Running {
    Running::begin(Arc::new(Memory::new()), open(queue).await).await
}

async fn is_empty(queue: &Queue) {
    until("the queue is empty", async || {
        queue.len().await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn published_events_run_once_each() {
    let queue = queue().await;
    let running = running(&queue).await;
    for id in 0..30 {
        running.publish(id).await;
    }
    running.complete(30).await;
    is_empty(&queue).await;
    running.end().await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn event_that_is_delivered_twice_starts_one_run() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    let running = running(&queue).await;
    let body = br#"{"event":{"type":"sqs-order","id":7},"context":{"eventId":"e-7"}}"#;
    send(
        &sqs,
        vec![Message::new("a", *body), Message::new("b", *body)],
    )
    .await;
    running.complete(1).await;
    is_empty(&queue).await;
    running.complete(1).await;
    running.end().await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn poison_spares_the_others() {
    let dead = queue().await;
    let policy = dead.redrive_policy(50).await.unwrap();
    let redrive = aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy;
    let queue = queue_with(&[(redrive, &policy)]).await;
    let running = running(&queue).await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("p", *b"\xff\x00 poison")]).await;
    running.publish(1).await;
    running.complete(1).await;
    is_empty(&queue).await;
    until("it is put aside", async || dead.len().await.unwrap() == 1).await;
    running.end().await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn shutdown_in_mid_delivery_loses_nothing() {
    let queue = queue().await;
    let store: SharedStore = Arc::new(Memory::new());
    let sender = open(&queue).await;
    for round in 1..=4_u32 {
        let running = Running::begin(Arc::clone(&store), open(&queue).await).await;
        let sending = async {
            for id in 0..5 {
                let body = format!(
                    r#"{{"event":{{"type":"sqs-order","id":{}}}}}"#,
                    round * 10 + id
                );
                send(
                    &sender,
                    vec![Message::new(format!("{round}-{id}"), body.into_bytes())],
                )
                .await;
            }
        };
        tokio::join!(sending, running.end());
    }
    let last = Running::begin(store, open(&queue).await).await;
    last.complete(20).await;
    is_empty(&queue).await;
    last.end().await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn worker_goes_on_when_the_service_comes_back() {
    let moto = Moto::start(packages()).await.unwrap();
    let queue = moto.queue(&[]).await.unwrap();
    let sqs = builder(&queue)
        .timeout(Duration::from_secs(2))
        .open()
        .await
        .unwrap();
    let running = Running::begin(Arc::new(Memory::new()), sqs.clone()).await;
    running.publish(1).await;
    running.complete(1).await;
    moto.kill().unwrap();
    let event = publish_sqs_order(SqsOrder { id: 2 });
    let error = event.via(&running.worker).await.unwrap_err();
    assert_eq!(
        error.kind(),
        belts::ErrorKind::Dispatcher,
        "{}",
        error.report()
    );
    assert!(sqs.receive(1).await.is_err());
    moto.start_again().unwrap();
    // The server keeps queues in memory only.
    let queue = Queue::make(moto.client(), queue.name(), &[]).await.unwrap();
    running.publish(2).await;
    running.complete(2).await;
    is_empty(&queue).await;
    running.end().await;
}
