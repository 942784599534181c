//! Two versions of a program on one road.
//!
//! A deploy renamed a field, and while both versions received, whichever got an event of the other put it aside for good: 38 of
//! 100 valid events were dead letters within seconds, on QStash at their first arrival. What does not fit one program is handed
//! on to the others.

use std::{future::Future, sync::Arc, time::Duration};

use belts::{
    Backoff, Publish, Worker,
    dispatch::{Channel, Http, SharedDispatcher},
    store::{Memory, RunFilter, RunStatus, Store as _},
};
use tokio::net::TcpListener;

use crate::{qstash::mail as service, redis::Stream, sqs::queue as queues};

/// Before the deploy.
mod old {
    use belts::{Event, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "skewed-order")]
    pub(super) struct Order {
        pub(super) id: u32,
        pub(super) name: String,
    }

    #[belts::function(id = "skewed-ship", on = Order)]
    pub(super) async fn ship(order: Order) -> belts::Result<u32> {
        step!("one", order.id).await
    }

    pub(super) fn publish(id: u32) -> belts::Publish {
        let name = "old".to_owned();
        publish_order(Order { id, name })
    }
}

/// After it: `name` is `title`, and there is an event more.
mod new {
    use belts::{Event, step};
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "skewed-order")]
    pub(super) struct Order {
        pub(super) id: u32,
        pub(super) title: String,
    }

    #[belts::function(id = "skewed-ship", on = Order)]
    pub(super) async fn ship(order: Order) -> belts::Result<u32> {
        step!("one", order.id + 1000).await
    }

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "skewed-refund")]
    pub(super) struct Refund {
        pub(super) id: u32,
    }

    #[belts::function(id = "skewed-refund", on = Refund)]
    pub(super) async fn refund(refund: Refund) -> belts::Result<u32> {
        step!("one", refund.id).await
    }

    pub(super) fn publish(id: u32) -> belts::Publish {
        let title = "new".to_owned();
        publish_order(Order { id, title })
    }

    pub(super) fn refunded(id: u32) -> belts::Publish {
        publish_refund(Refund { id })
    }
}

/// Of each kind.
const EVENTS: u32 = 4;

/// Both versions, on one store.
struct Versions {
    store: Memory,
    old: Worker,
    new: Worker,
}

impl Versions {
    async fn begin<D: Future<Output = SharedDispatcher>>(dispatcher: impl Fn() -> D) -> Self {
        let store = Memory::new();
        let builder = async || {
            Worker::builder()
                .store(store.clone())
                .shared_dispatcher(dispatcher().await)
        };
        let old = builder().await.function(old::ship).build().await.unwrap();
        let new = builder().await.function(new::ship).function(new::refund);
        let new = new.build().await.unwrap();
        for worker in [&old, &new] {
            let worker = worker.clone();
            tokio::spawn(async move { worker.run().await });
        }
        let begun = Self { store, old, new };
        begun
            .wait("both are there", async || {
                let wanted = begun.store.subscriptions().await.unwrap();
                wanted.iter().any(|it| &*it.function_id == "skewed-refund")
            })
            .await;
        begun
    }

    async fn publish_all(&self, by: Option<&Worker>) {
        for id in 0..EVENTS {
            let (old, new) = (by.unwrap_or(&self.old), by.unwrap_or(&self.new));
            let publish = async |publish: Publish, via| publish.via(via).await.unwrap();
            publish(old::publish(id), old).await;
            publish(new::publish(id), new).await;
            publish(new::refunded(id), new).await;
        }
    }

    /// Waits until every event has run, each by a version that can read it.
    async fn all_run(&self) {
        let count = async |statuses: Vec<RunStatus>| {
            let filter = RunFilter::new().with_statuses(statuses).with_limit(1000);
            self.store.list(filter).await.unwrap().runs.len()
        };
        let all = 3 * EVENTS as usize;
        self.wait("every event runs", async || {
            count(vec![RunStatus::Completed]).await >= all
        })
        .await;
        assert_eq!(count(Vec::new()).await, all);
        self.old.shutdown();
        self.new.shutdown();
    }

