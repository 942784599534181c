//! What steps do instead of their expressions, set before and after a harness is built.

use serde::Serialize;

use super::{Harness, HarnessBuilder};
use crate::{
    error::{Error, Result},
    testing::probe::Preset,
};

impl HarnessBuilder {
    fn set(mut self, path: impl Into<String>, preset: Result<Preset>, optional: bool) -> Self {
        match preset {
            Ok(preset) => self.probe.set(path.into(), preset, optional),
            Err(error) => self.failure = self.failure.or(Some(error)),
        }
        self
    }

    /// Sets the result of a step; the expression is not evaluated. An `Err` goes through the step's retries as if the
    /// expression had returned it.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Paid { cents: u64 }
    ///
    /// async fn charge(_cents: u64) -> belts::Result<String> {
    ///     unreachable!("the test presets it")
    /// }
    ///
    /// #[belts::function(id = "pay", on = Paid)]
    /// async fn pay(paid: Paid) -> belts::Result<String> {
    ///     step!("charge", charge(paid.cents), retries = 2).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder().preset("charge", Ok("p-1")).build().await?;
    /// let run = harness.run(pay, Paid { cents: 500 }).await?;
    /// assert_eq!((run.output()?.as_str(), run.evaluations("charge")), ("p-1", 0));
    ///
    /// harness.preset_error("charge", "no connection");
    /// let run = harness.run(pay, Paid { cents: 500 }).await?;
    /// assert_eq!(run.assert_failed().attempts("charge"), 3);
    ///
    /// harness.preset::<()>("charge", Err(belts::terminal("card declined")))?;
    /// let run = harness.run(pay, Paid { cents: 500 }).await?;
    /// assert_eq!(run.assert_failed().attempts("charge"), 1);
    /// # Ok(()) }
    /// ```
    pub fn preset<T: Serialize>(self, path: impl Into<String>, result: Result<T>) -> Self {
        self.set(path, Preset::of(result), false)
    }

    /// As [`preset`](Self::preset), for a step that the run need not reach. Any other preset that no run of the harness has
    /// reached when it is dropped fails the test, since usually its path is wrong.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Paid { cents: u64 }
    ///
    /// async fn charge(_cents: u64) -> belts::Result<String> {
    ///     unreachable!("the tests preset it")
    /// }
    ///
    /// #[belts::function(id = "pay", on = Paid)]
    /// async fn pay(paid: Paid) -> belts::Result<String> {
    ///     if paid.cents == 0 { return Ok("a gift".into()) }
    ///     step!("charge", charge(paid.cents)).await
    /// }
    ///
    /// /// What all tests of a module begin with.
    /// async fn harness() -> belts::Result<Harness> {
    ///     Harness::builder().preset_if_reached("charge", Ok("p-1")).build().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// assert_eq!(harness().await?.run(pay, Paid { cents: 0 }).await?.output()?, "a gift");
    /// assert_eq!(harness().await?.run(pay, Paid { cents: 5 }).await?.output()?, "p-1");
    /// # Ok(()) }
    /// ```
    pub fn preset_if_reached<T: Serialize>(
        self,
        path: impl Into<String>,
        result: Result<T>,
    ) -> Self {
        self.set(path, Preset::of(result), true)
    }

    /// Makes every attempt of a step fail with this text; see [`preset`](Self::preset).
    pub fn preset_error(self, path: impl Into<String>, message: impl Into<String>) -> Self {
        self.preset::<()>(path, Err(Error::from_any(message.into())))
    }

    /// Sets the result of each attempt of a step; later attempts get the last one.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Paid { cents: u64 }
    ///
    /// async fn charge(_cents: u64) -> belts::Result<String> {
    ///     unreachable!("the test presets it")
    /// }
    ///
    /// #[belts::function(id = "pay", on = Paid)]
    /// async fn pay(paid: Paid) -> belts::Result<String> {
    ///     step!("charge", charge(paid.cents), retries = 2).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder()
    ///     .preset_attempts("charge", [Err(belts::Error::from_any("no connection")), Ok("p-1")])
    ///     .build()
    ///     .await?;
    /// let run = harness.run(pay, Paid { cents: 500 }).await?;
    /// assert_eq!((run.output()?.as_str(), run.attempts("charge")), ("p-1", 2));
    /// # Ok(()) }
    /// ```
    pub fn preset_attempts<T: Serialize>(
        self,
        path: impl Into<String>,
        results: impl IntoIterator<Item = Result<T>>,
    ) -> Self {
        self.set(path, Preset::attempts(results), false)
    }

    /// Makes every attempt of a step time out at once, whether the step has a timeout or not.
    pub fn preset_timeout(self, path: impl Into<String>) -> Self {
        self.set(path, Ok(Preset::TimesOut), false)
    }

