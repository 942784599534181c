//! The check of new code over running work: every run in flight is replayed against this program, without running any step or
//! writing anything.

mod by_env;
mod contract;
mod lanes;
mod options;
mod rehearse;
mod report;
mod survey;
mod verdict;

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

#[cfg(feature = "testing")]
pub(crate) use lanes::apart;
use options::Options;
#[cfg(feature = "testing")]
pub(crate) use rehearse::rehearse;
pub use report::{CheckReport, CheckedFunction, Concern};
#[cfg(feature = "testing")]
pub(crate) use verdict::Verdict;

use super::{WorkerBuilder, handle::Worker};
use crate::{error::Result, worker::Shared};

/// A check that is about to be made: await it. See [`Worker::check`].
#[must_use = "nothing is checked until this is awaited: add `.await`"]
pub struct Check {
    on: On,
    options: Options,
}

enum On {
    Worker(Worker),
    Builder(Box<WorkerBuilder>),
}

impl Worker {
    /// Checks whether the runs in flight would go on with the code of this program.
    ///
    /// Each run that has not ended is replayed against its function: what is recorded comes back, and no step is run. The report says
    /// of each function how many runs fit, what they have recorded that the code no longer asks for, and what would fail, and why.
    /// Nothing is written to the store.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Worker, sleep, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> {
    ///     let length = step!("count", signup.email.len()).await?;
    ///     sleep!("pause", "3d").await?;
    ///     Ok(length)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// welcome(Signup { email: "ada@example.com".into() }).via(&worker).start().await?;
    /// let report = worker.check().await?;
    /// assert!(report.is_ok(), "{report}");
    /// assert_eq!(report.functions()[0].runs(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// A worker that was built has told the store of its functions already. To look before that, run the program with `BELTS_CHECK=1`,
    /// or ask its [builder](WorkerBuilder::check). See [the guide](crate::guide::deploying).
    pub fn check(&self) -> Check {
        Check {
            on: On::Worker(self.clone()),
            options: Options::default(),
        }
    }
}

impl WorkerBuilder {
    /// Checks whether the runs in flight would go on with the code of this program, as [`Worker::check`] does, and builds no worker:
    /// nothing is subscribed, and no session begins.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Worker, store::Memory};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let report = Worker::builder().store(Memory::new()).check().most(100).await?;
    /// assert_eq!((report.runs(), report.exit_code()), (0, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// A store that was opened may have been migrated by that. With `BELTS_CHECK=1` it is not.
    pub fn check(self) -> Check {
        Check {
            on: On::Builder(Box::new(self)),
            options: Options::default(),
        }
    }
}

impl Check {
    /// The most runs that are checked of each function, the newest first; default 1,000.
    pub fn most(mut self, runs: usize) -> Self {
        self.options.most = runs;
        self
    }

    /// The longest that the replay of one run may take, default 5 s: what a function does outside of its steps may hang.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options.time_limit = limit;
        self
    }

    /// Names a function of another program on the same store, whose runs are left out; `billing/*` names all that begin so. Any other
    /// function that has runs in flight and is not in this program counts as one that was removed.
    pub fn elsewhere(mut self, function_id: impl Into<String>) -> Self {
        self.options.elsewhere.push(function_id.into());
        self
    }

    /// Says that a step is gone on purpose, as in `process-order/send-mail`, where the check takes another one for it under a new key.
    pub fn accept(mut self, step: impl Into<String>) -> Self {
        self.options.accepted.push(step.into());
        self
    }

    /// Calls this for each run that was checked, with how many they are.
    pub fn on_progress(mut self, progress: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.options.progress = Some(Arc::new(progress));
        self
    }
}

impl IntoFuture for Check {
    type Output = Result<CheckReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let worker = match self.on {
                On::Worker(worker) => Arc::clone(worker.shared()),
                On::Builder(builder) => Arc::new(builder.assemble(true).await?),
            };
            worker.check_with(&Arc::new(self.options)).await
        })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("most", &self.options.most)
            .field("time_limit", &self.options.time_limit)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Says on the standard output what the check of this program finds, and ends the process: with 0 if every run would go on, and
    /// else with 1.
    pub(in crate::worker) async fn check_by_env(self: &Arc<Self>) -> Result<()> {
        let options = Arc::new(by_env::options()?);
        let report = self.check_with(&options).await;
        by_env::tell(&report);
        std::process::exit(report.map_or(1, |report| i32::from(report.exit_code())));
    }
}
