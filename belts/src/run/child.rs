//! What the end of a run means for the one that called it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    codec::{self, Decoded},
    error::{Error, ErrorKind, Result},
    plain::plain,
    store::{Entry, StepState, Wait},
};

/// How many levels of runs there may be below the first.
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

/// How a run ended, as it is told.
#[derive(Deserialize)]
struct Said<'a> {
    status: &'a str,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl Child {
    /// The child that the entry of a call waits for. Its function is kept as the type of the entry.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let Some(Wait::Event {
            key: Some(run_id), ..
        }) = &entry.wait
        else {
            return None;
        };
        Some(Self {
            run_id: Arc::clone(run_id),
            function: Arc::clone(&entry.type_name),
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
            // Any other result is left from an earlier attempt.
            "cancelled" => (
                "was cancelled",
                failure().filter(|cause| cause.kind() == ErrorKind::Cancelled),
            ),
            "skipped" => (
                "did not start: its function's filter skipped it, or its event has gone into another run",
                None,
            ),
            "gone" => (
                "is gone: it was skipped or purged before its end was recorded here; rerun this run from that step to start it anew",
                None,
            ),
            other => return Err(unreadable(format!("the status `{}`", plain(other)))),
        };
        let error = self.error(what);
        Err(match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// The error of a call that a test presets to fail.
    #[cfg(feature = "testing")]
    pub(crate) fn failed(&self, cause: Error) -> Error {
        self.error("failed").with_source(cause)
    }

    /// The error of a call whose time is over.
    pub(crate) fn timed_out(&self) -> Error {
        self.error(
            "did not end within the call's `timeout`, and was cancelled, unless it ended at that very moment",
        )
    }

    fn error(&self, what: &str) -> Error {
        let Self {
            run_id,
            function,
            path,
        } = self;
        let of = match &**function {
            "" => String::new(),
            function => format!(" of `{function}`"),
        };
        let text = format!("the run `{run_id}`{of}, started by `{path}`, {what}");
        Error::new(ErrorKind::Child, text).with_step(path)
    }
}

/// Whether this event tells that its run completed.
pub(crate) fn is_completed(said: &[u8]) -> bool {
    serde_json::from_slice(said).is_ok_and(|said: Said<'_>| said.status == "completed")
}

/// What is recorded of a call.
pub(crate) fn outcome(ended: Result<Arc<[u8]>>) -> (StepState, Arc<[u8]>) {
    match ended {
        Ok(output) => (StepState::Completed, output),
        Err(error) => (StepState::Failed, codec::envelope(&error)),
    }
}

/// What the entry of a call says while it waits. One that a rerun has opened again says nothing.
pub(crate) fn begun() -> Arc<[u8]> {
    codec::encode_nothing()
}