    /// Makes every attempt of a step hang until its own `timeout` or `stall` ends it; the clock moves there at once. A step
    /// without either hangs until the test [advances](Harness::advance) the clock past the function's.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    /// use std::time::Duration;
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ping {}
    ///
    /// #[belts::function(id = "call", on = Ping)]
    /// async fn call(_: Ping) -> belts::Result<String> {
    ///     match step!("call", async { "pong".to_owned() }, retries = 0, timeout = "30s").await {
    ///         Ok(answer) => Ok(answer),
    ///         Err(_) => step!("give-up", "nobody is there".to_owned()).await,
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder().preset_hang("call").build().await?;
    /// let start = harness.now();
    /// let run = harness.run(call, Ping {}).await?;
    /// assert_eq!(run.output()?, "nobody is there");
    /// assert_eq!(harness.now().since(start), Duration::from_secs(30));
    /// # Ok(()) }
    /// ```
    pub fn preset_hang(self, path: impl Into<String>) -> Self {
        self.set(path, Ok(Preset::Hangs), false)
    }

    /// Makes the first `times` attempts of a step fail; later ones use the other preset, or evaluate the expression.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, step, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ping {}
    ///
    /// #[belts::function(id = "pong", on = Ping)]
    /// async fn pong(_: Ping) -> belts::Result<String> { step!("pong", "pong".to_owned(), retries = 2).await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::builder().fail_times("pong", 2).build().await?;
    /// let run = harness.run(pong, Ping {}).await?;
    /// assert_eq!(run.output()?, "pong");
    /// assert_eq!((run.attempts("pong"), run.evaluations("pong")), (3, 1));
    ///
    /// harness.fail_times("pong", 3);
    /// harness.run(pong, Ping {}).await?.assert_failed();
    /// # Ok(()) }
    /// ```
    pub fn fail_times(self, path: impl Into<String>, times: u32) -> Self {
        self.probe.fail_first(path.into(), times);
        self
    }
}

impl Harness {
    fn set(&self, path: impl Into<String>, preset: Preset, optional: bool) -> Result<()> {
        let path = path.into();
        self.life().check(&path)?;
        self.inner.setup.probe.set(path, preset, optional);
        Ok(())
    }

    /// Sets the result of a step from now on; see [`HarnessBuilder::preset`].
    ///
    /// # Errors
    /// The value cannot be written as JSON, or no function of the harness has such a step.
    pub fn preset<S: Serialize>(&self, path: impl Into<String>, result: Result<S>) -> Result<()> {
        self.set(path, Preset::of(result)?, false)
    }

    /// As [`preset`](Self::preset), for a step that the run need not reach; see [`HarnessBuilder::preset_if_reached`].
    ///
    /// # Errors
    /// The value cannot be written as JSON, or no function of the harness has such a step.
    pub fn preset_if_reached<S: Serialize>(
        &self,
        path: impl Into<String>,
        result: Result<S>,
    ) -> Result<()> {
        self.set(path, Preset::of(result)?, true)
    }

    /// Sets the result of each attempt of a step from now on; see [`HarnessBuilder::preset_attempts`].
    ///
    /// # Errors
    /// A value cannot be written as JSON, or no function of the harness has such a step.
    pub fn preset_attempts<S: Serialize>(
        &self,
        path: impl Into<String>,
        results: impl IntoIterator<Item = Result<S>>,
    ) -> Result<()> {
        self.set(path, Preset::attempts(results)?, false)
    }

    /// Makes every attempt of a step fail from now on.
    ///
    /// # Panics
    /// No function of the harness has such a step.
    #[track_caller]
    pub fn preset_error(&self, path: impl Into<String>, message: impl Into<String>) {
        let error = Error::from_any(message.into());
        there(self.set(path, Preset::failing(&error), false));
    }

    /// Makes every attempt of a step time out from now on.
    ///
    /// # Panics
    /// No function of the harness has such a step.
    #[track_caller]
    pub fn preset_timeout(&self, path: impl Into<String>) {
        there(self.set(path, Preset::TimesOut, false));
    }

    /// Makes every attempt of a step hang from now on; see [`HarnessBuilder::preset_hang`].
    ///
    /// # Panics
    /// No function of the harness has such a step.
    #[track_caller]
    pub fn preset_hang(&self, path: impl Into<String>) {
        there(self.set(path, Preset::Hangs, false));
    }

    /// Makes the first `times` attempts of a step fail from now on, before any other preset applies; 0 undoes that.
    ///
    /// # Panics
    /// No function of the harness has such a step.
    #[track_caller]
    pub fn fail_times(&self, path: impl Into<String>, times: u32) {
        let path = path.into();
        there(self.life().check(&path));
        self.inner.setup.probe.fail_first(path, times);
    }

    /// Removes all presets of a step, so that it is evaluated.
    pub fn clear_preset(&self, path: &str) {
        self.inner.setup.probe.clear(path);
    }
}

/// Panics at the caller's location.
#[track_caller]
fn there(checked: Result<()>) {
    if let Err(error) = checked {
        panic!("{error}");
    }
}
