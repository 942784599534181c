//! Messages that make a worker panic, or end its process: they keep no other from being received.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belts::{
    Event, Worker,
    dispatch::{
        Capabilities, Channel, Delivery, Dispatcher, Message, Nack, Receipt, Sent, Verdict,
    },
    store::{Memory, RunFilter, RunStatus, Store as _},
    testing::ManualClock,
};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Touchy {
    #[serde(deserialize_with = "not_seven")]
    number: u32,
}

fn not_seven<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    assert_ne!(number, 7, "seven is too much");
    Ok(number)
}

#[belts::function(id = "touchy", on = Touchy)]
async fn touchy(event: Touchy) -> belts::Result<u32> {
    Ok(event.number)
}

/// Says what it is told to, and notes what it is answered.
#[derive(Debug, Default)]
struct Scripted {
    batches: Mutex<Vec<Vec<Delivery>>>,
    asked: AtomicUsize,
    acks: Mutex<Vec<Vec<Receipt>>>,
    nacks: Mutex<Vec<Nack>>,
}

#[derive(Debug, Clone)]
struct Shared(Arc<Scripted>);

#[async_trait::async_trait]
impl Dispatcher for Shared {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.pulls(Duration::from_secs(30))
    }

    async fn send(&self, batch: Vec<Message>) -> belts::Result<Vec<belts::Result<Sent>>> {
        Ok(batch.iter().map(|_| Ok(Sent::default())).collect())
    }

    async fn receive(&self, _most: usize) -> belts::Result<Vec<Delivery>> {
        assert_ne!(
            self.0.asked.fetch_add(1, Ordering::SeqCst),
            0,
            "the first call panics"
        );
        let batch = self.0.batches.lock().unwrap().pop();
        Ok(batch.unwrap_or_default())
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> belts::Result<()> {
        self.0.acks.lock().unwrap().push(receipts);
        Ok(())
    }

    async fn nack(&self, refused: Vec<Nack>) -> belts::Result<()> {
        self.0.nacks.lock().unwrap().extend(refused);
        Ok(())
    }
}

fn delivery(name: &str, number: u32) -> Delivery {
    let body = format!(
        r#"{{"event":{{"type":"touchy","number":{number}}},"context":{{"eventId":"{name}"}}}}"#
    );
    Delivery::new(Receipt::new(name), name, body)
}

async fn looped(store: &Memory, dispatcher: impl Dispatcher) -> Worker {
    let builder = Worker::builder().store(store.clone()).function(touchy);
    let worker = builder.dispatcher(dispatcher).build().await.unwrap();
    let running = worker.clone();
    tokio::spawn(async move { running.run().await });
    worker
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            belts_suite::a_moment().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("in time: {what}"));
}

async fn completed(store: &Memory) -> usize {
    let filter = RunFilter::new().with_statuses([RunStatus::Completed]);
    store.list(filter).await.unwrap().runs.len()
}

#[tokio::test]
async fn panic_in_one_message_ends_no_loop_and_no_other_message() {
    // `Worker::run` panicked, `serve` exited, and the message stayed for the next process to panic on.
    let (store, script) = (Memory::new(), Arc::new(Scripted::default()));
    let batch = vec![delivery("a", 1), delivery("b", 7), delivery("c", 3)];
    script.batches.lock().unwrap().push(batch);
    let worker = looped(&store, Shared(Arc::clone(&script))).await;
    until("the others run", async || completed(&store).await == 2).await;
    until("it is given back", async || {
        !script.nacks.lock().unwrap().is_empty()
    })
    .await;
    {
        let nacks = script.nacks.lock().unwrap();
        let [nack] = &nacks[..] else {
            panic!("{nacks:?}")
        };
        assert_eq!(nack.receipt.as_str(), "b");
        assert!(matches!(nack.verdict, Verdict::Later(_)), "{nack:?}");
        assert!(nack.reason.contains("panicked: "), "{nack:?}");
    }
    // And it still receives.
    script.batches.lock().unwrap().push(vec![delivery("d", 4)]);
    until("the loop lives", async || completed(&store).await == 3).await;
    worker.shutdown();
}

#[tokio::test]
async fn message_that_panics_wherever_it_comes_is_put_aside_in_the_end() {
    let (store, script) = (Memory::new(), Arc::new(Scripted::default()));
    let often = delivery("often", 7).with_arrivals(20);
    script.batches.lock().unwrap().push(vec![often]);
    let worker = looped(&store, Shared(Arc::clone(&script))).await;
    until("it is put aside", async || {
        !script.nacks.lock().unwrap().is_empty()
    })
    .await;
    assert_eq!(script.nacks.lock().unwrap()[0].verdict, Verdict::PutAside);
    worker.shutdown();
}

#[tokio::test]
async fn message_that_may_have_ended_a_process_is_taken_after_the_others() {
    // One that aborts the process took all that were received with it back into the queue, again and again.
    let (store, script) = (Memory::new(), Arc::new(Scripted::default()));
    let batch = vec![
        delivery("suspect", 1).with_arrivals(3).with_unanswered(2),
        delivery("a", 2),
        delivery("unknown", 3).with_arrivals(3),
        delivery("put off", 4).with_arrivals(3).with_unanswered(0),
    ];
    script.batches.lock().unwrap().push(batch);
    let worker = looped(&store, Shared(Arc::clone(&script))).await;
    until("all run", async || completed(&store).await == 4).await;
    until("all are acknowledged", async || {
        script.acks.lock().unwrap().len() == 3
    })
    .await;
    let acks = script.acks.lock().unwrap();
    let names = |some: &Vec<Receipt>| some.iter().map(|it| it.as_str().to_owned()).collect();
    let names: Vec<Vec<String>> = acks.iter().map(names).collect();
    assert_eq!(
        names,
        [vec!["a", "put off"], vec!["suspect"], vec!["unknown"]]
    );
    worker.shutdown();
}

#[tokio::test]
async fn message_that_nobody_lived_to_answer_is_put_aside_unread() {
    let clock = ManualClock::default();
    let visibility = Duration::from_secs(30);
    let channel = Channel::with_clock(visibility, clock.clone());
    let body = delivery("deadly", 1).body;
    channel
        .send(vec![Message::new("deadly", body)])
        .await
        .unwrap();
    for unanswered in 0..5 {
        let came = channel.receive(1).await.unwrap();
        assert_eq!(came[0].unanswered, Some(unanswered));
        clock.advance(visibility * 2);
    }
    let store = Memory::new();
    let worker = looped(&store, channel.clone()).await;
    until("it is put aside", async || !channel.put_aside().is_empty()).await;
    let (_, reason) = channel.put_aside().remove(0);
    assert!(
        reason.contains("delivered 5 times and never settled"),
        "{reason}"
    );
    assert!(
        store
            .list(RunFilter::default())
            .await
            .unwrap()
            .runs
            .is_empty()
    );
    worker.shutdown();
}
