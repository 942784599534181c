//! Crashes a function at each of its writes.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
};

use super::{Crash, Harness, HarnessBuilder, Reopen, TestRun};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{self, EncodedEvent, EventSet},
    function::{Function, id_of},
    store::Memory,
};

mod outcome;

use outcome::Snapshot;

/// The id of the swept run in every case, so that whatever is derived from it is comparable.
const RUN_ID: &str = "swept-run";

/// More writes than any function under test makes; beyond it, something is looping.
const TOO_MANY: u32 = 10_000;

/// Sweeps a function: for every write of its run, one case in which the worker crashes before it and one in which it
/// crashes after it, each on a new store, with another worker that resumes.
///
/// `place` makes the store of a case; [`Memory::new`](crate::store::Memory::new) is enough, and
/// [`SqliteFile::temporary`](super::SqliteFile::temporary) opens its file anew after each crash. In a last
/// case every worker crashes, the first after its second write and each one a write later than the one before.
///
/// In every case:
/// - the run and those that it starts end as they do without a crash, with the same outputs and the same recorded steps,
///   whose own results may differ;
/// - the same events are published, each once;
/// - a recorded step is never evaluated again;
/// - no step is evaluated more often than without a crash, except once for each crash before it was recorded.
///
/// ```rust,standalone_crate
/// use belts::{Event, sleep, step, store::Memory, testing::sweep};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize, Event)]
/// struct OrderCreated { cents: u64 }
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct OrderShipped { cents: u64 }
///
/// #[belts::function(id = "process-order", on = OrderCreated)]
/// async fn process_order(order: OrderCreated) -> belts::Result<u64> {
///     let net = step!("net", order.cents * 100 / 119).await?;
///     sleep!("cool-off", "10m").await?;
///     step!("announce", async { publish_order_shipped(OrderShipped { cents: net }).await.map(drop) }).await?;
///     Ok(net)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let report = sweep(Memory::new)
///     .function(process_order)
///     .event(OrderCreated { cents: 119 })
///     .check(|case| assert_eq!(case.run.output().expect("an output"), 100))
///     .await?;
/// assert!(report.cases > 2 * report.writes);
/// # Ok(()) }
/// ```
pub fn sweep<P: Reopen>(place: impl Fn() -> P + Send + Sync + 'static) -> Sweep<(), ()> {
    Sweep {
        place: Arc::new(move || Box::new(place())),
        function: None,
        takes: PhantomData,
        event: None,
        setup: Arc::new(|harness| harness),
        check: Box::new(|_| {}),
    }
}

/// A sweep to be made: give it a [`function`](Self::function) and an [`event`](Self::event), and await it.
#[must_use = "nothing is swept until this is awaited: add `.await`"]
pub struct Sweep<E, T> {
    place: Arc<dyn Fn() -> Box<dyn Reopen> + Send + Sync>,
    function: Option<&'static str>,
    takes: PhantomData<fn(E)>,
    event: Option<Result<EncodedEvent>>,
    setup: Arc<dyn Fn(HarnessBuilder) -> HarnessBuilder + Send + Sync>,
    check: Check<T>,
}

type Check<T> = Box<dyn Fn(&Case<'_, T>) + Send + Sync>;

/// One case of a sweep, after all its runs have ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case<'a, T> {
    /// Where it crashed; `None` in the case without a crash, which comes first.
    pub crash: Option<Crash>,
    /// The run.
    pub run: &'a TestRun<T>,
    /// Everything else: the store, the events, the clock.
    pub harness: &'a Harness,
}

/// The extent of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// The most writes of the case without a crash, or of one with a crash before it.
    pub writes: u32,
    /// How many cases were compared with the one without a crash.
    pub cases: u32,
}

impl Harness {
    /// Crashes a function at every write of its run, in memory; [`sweep`] has more options.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
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
    /// Harness::sweep(book, Paid { cents: 119 }).await?;
    /// # Ok(()) }
    /// ```
    pub fn sweep<M, F>(function: F, event: F::Event) -> Sweep<F::Event, F::Output>
    where
        F: Function<M, Event: EventSet>,
    {
        sweep(Memory::new).function(function).event(event)
    }
}

