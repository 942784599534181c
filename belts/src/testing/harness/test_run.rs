//! A run under test, and assertions about it.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use serde::de::DeserializeOwned;

use super::Harness;
use crate::{
    callback::Recorded,
    clock::Timestamp,
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    inspect::{Runs, progress_in, status_in},
    store::{Entry, RunRecord, RunStatus, StepKind, StepState},
    testing::diff::diff,
};

/// The state of a run under test: its output, its steps, and how often they were evaluated.
pub struct TestRun<T> {
    run_id: Arc<str>,
    function_id: Arc<str>,
    /// `None` if the function's filter rejected the event.
    record: Option<RunRecord>,
    journal: Vec<Entry>,
    evaluations: BTreeMap<String, u32>,
    crashes: u32,
    /// Since when its function is paused, if that is why it does not go on.
    paused_at: Option<Timestamp>,
    output: PhantomData<fn() -> T>,
}

impl<T> TestRun<T> {
    pub(in crate::testing) async fn read(
        harness: &Harness,
        function: &str,
        run_id: Arc<str>,
        crashes: u32,
    ) -> Result<Self> {
        let store = harness.store().shared();
        let record = store.run(&run_id).await?;
        let paused_at = match &record {
            Some(record) => {
                let runs =
                    Runs::of(Arc::clone(&store)).with_clock(&harness.worker().shared().clock);
                runs.held_since(record).await?
            }
            None => None,
        };
        let run = Self {
            record,
            paused_at,
            journal: store.journal(&run_id).await?,
            evaluations: harness.evaluations(&run_id),
            function_id: function.into(),
            run_id,
            crashes,
            output: PhantomData,
        };
        if let Some(error) = run
            .error()
            .filter(|_| run.status() == Some(RunStatus::Failed))
        {
            let text = format!(
                "run `{}` of `{function}` failed: {}",
                run.run_id,
                error.report()
            );
            harness.probe().note_failure(text);
        }
        Ok(run)
    }

