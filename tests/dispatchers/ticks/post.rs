//! A service that pushes, on a clock that stands still: the test carries each message by hand.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, header::CONTENT_TYPE},
};
use belts::{
    Error, Timestamp, Worker, WorkerBuilder,
    dispatch::{Capabilities, Dispatcher, Message, Pushed, Recognized, Sent},
    store::SharedStore,
    testing::ManualClock,
};
use tower::ServiceExt as _;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// More messages than any of these tests has a use for.
const MANY: usize = 1_000;

#[derive(Debug, Clone)]
pub(super) struct Post(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: ManualClock,
    max_delay: Duration,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    waiting: Vec<Letter>,
    known: BTreeSet<Arc<str>>,
    refuses: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) at: Timestamp,
    pub(super) body: String,
    id: Arc<str>,
}

impl Letter {
    /// Whether it brings a tick.
    pub(super) fn is_for_ticks(&self) -> bool {
        self.body.contains("belts.schedules")
    }
}

impl Post {
    pub(super) fn new(clock: &ManualClock) -> Self {
        Self::with_max_delay(clock, DAY * 90)
    }

    pub(super) fn with_max_delay(clock: &ManualClock, max_delay: Duration) -> Self {
        Self(Arc::new(Inner {
            clock: clock.clone(),
            max_delay,
            book: Mutex::default(),
        }))
    }

    /// A worker without a loop.
    pub(super) fn builder(&self, store: &SharedStore) -> WorkerBuilder {
        let builder = Worker::builder().shared_store(Arc::clone(store));
        builder.clock(self.0.clock.clone()).dispatcher(self.clone())
    }

    /// Refuses the next messages.
    pub(super) fn refuse(&self, count: usize) {
        self.0.book.lock().unwrap().refuses = count;
    }

    /// What is under way, the first first.
    pub(super) fn waiting(&self) -> Vec<Letter> {
        let mut waiting = self.0.book.lock().unwrap().waiting.clone();
        waiting.sort_by_key(|letter| letter.at);
        waiting
    }

    /// For when ticks are under way.
    pub(super) fn ticks(&self) -> Vec<Timestamp> {
        let waiting = self.waiting();
        let ticks = waiting.iter().filter(|letter| letter.is_for_ticks());
        ticks.map(|letter| letter.at).collect()
    }

    /// Loses everything that is under way.
    pub(super) fn lose_all(&self) {
        self.0.book.lock().unwrap().waiting.clear();
    }

    /// Carries the first message, at its time; the answer's status. It stays if it was not taken.
    pub(super) async fn carry(&self, worker: &Worker) -> u16 {
        let letter = self.waiting().into_iter().next();
        self.bring(letter.expect("a message is under way"), worker)
            .await
    }

    /// Carries this message, at its time; the answer's status. It stays if it was not taken.
    pub(super) async fn bring(&self, letter: Letter, worker: &Worker) -> u16 {
        if letter.at > self.0.clock.now() {
            self.0.clock.set(letter.at);
        }
        let request = Request::post("/")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(letter.body))
            .unwrap();
        let status = worker.router().oneshot(request).await.unwrap().status();
        if status.is_success() {
            let mut book = self.0.book.lock().unwrap();
            book.waiting.retain(|other| other.id != letter.id);
        }
        status.as_u16()
    }

    /// Carries everything up to this time, and what comes of it; how many messages. Each is carried until it is taken.
    pub(super) async fn carry_until(&self, worker: &Worker, end: Timestamp) -> usize {
        let mut carried = 0;
        while self
            .waiting()
            .first()
            .is_some_and(|letter| letter.at <= end)
        {
            self.carry(worker).await;
            carried += 1;
            assert!(carried < MANY, "messages without end: {:?}", self.waiting());
        }
        self.0.clock.set(end);
        carried
    }
}

#[async_trait::async_trait]
impl Dispatcher for Post {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .durable()
            .signs()
            .max_delay(self.0.max_delay)
    }

    async fn send(&self, batch: Vec<Message>) -> belts::Result<Vec<belts::Result<Sent>>> {
        let now = self.0.clock.now();
        let mut book = self.0.book.lock().unwrap();
        let answers = batch.into_iter().map(|message| {
            if book.refuses > 0 {
                book.refuses -= 1;
                return Err(Error::dispatcher("too many messages", "status 429"));
            }
            if book.known.insert(Arc::clone(&message.id)) {
                book.waiting.push(Letter {
                    at: now.after(message.delay),
                    body: String::from_utf8(message.body.to_vec()).unwrap(),
                    id: message.id,
                });
            }
            Ok(Sent::default())
        });
        Ok(answers.collect())
    }

    fn recognize(&self, _: &Pushed<'_>) -> Option<belts::Result<Recognized>> {
        Some(Ok(Recognized::new(None)))
    }
}
