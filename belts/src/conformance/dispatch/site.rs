//! A worker that receives, and a publisher that reaches it only through the transport.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{
    Transport,
    arrived::PATIENCE,
    bench::pause,
    front::{Fault, Front},
    meddler::Meddler,
};
use crate::{
    __private as private, Location,
    clock::{Clock as _, SystemClock, Timestamp},
    dispatch::MessageOptions,
    error::Result,
    function::FunctionDef,
    publish::Published,
    store::{Memory, NewEvent, RunFilter, RunRecord, RunStatus, Store as _},
    worker::Worker,
};

const EVENT: &str = "conformance-sent";

static FUNCTION: FunctionDef = FunctionDef {
    id: "conformance/receive",
    events: &[&[EVENT]],
    check,
    start: |_| Box::pin(async { private::finish(Ok::<(), crate::Error>(())) }),
    location: Location {
        file: file!(),
        line: line!(),
        column: 1,
    },
    package: "belts",
    ..FunctionDef::BLANK
};

/// From this number on, events do not fit at first, as if a worker of another version had received them.
const MISFITS: u64 = 1 << 40;
/// How often such an event does not fit.
const MISSES: u32 = 2;

/// The number of an event that does not fit at first; no other case has it.
pub(super) fn misfit() -> usize {
    let number = MISFITS + fastrand::u64(..1 << 20) * u64::from(std::process::id());
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn check(_event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
    static ARRIVALS: Mutex<BTreeMap<u64, u32>> = Mutex::new(BTreeMap::new());
    let event = serde_json::from_slice::<serde_json::Value>(payload).unwrap_or_default();
    let Some(number) = event["number"].as_u64() else {
        return Err(private::invalid(EVENT, "has no number"));
    };
    if number >= MISFITS {
        let mut arrivals = ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner);
        let times = arrivals.entry(number).or_default();
        *times += 1;
        if *times <= MISSES {
            return Err(private::invalid(EVENT, "is for another version"));
        }
    }
    Ok(None)
}

/// Both ends of a transport.
pub(super) struct Site {
    transport: Box<dyn Transport>,
    fault: Fault,
    front: Front,
    store: Memory,
    pub(super) publisher: Publisher,
    worker: Option<(Worker, JoinHandle<Result<()>>)>,
}

impl Site {
    pub(super) async fn open(transport: Box<dyn Transport>, fault: Fault) -> Result<Self> {
        let front = Front::open(fault).await?;
        let dispatcher = transport.connect(&front.url).await?;
        let publisher = Worker::builder()
            .publish_only()
            .shared_dispatcher(dispatcher);
        let publisher = transport.sender(publisher).build().await?;
        let mut site = Self {
            transport,
            fault,
            front,
            store: Memory::new(),
            publisher: Publisher(publisher),
            worker: None,
        };
        site.start().await?;
        Ok(site)
    }

    /// Starts a worker on the same store, replacing the one before.
    pub(super) async fn start(&mut self) -> Result<()> {
        let dispatcher = self.transport.connect(&self.front.url).await?;
        let pulls = dispatcher.capabilities().pulls;
        let builder = Worker::builder()
            .store(self.store.clone())
            .define(&FUNCTION)
            .url(&self.front.url);
        let builder = if pulls {
            builder.dispatcher(Meddler::new(dispatcher, self.fault))
        } else {
            builder.shared_dispatcher(dispatcher)
        };
        let worker = self.transport.receiver(builder).build().await?;
        let expected = worker.shared().expect_loop();
        let running = worker.clone();
        let running = tokio::spawn(async move { running.run_expected(expected).await });
        self.front.lead_to(Some(worker.open_router()));
        self.worker = Some((worker, running));
        Ok(())
    }

    /// Lets the worker finish what it has started.
    pub(super) async fn shut_down(&mut self) -> Result<()> {
        let Some((worker, running)) = self.worker.take() else {
            return Ok(());
        };
        worker.shutdown();
        running.await.expect("the worker's loop does not panic")
    }

    /// Sends a foreign message, which the transport may reject.
    pub(super) async fn send_poison(&self, number: usize, body: &str) -> Result<()> {
        let message = crate::dispatch::Message::new(format!("poison-{number}"), body.as_bytes());
        let dispatcher = self.publisher.0.dispatcher().expect("it was given one");
        drop(dispatcher.send(vec![message]).await?);
        Ok(())
    }

    async fn runs(&self) -> Result<Vec<RunRecord>> {
        let filter = RunFilter::new().with_limit(1000);
        Ok(self.store.list(filter).await?.runs)
    }

    /// Waits until this many events have a completed run, and then for a while, in which none may be added.
    pub(super) async fn exactly(&self, events: usize, quiet: Duration) -> Result<Vec<RunRecord>> {
        let deadline = SystemClock.now().after(PATIENCE);
        loop {
            let runs = self.runs().await?;
            let ended = runs.iter().filter(|run| run.status == RunStatus::Completed);
            if ended.count() >= events {
                break;
            }
            assert!(
                SystemClock.now() < deadline,
                "{events} events were published, and these runs are there: {:?}",
                runs.iter()
                    .map(|run| (&run.event_id, run.status))
                    .collect::<Vec<_>>()
            );
            pause(Duration::from_millis(10)).await;
        }
        pause(quiet).await;
        let runs = self.runs().await?;
        let mut ids: Vec<_> = runs.iter().map(|run| Arc::clone(&run.event_id)).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(
            (ids.len(), runs.len()),
            (events, events),
            "one run for each event"
        );
        Ok(runs)
    }

    /// Longer than an unacknowledged message takes to be redelivered.
    pub(super) fn quiet(&self) -> Duration {
        let dispatcher = self.publisher.0.dispatcher().expect("it was given one");
        let visibility = dispatcher.capabilities().visibility;
        visibility.unwrap_or(Duration::from_secs(1)) + Duration::from_millis(500)
    }
}

/// Publishes only through the transport.
#[derive(Debug, Clone)]
pub(super) struct Publisher(Worker);

impl Publisher {
    /// Publishes the event with this number.
    pub(super) async fn publish(&self, number: usize, due_at: Timestamp) -> Result<Published> {
        let payload = format!("{{\"number\":{number}}}").into_bytes();
        let event = NewEvent::new(format!("event-{number}"), EVENT, payload, due_at);
        self.0.shared().send(event, MessageOptions::default()).await
    }

    pub(super) async fn publish_now(&self, number: usize) -> Result<()> {
        self.publish(number, SystemClock.now()).await.map(drop)
    }

    pub(super) async fn publish_many(&self, count: usize) -> Result<()> {
        let publishing = (0..count).map(|number| self.publish_now(number));
        let published = futures_util::future::join_all(publishing).await;
        published.into_iter().collect()
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some((worker, running)) = self.worker.take() {
            worker.shutdown();
            running.abort();
        }
    }
}
