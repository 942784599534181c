//! What the end of a run means for the one that called it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result, failure::Failure},
    plain::plain,
    store::{Entry, StepState, Wait},
};

/// How many runs may be one below the other.
pub(crate) const MOST_DEPTH: u32 = 64;

/// A run that another one waits for.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) run_id: Arc<str>,
    /// Its function, where it is known.
    pub(crate) function: Arc<str>,
    /// Where it was called or started.
    pub(crate) path: Arc<str>,
}

/// What the entry of a call says while it waits.
#[derive(Debug, Serialize, Deserialize)]
struct Called {
    function: Arc<str>,
}

/// How a run ended, as it is told.
#[derive(Deserialize)]
struct Said<'a> {
    status: &'a str,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl Child {
    /// What the entry of its call says while it waits.
    pub(crate) fn called(&self) -> Arc<[u8]> {
        let function = Arc::clone(&self.function);
        codec::encode_ok(&Called { function }).expect("a name can be written as JSON")
    }

    /// The child that the entry of a call waits for.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Some(Wait::Event {
            key: Some(run_id), ..
        }) = &entry.wait
        else {
            return None;
        };
        Some(Self {
            run_id: Arc::clone(run_id),
            function: function_of(&entry.value),
            path: Arc::clone(&entry.path),
        })
    }

    /// What its end comes to: its output, as an envelope.
    ///
    /// # Errors
    /// Of kind [`Child`](ErrorKind::Child): it did not complete.
    pub(crate) fn ended(&self, said: &[u8]) -> Result<Arc<[u8]>> {
        let unreadable = |what: String| {
            self.error(&format!(
                "ended, and what was told of it cannot be read: {what}"
            ))
        };
        let said: Said<'_> =
            serde_json::from_slice(said).map_err(|error| unreadable(codec::misfit(&error)))?;
        let result = said.result.map(|result| result.get().as_bytes());
        let failure = || match codec::raw(result?) {
            Ok(Decoded::Err(failure)) => Some(failure.into_error()),
            _ => None,
        };
        let (what, cause) = match said.status {
            "completed" => {
                let output = result.ok_or_else(|| unreadable("it has no output".to_owned()))?;
                return Ok(output.into());
            }
            "failed" => ("failed", failure()),
            // What else is there is of an earlier attempt.
            "cancelled" => (
                "was cancelled",
                failure().filter(|cause| cause.kind() == ErrorKind::Cancelled),
            ),
            "skipped" => ("was skipped by its function's filter", None),
            other => return Err(unreadable(format!("the status `{}`", plain(other)))),
        };
        let error = self.error(what);
        Err(match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// The error of a call whose time is over.
    pub(crate) fn timed_out(&self) -> Error {
        self.error("took longer than the call's `timeout`, and was cancelled")
    }

    fn error(&self, what: &str) -> Error {
        let Self {
            run_id,
            function,
            path,
        } = self;
        let text = format!("the run `{run_id}` of `{function}`, started by `{path}`, {what}");
        Error::new(ErrorKind::Child, text).with_step(path)
    }
}

/// Whether a run completed of whose end this is told.
pub(crate) fn is_completed(said: &[u8]) -> bool {
    serde_json::from_slice(said).is_ok_and(|said: Said<'_>| said.status == "completed")
}

fn function_of(value: &[u8]) -> Arc<str> {
    match codec::decode::<Called>(value) {
        Ok(Decoded::Ok(called)) => called.function,
        _ => Arc::from("?"),
    }
}

/// What is recorded of a call.
pub(crate) fn outcome(ended: Result<Arc<[u8]>>) -> (StepState, Arc<[u8]>) {
    match ended {
        Ok(output) => (StepState::Completed, output),
        Err(error) => (StepState::Failed, codec::encode_err(&Failure::of(&error))),
    }
}