    /// Whether it has recorded the step at which it should stop.
    pub(super) fn has_stopped_at(&self, path: &str) -> Result<()> {
        let entry = self.journal.iter().find(|entry| &*entry.path == path);
        let why = match entry {
            Some(entry) if entry.kind == StepKind::Sleep => "that is a sleep".to_owned(),
            Some(entry) if entry.kind == StepKind::Wait => "that is a wait".to_owned(),
            Some(entry) if entry.kind == StepKind::Callback => "that is a callback".to_owned(),
            Some(entry) if matches!(entry.kind, StepKind::Call | StepKind::Start) => {
                "that is a call of another function".to_owned()
            }
            Some(entry) if entry.kind == StepKind::Race => "that is a race".to_owned(),
            Some(entry) if entry.state != StepState::Waiting => return Ok(()),
            _ if self.record.is_none() => return Ok(()),
            _ => format!("its steps are: {}", self.steps().join(", ")),
        };
        let (run_id, state, reason) = (&self.run_id, self.state(), self.reason());
        let text = format!(
            "run `{run_id}` should have stopped at the step `{path}`, but has not recorded it: {why}; the run is {state}{reason}"
        );
        Err(Error::new(ErrorKind::UnknownRun, text)
            .with_run(&self.run_id)
            .with_function(&self.function_id))
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Its status; `None` if the function's `when` filter rejected the event, so that there is no run.
    pub fn status(&self) -> Option<RunStatus> {
        self.record.as_ref().map(|record| record.status)
    }

    /// Its record in the store; `None` if the function's `when` filter rejected the event.
    pub fn record(&self) -> Option<&RunRecord> {
        self.record.as_ref()
    }

    /// Why the function's [flow options](crate::guide::flow) skipped it, or let it wait; `None` if they did not.
    ///
    /// ```rust,standalone_crate
    /// use belts::{Event, testing::Harness};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct Ordered { id: String }
    ///
    /// #[belts::function(id = "ship", on = Ordered, idempotent(key = |order| &order.id))]
    /// async fn ship(order: Ordered) -> belts::Result<String> { Ok(order.id) }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let harness = Harness::new().await?;
    /// let first = harness.run(ship, Ordered { id: "o-17".into() }).await?;
    /// let second = harness.run(ship, Ordered { id: "o-17".into() }).await?;
    /// assert_eq!(second.why(), Some(format!("skipped by idempotent: run {}", first.run_id())));
    /// # Ok(()) }
    /// ```
    pub fn why(&self) -> Option<String> {
        self.record()?.why()
    }

    /// The function's output.
    ///
    /// # Errors
    /// The error that the run failed with; also if it has not ended, or its output is not a `T`.
    pub fn output(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        match self.outcome()? {
            Decoded::Ok(envelope) => match codec::decode(envelope)? {
                Decoded::Ok(value) => Ok(value),
                Decoded::Err(failure) => Err(failure.into_error()),
            },
            Decoded::Err(failure) => Err(failure.into_error()),
        }
        .map_err(|error| {
            error
                .with_run(&self.run_id)
                .with_function(&self.function_id)
        })
    }

    /// The error that the run failed with; `None` if it did not fail.
    pub fn error(&self) -> Option<Error> {
        match self.outcome() {
            Ok(Decoded::Err(failure)) => Some(
                failure
                    .into_error()
                    .with_run(&self.run_id)
                    .with_function(&self.function_id),
            ),
            _ => None,
        }
    }

    /// The envelope of the output, or the failure.
    fn outcome(&self) -> Result<Decoded<&[u8]>> {
        let ended = self
            .record
            .as_ref()
            .filter(|record| record.status.is_finished());
        let Some(envelope) = ended.and_then(|record| record.result.as_deref()) else {
            let text = format!(
                "run `{}` has no outcome: it is {}",
                self.run_id,
                self.state()
            );
            return Err(Error::new(ErrorKind::UnknownRun, text));
        };
        Ok(match codec::raw(envelope)? {
            Decoded::Ok(_) => Decoded::Ok(envelope),
            Decoded::Err(failure) => Decoded::Err(failure),
        })
    }

    fn state(&self) -> String {
        let Some(status) = self.status() else {
            return "skipped by the function's filter".to_owned();
        };
        match self.paused_at {
            Some(since) => format!(
                "{status}, since its function is paused since {since}: resume it with `worker.functions().resume(\"{}\")`",
                self.function_id
            ),
            None => status.to_string(),
        }
    }

    /// The paths of its steps and sleeps, in the order in which they began.
    pub fn steps(&self) -> Vec<&str> {
        let steps = self.journal.iter();
        let steps = steps.filter(|entry| entry.is_shown());
        steps.map(|entry| &*entry.path).collect()
    }

    /// Its journal, in the order in which its steps began.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// The value that the function has set last with [`Context::set_status`](crate::Context::set_status).
    ///
    /// # Errors
    /// It is no `V`.
    pub fn status_value<V: DeserializeOwned>(&self) -> Result<Option<V>> {
        status_in(&self.journal)
    }

    /// The last [heartbeat](crate::Context::heartbeat) of a step, by its path; also of one that is over.
    ///
    /// # Errors
    /// It is no `P`.
    pub fn progress<P: DeserializeOwned>(&self, path: &str) -> Result<Option<P>> {
        progress_in(&self.journal, path)
    }

    /// The id of a callback that the run has recorded, by its path; for [`Harness::complete`] and
    /// [`Worker::callback`](crate::Worker::callback).
    ///
    /// # Errors
    /// It has recorded no such callback; the error lists those that it has.
    pub fn callback(&self, path: &str) -> Result<Arc<str>> {
        let callbacks = || {
            let all = self.journal.iter();
            all.filter(|entry| entry.kind == StepKind::Callback)
        };
        let found = callbacks().find(|entry| &*entry.path == path);
        if let Some(recorded) = found.and_then(Recorded::in_entry) {
            return Ok(recorded.id);
        }
        let known: Vec<_> = callbacks().map(|entry| &*entry.path).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let text = format!(
            "run `{}` has not recorded the callback `{path}`; its callbacks are: {known}",
            self.run_id
        );
        Err(Error::new(ErrorKind::UnknownCallback, text)
            .with_run(&self.run_id)
            .with_function(&self.function_id))
    }

    /// How often a step's expression was evaluated. Presets do not count.
    pub fn evaluations(&self, path: &str) -> u32 {
        self.evaluations.get(path).copied().unwrap_or(0)
    }

    /// How many attempts of a step are recorded, including presets; 0 if it has none.
    pub fn attempts(&self, path: &str) -> u32 {
        let entry = self.journal.iter().find(|entry| &*entry.path == path);
        entry.map_or(0, |entry| entry.attempts)
    }

    /// How often the worker crashed during the run.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Asserts which steps and sleeps the run has, in the order in which they began.
    ///
    /// # Panics
    /// It has others; the message shows the difference.
    #[track_caller]
    pub fn assert_steps(&self, expected: &[&str]) -> &Self {
        let steps = self.steps();
        assert!(
            steps == expected,
            "the steps of run `{}` of `{}` are not as expected:\n{}the run is {}{}",
            self.run_id,
            self.function_id,
            diff("recorded", expected, &steps),
            self.state(),
            self.reason(),
        );
        self
    }

    /// Asserts that the function returned `Ok`.
    ///
    /// # Panics
    /// It did not; the message contains the error.
    #[track_caller]
    pub fn assert_completed(&self) -> &Self {
        self.assert_status(RunStatus::Completed)
    }

    /// Asserts that the run failed for good.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn assert_failed(&self) -> &Self {
        self.assert_status(RunStatus::Failed)
    }

    #[track_caller]
    fn assert_status(&self, expected: RunStatus) -> &Self {
        assert!(
            self.status() == Some(expected),
            "run `{}` of `{}` should be {expected}, but is {}{}",
            self.run_id,
            self.function_id,
            self.state(),
            self.reason(),
        );
        self
    }

    fn reason(&self) -> String {
        self.error()
            .map(|error| format!(": {}", error.report()))
            .unwrap_or_default()
    }
}

impl<T> fmt::Debug for TestRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun")
            .field("run_id", &self.run_id)
            .field("function_id", &self.function_id)
            .field("status", &self.status())
            .field("steps", &self.steps())
            .field("error", &self.error())
            .finish_non_exhaustive()
    }
}
