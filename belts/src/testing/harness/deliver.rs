//! Delivering an event to a function under test.

use std::{
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
};

use tokio::task::JoinSet;

use super::{Harness, TestRun};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{self, EncodedEvent, EventSet},
    function::{Function, id_of},
    id::new_id,
    store::RunRecord,
    testing::Crash,
    worker::{Execute, Worker},
};

/// A function to be run for an event: await it, with or without options. See [`Harness::run`].
#[must_use = "nothing is delivered until this is awaited: add `.await`"]
#[derive(Debug)]
pub struct Deliver<T> {
    harness: Harness,
    function: &'static str,
    event: Result<EncodedEvent>,
    event_id: Option<String>,
    run_id: Option<String>,
    until: Option<String>,
    crash: Option<Crash>,
    times: u32,
    output: PhantomData<fn() -> T>,
}

impl Harness {
    /// Runs a function for an event: await it, with or without options.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is handed over, as to the `publish_*` helpers"
    )]
    pub fn run<M, F>(&self, function: F, event: F::Event) -> Deliver<F::Output>
    where
        F: Function<M, Event: EventSet>,
    {
        Deliver::new(self.clone(), id_of(function), event::checked(&event))
    }

    pub(crate) fn deliver_encoded<T>(
        &self,
        function: &'static str,
        event: EncodedEvent,
    ) -> Deliver<T> {
        Deliver::new(self.clone(), function, Ok(event))
    }

    /// Delivers one event twice concurrently, and waits for both responses.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ping {}
    ///
    /// #[belts::function(id = "pong", on = Ping)]
    /// async fn pong(_: Ping) -> belts::Result<()> { step!("pong", ()).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let run = Harness::new().await?.deliver_twice(pong, Ping {}).await?;
    /// assert_eq!(run.evaluations("pong"), 1);
    /// # Ok(()) }
    /// ```
    pub fn deliver_twice<M, F>(&self, function: F, event: F::Event) -> Deliver<F::Output>
    where
        F: Function<M, Event: EventSet>,
    {
        self.run(function, event).times(2)
    }
}

impl<T> Deliver<T> {
    pub(super) fn new(
        harness: Harness,
        function: &'static str,
        event: Result<EncodedEvent>,
    ) -> Self {
        Self {
            harness,
            function,
            event,
            event_id: None,
            run_id: None,
            until: None,
            crash: None,
            times: 1,
            output: PhantomData,
        }
    }

    /// Gives the run this id, or resumes the run that has it.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }

    /// Gives the event this id. An event whose id is known starts nothing new.
    pub fn event_id(mut self, id: impl Into<String>) -> Self {
        self.event_id = Some(id.into());
        self
    }

    /// Continues until the step with this path is recorded, then stops. A run that ends without it is an error.
    pub fn until(mut self, path: impl Into<String>) -> Self {
        self.until = Some(path.into());
        self
    }

    /// Makes the worker die at a write, counted from the delivery, and another one resume.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::{Crash, Harness}};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Paid { cents: u64 }
    ///
    /// #[belts::function(id = "book", on = Paid)]
    /// async fn book(paid: Paid) -> belts::Result<u64> {
    ///     let net = step!("net", paid.cents * 100 / 119).await?;
    ///     step!("book", net).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// // Write 1 is the publish, write 2 the record of `net`, which is lost here.
    /// let run = harness.run(book, Paid { cents: 119 }).crash(Crash::Before(2)).await?;
    /// assert_eq!(run.output()?, 100);
    /// assert_eq!((run.crashes(), run.evaluations("net"), run.evaluations("book")), (1, 2, 1));
    /// # Ok(()) }
    /// ```
    pub fn crash(mut self, crash: Crash) -> Self {
        self.crash = Some(crash);
        self
    }

    /// Delivers the event this many times concurrently.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times.max(1);
        self
    }

    pub(in crate::testing) async fn go(self) -> Result<TestRun<T>> {
        let probe = self.harness.shared_probe();
        let delivered = self.deliver().await;
        // The test already has an error to show.
        delivered.inspect_err(|_| probe.excuse())
    }

    async fn deliver(self) -> Result<TestRun<T>> {
        let harness = self.harness;
        let event = self.event?;
        let event_id = self.event_id.unwrap_or_else(|| new_id().to_string());
        let run_id = match self.run_id {
            Some(id) => id,
            None => known_run(&harness, &event_id, self.function)
                .await?
                .unwrap_or_else(|| new_id().to_string()),
        };
        if let Some(crash) = self.crash {
            harness.faults().crash(crash);
        }
        let delivery = Delivery {
            function: self.function,
            event,
            event_id,
            run_id,
            until: self.until,
        };
        let times = self.times;
        let ((), crashes) = harness
            .surviving(|worker| Box::pin(deliver(worker, delivery.clone(), times)))
            .await?;
        if self.crash.is_some() {
            harness.faults().disarm();
        }
        let run = TestRun::read(&harness, self.function, delivery.run_id.into(), crashes).await?;
        match delivery.until {
            Some(path) => run.has_stopped_at(&path).map(|()| run),
            None => Ok(run),
        }
    }
}

impl Harness {
    /// Drives an existing run to its end, and no other.
    pub(super) async fn resume<T>(&self, record: &RunRecord) -> Result<TestRun<T>> {
        let (run_id, function) = (Arc::clone(&record.run_id), Arc::clone(&record.function_id));
        let drive = |worker: Worker| {
            let unknown = Error::new(ErrorKind::UnknownRun, "the run no longer exists");
            let execute = Execute::new(worker, Err(unknown))
                .function(&*function)
                .run_id(&*run_id);
            execute.into_future()
        };
        let (_, crashes) = self.surviving(drive).await?;
        TestRun::read(self, &function, Arc::clone(&run_id), crashes).await
    }
}

/// The run that an event has started before.
async fn known_run(harness: &Harness, event_id: &str, function: &str) -> Result<Option<String>> {
    let filter = crate::store::RunFilter::new()
        .with_event(event_id)
        .with_function(function);
    let page = harness.store().shared().list(filter).await?;
    Ok(page.runs.first().map(|run| run.run_id.to_string()))
}

#[derive(Debug, Clone)]
struct Delivery {
    function: &'static str,
    event: EncodedEvent,
    event_id: String,
    run_id: String,
    until: Option<String>,
}

async fn deliver(worker: Worker, delivery: Delivery, times: u32) -> Result<()> {
    let mut deliveries = JoinSet::new();
    for _ in 0..times {
        let delivery = delivery.clone();
        let mut execute = Execute::new(worker.clone(), Ok(delivery.event));
        execute.event_id = Some(delivery.event_id);
        execute = execute.function(delivery.function).run_id(delivery.run_id);
        if let Some(path) = delivery.until {
            execute = execute.until(path);
        }
        deliveries.spawn(execute.into_future());
    }
    while let Some(executed) = deliveries.join_next().await {
        executed.map_err(|error| {
            Error::new(ErrorKind::Shutdown, "a delivery did not finish").with_source(error)
        })??;
    }
    Ok(())
}

impl<T: Send + 'static> IntoFuture for Deliver<T> {
    type Output = Result<TestRun<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}
