//! Consulted by a worker under test before it evaluates a step: presets, and a count of evaluations.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result, failure::Failure, retry_after, terminal};

/// What a step does instead of its expression.
#[derive(Debug, Clone)]
pub(crate) enum Preset {
    /// Returns this JSON.
    Value(Vec<u8>),
    /// Fails like this each time.
    Fails {
        failure: Failure,
        delay: Option<Duration>,
    },
    /// Times out each time.
    TimesOut,
    /// Never ends by itself.
    Hangs,
    /// One for each attempt; the last is for all later ones.
    Attempts(Vec<Preset>),
}

/// The result of an attempt without its expression.
#[derive(Debug)]
pub(crate) enum Instead {
    /// This result, as JSON.
    Return(Vec<u8>),
    Fail(Error),
    Hang,
}

impl Preset {
    /// The preset of a result.
    pub(crate) fn of<T: Serialize>(result: Result<T>) -> Result<Self> {
        match result {
            Ok(value) => serde_json::to_vec(&value)
                .map(Self::Value)
                .map_err(|error| {
                    Error::new(
                        ErrorKind::Codec,
                        "the preset value cannot be written as JSON",
                    )
                    .with_source(error)
                }),
            Err(error) => Ok(Self::failing(&error)),
        }
    }

    /// The preset of each attempt.
    pub(crate) fn attempts<T: Serialize>(
        results: impl IntoIterator<Item = Result<T>>,
    ) -> Result<Self> {
        let presets: Vec<_> = results.into_iter().map(Self::of).collect::<Result<_>>()?;
        if presets.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "`preset_attempts` needs at least one result",
            ));
        }
        Ok(Self::Attempts(presets))
    }

    /// The preset of an error that is returned each time.
    pub(crate) fn failing(error: &Error) -> Self {
        Self::Fails {
            failure: Failure::of(error),
            delay: error.retry_after(),
        }
    }

    /// The result of the step's attempt after this many failed ones; `None` to evaluate the expression.
    fn apply(&self, failed_attempts: u32) -> Option<Instead> {
        Some(match self {
            Self::Value(json) => Instead::Return(json.clone()),
            Self::Fails { failure, delay } => Instead::Fail(failed(failure, *delay)),
            Self::TimesOut => {
                Instead::Fail(Error::new(ErrorKind::TimedOut, "timed out, as preset"))
            }
            Self::Hangs => Instead::Hang,
            Self::Attempts(presets) => {
                let index = usize::try_from(failed_attempts).unwrap_or(usize::MAX);
                let preset = presets.get(index).or(presets.last());
                return preset?.apply(failed_attempts);
            }
        })
    }
}

/// The error of a preset that does not fit its step.
pub(crate) fn misfit(path: &str, wanted: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Codec,
        format!("the preset of the step `{path}` is not a `{wanted}`"),
    )
    .with_source(error)
}

fn failed(failure: &Failure, delay: Option<Duration>) -> Error {
    let cause = failure.clone().into_source();
    match delay {
        Some(delay) => retry_after(delay, cause),
        None if failure.kind == ErrorKind::Terminal.as_str() => terminal(cause),
        None => Error::from_any(cause),
    }
}

/// The presets of one step.
#[derive(Debug, Default)]
struct Plan {
    /// This many attempts fail first.
    fails_first: u32,
    /// The result of the others; `None` to evaluate the expression.
    then: Option<Preset>,
    /// Whether a run may end without it.
    optional: bool,
    reached: bool,
}

impl Plan {
    fn apply(&self, failed_attempts: u32) -> Option<Instead> {
        if let Some(attempts) = failed_attempts.checked_sub(self.fails_first) {
            return self.then.as_ref()?.apply(attempts);
        }
        let (attempt, times) = (failed_attempts + 1, self.fails_first);
        let text = format!("preset failure {attempt} of {times}");
        Some(Instead::Fail(Error::new(ErrorKind::Failed, text)))
    }
}

/// The presets of a harness, and how often each step was evaluated.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plans: BTreeMap<String, Plan>,
    /// The paths of the steps that asked.
    seen: BTreeSet<String>,
    /// Runs that failed, which may be why a step was not reached.
    failures: BTreeSet<String>,
    /// Whether the test has an error already.
    excused: bool,
    /// By run and step.
    evaluations: BTreeMap<(String, String), u32>,
    /// Steps that were recorded when a worker died.
    recorded: HashSet<(String, String)>,
    /// Those of them that were evaluated again.
    repeated: Vec<(String, String)>,
}