    async fn wait(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let waiting = async {
            while !is_so().await {
                belts_suite::a_moment().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(180), waiting).await;
        waited.unwrap_or_else(|_| panic!("in time: {what}"));
    }

    /// A place where each request goes to one of both.
    fn served(&self, listener: TcpListener) {
        let app = service::by_chance([self.old.router(), self.new.router()]);
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_what_they_read_by_a_channel() {
    let channel = Channel::new(Duration::from_secs(30));
    let versions =
        Versions::begin(|| async { Arc::new(channel.clone()) as SharedDispatcher }).await;
    versions.publish_all(None).await;
    versions.all_run().await;
    assert!(channel.put_aside().is_empty(), "{:?}", channel.put_aside());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn both_versions_run_what_they_read_by_redis() {
    let stream = Stream::new();
    let open = || async { Arc::new(stream.open().await.unwrap()) as SharedDispatcher };
    let versions = Versions::begin(open).await;
    versions.publish_all(None).await;
    versions.all_run().await;
    assert_eq!(stream.dead_letters(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn both_versions_run_what_they_read_by_sqs() {
    let (queue, dead) = crate::sqs::aside::with_dead_letters(false, 100).await;
    let open = || async { Arc::new(queues::open(&queue).await) as SharedDispatcher };
    let versions = Versions::begin(open).await;
    versions.publish_all(None).await;
    versions.all_run().await;
    assert_eq!(dead.len().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_what_they_read_by_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let http = || {
        let millis = Duration::from_millis;
        let http = Http::builder(&url).signing_keys([key]).retries(10);
        http.backoff(Backoff::new(millis(1), millis(5)))
            .build()
            .unwrap()
    };
    let store = Memory::new();
    let builder = || Worker::builder().store(store.clone()).signing_keys([key]);
    let versions = Versions {
        store: store.clone(),
        old: builder().function(old::ship).build().await.unwrap(),
        new: builder()
            .function(new::ship)
            .function(new::refund)
            .build()
            .await
            .unwrap(),
    };
    for worker in [&versions.old, &versions.new] {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await });
    }
    versions.served(listener);
    let publisher = Worker::builder().publish_only().dispatcher(http());
    let publisher = publisher.build().await.unwrap();
    versions.publish_all(Some(&publisher)).await;
    versions.all_run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_run_what_they_read_by_qstash() {
    let mock = service::fast().start().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let open = || async {
        // By itself the service's wait grows to minutes after a few refusals, even in a mock a thousand times as fast.
        let qstash = service::to(&mock, &url).retries(40);
        let qstash = qstash.retry_delay("1000 * (1 + retried)").build();
        Arc::new(qstash.unwrap()) as SharedDispatcher
    };
    let versions = Versions::begin(open).await;
    versions.served(listener);
    versions.publish_all(None).await;
    versions.all_run().await;
    assert!(mock.dead_letters().is_empty());
}

mod bystander {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(type = "skewed-other")]
    pub(super) struct Other {}

    #[belts::function(id = "skewed-bystander", on = Other)]
    pub(super) async fn bystander(_other: Other) -> belts::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn type_that_is_merely_linked_in_judges_nothing() {
    // Whoever linked a crate of event types refused what the present version of a function elsewhere could read.
    let (store, channel) = (Memory::new(), Channel::new(Duration::from_secs(30)));
    let worker = async |builder: belts::WorkerBuilder| {
        let worker = builder.store(store.clone()).build().await.unwrap();
        let looped = worker.clone();
        tokio::spawn(async move { looped.run().await });
        worker
    };
    let reads = [
        worker(Worker::builder().function(old::ship)).await,
        worker(Worker::builder().function(new::ship)).await,
    ];
    let receiver = Worker::builder().function(bystander::bystander);
    let receiver = worker(receiver.dispatcher(channel.clone())).await;
    let wanted = async || store.subscriptions().await.unwrap();
    while !wanted()
        .await
        .iter()
        .any(|it| &*it.function_id == "skewed-ship")
    {
        belts_suite::a_moment().await;
    }
    for publish in [old::publish(1), new::publish(2)] {
        publish.via(&receiver).await.unwrap();
    }
    let waiting = async {
        while store.list(RunFilter::default()).await.unwrap().runs.len() < 2 {
            belts_suite::a_moment().await;
        }
    };
    let both = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    both.expect("both events start a run");
    assert!(channel.put_aside().is_empty());
    drop(reads);
}