impl Sweep<(), ()> {
    /// The function to sweep.
    pub fn function<M, F: Function<M>>(self, function: F) -> Sweep<F::Event, F::Output> {
        Sweep {
            place: self.place,
            function: Some(id_of(function)),
            takes: PhantomData,
            event: None,
            setup: self.setup,
            check: Box::new(|_| {}),
        }
    }
}

impl<E, T> Sweep<E, T> {
    /// The event to run it for.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is handed over, as to the `publish_*` helpers"
    )]
    pub fn event(mut self, event: E) -> Self
    where
        E: EventSet,
    {
        self.event = Some(event::checked(&event));
        self
    }

    /// Changes the harness of each case: presets, further functions, the worker.
    pub fn harness(
        mut self,
        setup: impl Fn(HarnessBuilder) -> HarnessBuilder + Send + Sync + 'static,
    ) -> Self {
        self.setup = Arc::new(setup);
        self
    }

    /// Adds assertions about each case, including the one without a crash.
    pub fn check(mut self, check: impl Fn(&Case<'_, T>) + Send + Sync + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    async fn go(self) -> Result<SweepReport> {
        let (Some(function), Some(event)) = (&self.function, &self.event) else {
            return Err(Error::new(
                ErrorKind::Config,
                "a sweep needs a `function` and an `event`",
            ));
        };
        let event = match event {
            Ok(event) => event.clone(),
            Err(error) => return Err(Error::new(error.kind(), error.report())),
        };
        let (expected, _) = self.case(function, &event, None).await?;
        let mut report = SweepReport {
            writes: 0,
            cases: 0,
        };
        for write in 1..=TOO_MANY {
            let mut reached = false;
            for crash in [Crash::Before(write), Crash::After(write)] {
                let (snapshot, crashes) = self.case(function, &event, Some(crash)).await?;
                snapshot.assert_like(&expected, crashes, &crash.to_string());
                reached |= crashes > 0;
                report.cases += 1;
            }
            if !reached {
                break;
            }
            report.writes = write;
        }
        let (snapshot, crashes) = self.storm(function, &event).await?;
        snapshot.assert_like(&expected, crashes, "a crash of every worker");
        report.cases += 1;
        Ok(report)
    }

    async fn new_harness(&self) -> Result<Harness> {
        (self.setup)(Harness::builder().store((self.place)()))
            .build()
            .await
    }

    async fn case(
        &self,
        function: &'static str,
        event: &EncodedEvent,
        crash: Option<Crash>,
    ) -> Result<(Snapshot, u32)> {
        let harness = self.new_harness().await?;
        if let Some(crash) = crash {
            harness.faults().crash(crash);
        }
        self.end(&harness, function, event, crash).await
    }

    async fn storm(&self, function: &'static str, event: &EncodedEvent) -> Result<(Snapshot, u32)> {
        let harness = self.new_harness().await?;
        let crash = Crash::After(2);
        harness.faults().crash(crash);
        harness.crash_each_life(Some(2));
        self.end(&harness, function, event, Some(crash)).await
    }

    /// Runs the case to the end of all its runs.
    async fn end(
        &self,
        harness: &Harness,
        function: &'static str,
        event: &EncodedEvent,
        crash: Option<Crash>,
    ) -> Result<(Snapshot, u32)> {
        let deliver = harness
            .deliver_encoded::<T>(function, event.clone())
            .event_id("swept-event")
            .run_id(RUN_ID);
        let run = deliver.go().await?;
        harness.settle().await?;
        harness.crash_each_life(None);
        harness.faults().disarm();
        let run = TestRun::read(harness, function, run.run_id().into(), harness.crashes()).await?;
        let told = Told(crash);
        (self.check)(&Case {
            crash,
            run: &run,
            harness,
        });
        drop(told);
        Ok((Snapshot::of(harness).await?, harness.crashes()))
    }
}

/// Prints in which case a check panicked.
struct Told(Option<Crash>);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            match self.0 {
                Some(crash) => eprintln!("the check panicked in the case with {crash}"),
                None => eprintln!("the check panicked in the case without a crash"),
            }
        }
    }
}

impl<E: Send + 'static, T: Send + 'static> IntoFuture for Sweep<E, T> {
    type Output = Result<SweepReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}

impl<E, T> fmt::Debug for Sweep<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}
