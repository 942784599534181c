//! Building a harness.

use std::{fmt, sync::Arc};

use super::{Harness, setup::Setup};
use crate::{
    error::{Error, Result},
    function::{self, Function},
    store::Memory,
    testing::{ManualClock, Probe, Reopen},
    worker::WorkerBuilder,
};

/// Builds a [`Harness`].
#[must_use = "`build` makes the harness"]
pub struct HarnessBuilder {
    place: Box<dyn Reopen>,
    clock: ManualClock,
    change: Change,
    pub(super) probe: Probe,
    /// The first invalid preset.
    pub(super) failure: Option<Error>,
}

type Change = Arc<dyn Fn(WorkerBuilder) -> WorkerBuilder + Send + Sync>;

impl Default for HarnessBuilder {
    fn default() -> Self {
        Self {
            place: Box::new(Memory::new()),
            clock: ManualClock::default().skip_sleeps(true),
            change: Arc::new(|worker| worker),
            probe: Probe::default(),
            failure: None,
        }
    }
}

impl Harness {
    /// A harness with every function in the program, a store in memory and no presets.
    ///
    /// # Errors
    /// Two functions have the same id.
    pub async fn new() -> Result<Self> {
        Self::builder().build().await
    }

    /// A builder of a harness.
    pub fn builder() -> HarnessBuilder {
        HarnessBuilder::default()
    }
}

impl HarnessBuilder {
    /// Keeps runs in this store instead of a new [`Memory`].
    pub fn store(mut self, place: impl Reopen) -> Self {
        self.place = Box::new(place);
        self
    }

    /// Uses this clock. Unless it [skips sleeps](ManualClock::skip_sleeps), the test has to move it.
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a function by hand. Once one is added, only added functions count, not every one in the program.
    pub fn function<M>(self, function: impl Function<M>) -> Self {
        let function = function::of(function);
        self.worker(move |worker| worker.define(function))
    }

    /// Gives functions a state of the application, or a fake of it, as [`WorkerBuilder::state`] does.
    ///
    /// A harness with every function of the program does not require all their states: a function whose state is missing
    /// fails when it runs. One whose functions were [picked](Self::function) requires them in [`build`](Self::build).
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, State, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[derive(Clone)]
    /// struct Greeting(&'static str);
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup, State(greeting): State<Greeting>) -> belts::Result<String> {
    ///     step!("greet", format!("{}, {}", greeting.0, signup.email)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder().state(Greeting("hello")).build().await?;
    /// let run = harness.run(welcome, Signup { email: "ada@example.com".into() }).await?;
    /// assert_eq!(run.output()?, "hello, ada@example.com");
    /// # Ok(()) }
    /// ```
    pub fn state<T: Clone + Send + Sync + 'static>(self, state: T) -> Self {
        self.worker(move |worker| worker.state(state.clone()))
    }

    /// Encrypts what users write, as [`WorkerBuilder::encryption`] does. What the harness shows is opened.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Keyring, step, store::{Memory, Store}, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> { step!("count", signup.email.len()).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let memory = Memory::new();
    /// let harness = Harness::builder().store(memory.clone()).encryption(Keyring::new("a", [7; 32])).build().await?;
    /// harness.run(welcome, Signup { email: "ada@example.com".into() }).run_id("r-1").await?;
    /// assert_eq!(harness.store().step_result::<usize>("r-1", "count").await?, 15);
    /// assert!(memory.journal("r-1").await?[0].value.starts_with(br#"{"belts.sealed":1,"key":"a""#));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "encryption")]
    pub fn encryption(self, keys: crate::Keyring) -> Self {
        self.worker(move |worker| worker.encryption(keys.clone()))
    }

    /// Configures the worker, each time that one is built: at the start, and after each crash.
    ///
    /// ```rust,standalone_crate
    /// # use belts::testing::Harness;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder().worker(|worker| worker.max_value_bytes(2048)).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn worker(
        mut self,
        change: impl Fn(WorkerBuilder) -> WorkerBuilder + Send + Sync + 'static,
    ) -> Self {
        let before = self.change;
        self.change = Arc::new(move |worker| change(before(worker)));
        self
    }

    /// Opens the store and starts the worker.
    ///
    /// # Errors
    /// A preset cannot be written as JSON, or no function of the harness has its step; the store cannot be opened, or the worker cannot be built.
    pub async fn build(self) -> Result<Harness> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let Self {
            place,
            clock,
            change,
            probe,
            ..
        } = self;
        Harness::start(Setup {
            place,
            clock,
            change,
            probe: Arc::new(probe),
        })
        .await
    }
}

impl fmt::Debug for HarnessBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HarnessBuilder")
            .field("clock", &self.clock)
            .field("probe", &self.probe)
            .finish_non_exhaustive()
    }
}
