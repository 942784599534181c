//! What runs came to.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    error::{Error, ErrorKind, Result, failure::Failure},
    store::RunStatus,
};

/// What an event's functions came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Executed {
    /// The event's id.
    pub event_id: String,
    /// Whether the event, or the run that was named, was there before.
    pub duplicate: bool,
    /// Its runs, sorted by function id.
    pub runs: Vec<FinishedRun>,
}

/// Where a run stood when the wait for it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct FinishedRun {
    /// The run's id.
    pub run_id: String,
    /// The function's id.
    pub function_id: String,
    /// Completed, failed, cancelled, or stopped at the step that was asked for.
    pub status: RunStatus,
    /// The output as JSON if it completed, `null` if it stopped, or the error.
    pub result: Result<Box<RawValue>>,
}

impl Executed {
    /// The output of one function.
    ///
    /// # Errors
    /// The function has no run here, its run failed, or its output is not a `T`.
    pub fn output<T: DeserializeOwned>(&self, function_id: &str) -> Result<T> {
        let run = self.runs.iter().find(|run| run.function_id == function_id);
        let Some(run) = run else {
            return Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("the event started no run of the function `{function_id}`"),
            ));
        };
        run.output()
    }
}

impl FinishedRun {
    /// The output.
    ///
    /// # Errors
    /// The run failed, or its output is not a `T`.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T> {
        let output = self.result.as_ref().map_err(|error| self.again(error))?;
        serde_json::from_str(output.get()).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            Error::new(
                ErrorKind::Codec,
                format!("the output of `{}` is no `{wanted}`", self.function_id),
            )
            .with_source(error)
        })
    }

    /// The run's error once more, as every process reads it.
    fn again(&self, error: &Error) -> Error {
        Failure::of(error)
            .into_error()
            .with_run(&self.run_id.as_str().into())
            .with_function(&self.function_id.as_str().into())
    }
}