impl Probe {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the result of a step's attempts, after those that fail first.
    pub(crate) fn set(&self, path: String, preset: Preset, optional: bool) {
        let mut state = self.state();
        let plan = state.plans.entry(path).or_default();
        plan.then = Some(preset);
        (plan.optional, plan.reached) = (optional, false);
    }

    /// Sets how many attempts of a step fail first.
    pub(crate) fn fail_first(&self, path: String, times: u32) {
        let mut state = self.state();
        let plan = state.plans.entry(path).or_default();
        plan.fails_first = times;
        (plan.optional, plan.reached) = (times == 0 && plan.then.is_none(), false);
    }

    /// The paths of the steps with presets.
    pub(crate) fn preset(&self) -> Vec<String> {
        self.state().plans.keys().cloned().collect()
    }

    pub(crate) fn clear(&self, path: &str) {
        self.state().plans.remove(path);
    }

    /// Notes that a run failed, and why.
    pub(crate) fn note_failure(&self, failure: String) {
        self.state().failures.insert(failure);
    }

    /// Notes that the test has an error already.
    pub(crate) fn excuse(&self) {
        self.state().excused = true;
    }

    /// The problem if the test ends now: presets that no run has reached.
    pub(crate) fn complaint(&self) -> Option<String> {
        let state = self.state();
        let left = state
            .plans
            .iter()
            .filter(|(_, plan)| !plan.reached && !plan.optional);
        let left: Vec<_> = left.map(|(path, _)| format!("`{path}`")).collect();
        if left.is_empty() || state.excused {
            return None;
        }
        let seen: Vec<_> = state.seen.iter().map(|path| format!("`{path}`")).collect();
        let seen = match seen.len() {
            0 => "no step was".to_owned(),
            _ => format!("reached were: {}", seen.join(", ")),
        };
        let failures = state.failures.iter().map(String::as_str);
        let failures = std::iter::once("").chain(failures).collect::<Vec<_>>();
        let failures = failures.join("\n  ");
        Some(format!(
            "no run has reached the preset for {}; {seen}. Correct the path, or use `preset_if_reached` if a run need not \
             reach the step{failures}",
            left.join(", ")
        ))
    }

    /// Called by a step that is about to evaluate its expression; `None` to do so.
    pub(crate) fn consult(
        &self,
        run_id: &str,
        path: &str,
        failed_attempts: u32,
    ) -> Option<Instead> {
        let mut state = self.state();
        if !state.seen.contains(path) {
            state.seen.insert(path.to_owned());
        }
        let preset = state.plans.get_mut(path).and_then(|plan| {
            plan.reached = true;
            plan.apply(failed_attempts)
        });
        let key = (run_id.to_owned(), path.to_owned());
        if state.recorded.contains(&key) {
            state.repeated.push(key.clone());
        }
        if preset.is_none() {
            *state.evaluations.entry(key).or_default() += 1;
        }
        preset
    }

    /// Called by a call that is about to start its run; `None` to do so.
    pub(crate) fn consult_call(&self, path: &str) -> Option<Instead> {
        let mut state = self.state();
        state.seen.insert(path.to_owned());
        let plan = state.plans.get_mut(path)?;
        plan.reached = true;
        plan.apply(0)
    }

    /// Records that a step of a run is recorded, so that it must not be evaluated again.
    pub(crate) fn recorded(&self, run_id: &str, path: &str) {
        self.state()
            .recorded
            .insert((run_id.to_owned(), path.to_owned()));
    }

    /// Forgets the records of a run, since a rerun drops failures.
    pub(crate) fn forget(&self, run_id: &str) {
        self.state().recorded.retain(|(run, _)| run != run_id);
    }

    /// The runs and steps that were evaluated although they were recorded.
    pub(crate) fn repeated(&self) -> Vec<(String, String)> {
        self.state().repeated.clone()
    }

    /// How often the steps of a run were evaluated, by path.
    pub(crate) fn evaluations(&self, run_id: &str) -> BTreeMap<String, u32> {
        let state = self.state();
        let of_run = state
            .evaluations
            .iter()
            .filter(|((run, _), _)| run == run_id);
        of_run
            .map(|((_, path), count)| (path.clone(), *count))
            .collect()
    }
}
