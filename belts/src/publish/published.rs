//! What became of a published event.

use serde::{Deserialize, Serialize};

use crate::{
    function::{Function, RunHandle, run_of},
    store::PublishedRun,
};

/// What became of a published event. A step that publishes records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The event's id.
    pub event_id: String,
    /// Whether an event of this type with this idempotency key was there before; nothing was published then. A dispatcher
    /// may not know: then it is `false`, and whoever receives the event finds that it was there.
    pub duplicate: bool,
    /// The runs that it started, or those that a duplicate has, sorted by function; none if nobody subscribes to its type, if
    /// no filter wants it, or if a dispatcher carries it: then they start where it is received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<StartedRun>,
    /// What flow options skipped, sorted by function: it starts nothing, and is on record as a run that was cancelled. None if a
    /// dispatcher carries the event, or if this program does not have the function: then it is decided later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedRun>,
}

/// What a flow option skipped. See [the guide](crate::guide::flow).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkippedRun {
    /// The function's id.
    pub function_id: String,
    /// The option that skipped it: `idempotent`, `rate_limit` or `singleton`.
    pub by: String,
    /// The run under which that is on record.
    pub run_id: String,
    /// The run that is there in its place, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// A run that a published event started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StartedRun {
    /// The run's id.
    pub run_id: String,
    /// The function's id.
    pub function_id: String,
}

impl Published {
    /// A handle on the run of this function that the event started; `None` if it started none, or if a dispatcher carries it.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, Worker, step, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Signup { email: String }
    ///
    /// #[belts::function(id = "welcome", on = Signup)]
    /// async fn welcome(signup: Signup) -> belts::Result<usize> {
    ///     step!("count", signup.email.len()).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let published = publish_signup(Signup { email: "ada@lovelace.uk".into() }).via(&worker).await?;
    /// let run = published.run_of(welcome).expect("it is subscribed").via(&worker);
    /// assert_eq!(run.result().await?, 15);
    /// # Ok(()) }
    /// ```
    pub fn run_of<M, F: Function<M>>(&self, function: F) -> Option<RunHandle<F::Output>> {
        let id = F::definition().id;
        let run = self.runs.iter().find(|run| run.function_id == id)?;
        Some(run_of(function, &run.run_id))
    }
}

impl StartedRun {
    pub(crate) fn all(runs: &[PublishedRun]) -> Vec<Self> {
        let started = runs.iter().filter(|run| run.skipped().is_none());
        let started = started.map(|run| Self {
            run_id: run.run_id.to_string(),
            function_id: run.function_id.to_string(),
        });
        started.collect()
    }
}

impl SkippedRun {
    pub(crate) fn all(runs: &[PublishedRun]) -> Vec<Self> {
        let skipped = runs.iter().filter_map(|run| {
            let skipped = run.skipped()?;
            Some(Self {
                function_id: run.function_id.to_string(),
                by: skipped.by.as_str().to_owned(),
                run_id: run.run_id.to_string(),
                instead: skipped.run_id.as_deref().map(str::to_owned),
            })
        });
        skipped.collect()
    }
}
