//! Real workers: a publisher that has no store, and those that receive.

use std::{sync::Arc, time::Duration};

use belts::{
    Event, Worker,
    dispatch::{Dispatcher, Message},
    step,
    store::{Memory, RunFilter, RunStatus, SharedStore},
};
use belts_suite::servers;
use redis::cmd;
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{DEADLINE, Stream, length, pause, receive_one};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct CrateArrived {
    number: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct NobodyListens {
    number: u32,
}

#[belts::function(id = "unpack-crate", on = CrateArrived)]
async fn unpack(arrived: CrateArrived) -> belts::Result<u32> {
    step!("open", arrived.number * 2).await
}

/// Publishes by the stream alone.
async fn publisher(stream: &Stream) -> belts::Result<Worker> {
    let builder = Worker::builder().publish_only();
    builder.dispatcher(stream.open().await?).build().await
}

struct Receiver {
    worker: Worker,
    running: JoinHandle<belts::Result<()>>,
}

impl Receiver {
    async fn start(stream: &Stream, store: &SharedStore) -> belts::Result<Self> {
        let worker = Worker::builder()
            .shared_store(Arc::clone(store))
            .function(unpack)
            .dispatcher(stream.open().await?)
            .build()
            .await?;
        let looped = worker.clone();
        let running = tokio::spawn(async move { looped.run().await });
        Ok(Self { worker, running })
    }

    async fn end(self) -> belts::Result<()> {
        self.worker.shutdown();
        let ended = timeout(DEADLINE, self.running).await;
        ended.expect("it ends").expect("it does not panic")
    }
}

fn memory() -> SharedStore {
    Arc::new(Memory::new())
}

async fn count(store: &SharedStore, statuses: Vec<RunStatus>) -> belts::Result<usize> {
    let filter = RunFilter::new().with_statuses(statuses).with_limit(1_000);
    Ok(store.list(filter).await?.runs.len())
}

/// Waits until so many runs are completed and the stream is empty, and says that there are no others.
async fn completed(stream: &Stream, store: &SharedStore, runs: usize) -> belts::Result<()> {
    let waiting = async {
        while count(store, vec![RunStatus::Completed]).await? < runs || stream.length() > 0 {
            pause(Duration::from_millis(10)).await;
        }
        belts::Result::Ok(())
    };
    timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("{runs} runs complete"))?;
    assert_eq!(count(store, Vec::new()).await?, runs);
    Ok(())
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_publisher_without_a_store_sends_runs_once() -> belts::Result<()> {
    const EVENTS: u32 = 40;
    let (stream, store) = (Stream::new(), memory());
    let publisher = publisher(&stream).await?;
    let one = Receiver::start(&stream, &store).await?;
    let other = Receiver::start(&stream, &store).await?;
    for number in 0..EVENTS {
        let arrived = publish_crate_arrived(CrateArrived { number });
        arrived.via(&publisher).await?;
    }
    completed(&stream, &store, 40).await?;
    one.end().await?;
    other.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_delivery_and_lost_acknowledgement_start_nothing() -> belts::Result<()> {
    let (stream, store) = (Stream::new(), memory());
    let publisher = publisher(&stream).await?;
    publish_crate_arrived(CrateArrived { number: 1 })
        .via(&publisher)
        .await?;
    // A receiver that dies with the message, and a sender that sent it twice.
    let delivery = receive_one(&stream.open().await?).await?;
    let again = Message::new("again", delivery.body.clone());
    let sender = stream.open().await?;
    sender.send(vec![again.clone(), again]).await?;
    let receiver = Receiver::start(&stream, &store).await?;
    completed(&stream, &store, 1).await?;
    receiver.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_put_aside_and_spares_the_others() -> belts::Result<()> {
    let (stream, store) = (Stream::new(), memory());
    let server = servers::Redis::shared();
    for (name, value) in [
        ("body", "no JSON"),
        ("payload", "{}"),
        ("body", r#"{"v":1}"#),
    ] {
        let mut add = cmd("XADD");
        add.arg(stream.key("stream")).arg("*").arg(name).arg(value);
        let _id: String = server.command(&add).expect("the server answers");
    }
    let publisher = publisher(&stream).await?;
    publish_crate_arrived(CrateArrived { number: 1 })
        .via(&publisher)
        .await?;
    let receiver = Receiver::start(&stream, &store).await?;
    completed(&stream, &store, 1).await?;
    assert_eq!(length(server, &stream.key("dead")), 3);
    receiver.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_that_nobody_takes_yet_is_put_off() -> belts::Result<()> {
    let (stream, store) = (Stream::new(), memory());
    let receiver = Receiver::start(&stream, &store).await?;
    let publisher = publisher(&stream).await?;
    publish_nobody_listens(NobodyListens { number: 1 })
        .via(&publisher)
        .await?;
    let held = || {
        let count = cmd("ZCARD").arg(stream.key("delayed")).to_owned();
        let held: i64 = servers::Redis::shared()
            .command(&count)
            .expect("the server answers");
        held
    };
    super::until("it is held back", || held() == 1).await;
    assert_eq!(stream.length(), 0);
    receiver.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_come_and_go_lose_nothing() -> belts::Result<()> {
    const EVENTS: u32 = 120;
    let (stream, store) = (Stream::new(), memory());
    let publisher = publisher(&stream).await?;
    let publishing = async {
        for number in 0..EVENTS {
            let arrived = publish_crate_arrived(CrateArrived { number });
            arrived.via(&publisher).await?;
        }
        belts::Result::Ok(())
    };
    let coming_and_going = async {
        for _ in 0..8 {
            let receiver = Receiver::start(&stream, &store).await?;
            pause(Duration::from_millis(fastrand::u64(0..60))).await;
            receiver.end().await?;
        }
        belts::Result::Ok(())
    };
    tokio::try_join!(publishing, coming_and_going)?;
    let last = Receiver::start(&stream, &store).await?;
    completed(&stream, &store, 120).await?;
    last.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_event_waits_on_the_server() -> belts::Result<()> {
    const DELAY: Duration = Duration::from_millis(900);
    let (stream, store) = (Stream::new(), memory());
    let receiver = Receiver::start(&stream, &store).await?;
    let publisher = publisher(&stream).await?;
    let began = Instant::now();
    publish_crate_arrived(CrateArrived { number: 1 })
        .delay(DELAY)
        .via(&publisher)
        .await?;
    assert_eq!(stream.length(), 0);
    let waiting = async {
        while count(&store, Vec::new()).await? == 0 {
            pause(Duration::from_millis(10)).await;
        }
        belts::Result::Ok(began.elapsed())
    };
    let took = timeout(DEADLINE, waiting).await.expect("it runs")?;
    assert!(took >= DELAY, "{took:?}");
    completed(&stream, &store, 1).await?;
    receiver.end().await
}

#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_and_dispatcher_share_a_server_and_a_prefix() -> belts::Result<()> {
    let stream = Stream::new();
    let (url, name) = (stream.prefix.url(), stream.prefix.name());
    let store = belts::store::Redis::builder(url).key_prefix(name);
    let store: SharedStore = Arc::new(store.open().await?);
    let publisher = publisher(&stream).await?;
    for number in 0..10 {
        let arrived = publish_crate_arrived(CrateArrived { number });
        arrived.via(&publisher).await?;
    }
    let receiver = Receiver::start(&stream, &store).await?;
    completed(&stream, &store, 10).await?;
    receiver.end().await
}
