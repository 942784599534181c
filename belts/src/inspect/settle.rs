//! Saying what is so of a step of which nobody knows whether it has happened.

#[cfg(feature = "dashboard")]
use std::collections::HashSet;
use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{CallbackHandle, Runs};
use crate::{
    callback::Recorded,
    codec,
    error::{Error, ErrorKind, Result},
    plain::Clean,
    run::{Settled, is_settled_by},
    store::{Entry, StepKind, StepState},
};

/// A step that is parked, to be settled: what [`Runs::settle`] returns.
///
/// ```rust,standalone_crate
/// use belts::{Event, step, testing::{Crash, Harness}};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Ordered { cents: u64 }
///
/// #[belts::function(id = "charge", on = Ordered)]
/// async fn charge(order: Ordered) -> belts::Result<String> {
///     step!("charge", format!("charged {}", order.cents), unknown = "park").await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let harness = Harness::new().await?;
/// // The process dies when it would record the charge.
/// harness.faults().crash(Crash::Before(3));
/// harness.run(charge, Ordered { cents: 400 }).run_id("o-17").await?;
/// harness.worker().runs().settle("o-17", "charge").value("charged before the crash").await?;
/// harness.settle().await?;
/// assert_eq!(harness.runs_of(charge).await?[0].output()?, "charged before the crash");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SettleStep {
    runs: Runs,
    run_id: Arc<str>,
    step: Arc<str>,
}

impl fmt::Debug for SettleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettleStep")
            .field("run_id", &self.run_id)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl Runs {
    /// A step of a run that waits since nobody knows whether it has happened: one with `unknown = "park"`, by its path as in the
    /// journal. See [the guide](crate::guide::errors#unknown-outcomes).
    pub fn settle(&self, run_id: impl Into<Arc<str>>, step: impl Into<Arc<str>>) -> SettleStep {
        SettleStep {
            runs: self.clone(),
            run_id: run_id.into(),
            step: step.into(),
        }
    }
}

impl Runs {
    /// Notes that what was said does not count, whoever has said something else, or whatever is wrong with it.
    pub(super) async fn note_refusal(
        &self,
        run_id: &str,
        what: &str,
        said: Result<()>,
    ) -> Result<()> {
        if let Err(error) = &said
            && !error.is_service_failure()
        {
            // Why it was refused matters more than that this is not noted.
            if let Err(error) = self.note(run_id, &format!("{what}: refused")).await {
                tracing::warn!(run = %Clean(run_id), error = %error.report(), "a refusal could not be noted in the run");
            }
        }
        said
    }
}

impl SettleStep {
    /// It has happened, and this is its result.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun): there is no such run, or none of its steps of this path waits.
    /// [`Conflict`](ErrorKind::Conflict): somebody has said something else. [`CallbackClosed`](ErrorKind::CallbackClosed): the run has
    /// ended. [`Codec`](ErrorKind::Codec): the value cannot be written as JSON. Also if the store cannot be reached or written. If the
    /// value is none of the step's type, that is the step's failure.
    pub async fn value<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        let json = to_raw_value(value).map_err(|error| {
            Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
        })?;
        self.value_of(json).await
    }

    /// It has not happened, or may happen again: it is evaluated.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub async fn retry(&self) -> Result<()> {
        self.say(&Settled::Retry).await
    }

    /// It has failed for good, with this text: an error of kind [`OutcomeUnknown`](ErrorKind::OutcomeUnknown).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub async fn fail(&self, message: impl Into<String>) -> Result<()> {
        let callback = self.callback("as failed").await?;
        let said = callback.fail(message).await;
        self.note_refusal(said).await
    }

    /// A result as JSON.
    pub(crate) async fn value_of(&self, json: Box<RawValue>) -> Result<()> {
        self.say(&Settled::Value(json)).await
    }

    async fn say(&self, settled: &Settled) -> Result<()> {
        let json = to_raw_value(settled).map_err(|error| {
            Error::new(ErrorKind::Codec, "the value cannot be written as JSON").with_source(error)
        })?;
        let word = match settled {
            Settled::Value(_) => "with a value",
            Settled::Retry => "to be tried again",
        };
        let callback = self.callback(word).await?;
        let said = callback.complete_with(&json).await;
        self.note_refusal(said).await
    }

    async fn note_refusal(&self, said: Result<()>) -> Result<()> {
        let what = format!("settle {}", self.step);
        self.runs.note_refusal(&self.run_id, &what, said).await
    }

    /// What the run waits for, once it is noted what is about to be said.
    async fn callback(&self, word: &str) -> Result<CallbackHandle> {
        let Self { runs, run_id, step } = self;
        runs.get(run_id).await?;
        let journal = runs.journal(run_id).await?;
        let parked = journal
            .iter()
            .filter(|entry| entry.path == *step)
            .find_map(|entry| parked(entry, &journal));
        let Some(recorded) = parked.and_then(Recorded::in_entry) else {
            let text = format!(
                "no step `{step}` of the run `{run_id}` waits to be settled: only one with `unknown = \"park\"` does, whose process died or \
                 whose time ran out before its outcome was recorded"
            );
            return Err(Error::new(ErrorKind::UnknownRun, text));
        };
        runs.note(run_id, &format!("settle {step} {word}")).await?;
        Ok(runs.callback(recorded.id))
    }
}

/// The paths of callbacks that settle steps, or did.
#[cfg(feature = "dashboard")]
pub(super) fn settlements(journal: &[Entry]) -> HashSet<&str> {
    let made = journal.iter().filter(|entry| {
        let own = entry.path.rsplit('/').next().unwrap_or_default();
        entry.kind == StepKind::Callback && own.starts_with("settle:")
    });
    let settles = |callback: &&Entry| {
        let mut steps = journal.iter().filter(|entry| entry.kind == StepKind::Step);
        steps.any(|step| {
            let times = codec::begins(&step.value).map_or(0, |begins| begins.times);
            (0..=times.max(step.attempts))
                .any(|times| is_settled_by(&step.path, step.seq, &callback.path, times))
        })
    };
    made.filter(settles).map(|entry| &*entry.path).collect()
}

/// The callback that settles a step, if it waits for that.
pub(crate) fn parked<'a>(step: &Entry, journal: &'a [Entry]) -> Option<&'a Entry> {
    if step.kind != StepKind::Step || step.state != StepState::Waiting {
        return None;
    }
    let begins = codec::begins(&step.value)?;
    let callbacks = journal
        .iter()
        .filter(|entry| entry.kind == StepKind::Callback);
    let mut own =
        callbacks.filter(|entry| is_settled_by(&step.path, step.seq, &entry.path, begins.times));
    own.next().filter(|_| begins.open)
}
