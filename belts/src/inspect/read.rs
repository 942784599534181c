//! Results of a run and its steps, read from their envelopes.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    codec::{self, Decoded, Failure, sealed},
    plain::plain,
    run::{Child, Taken},
    store::{Entry, RunRecord, RunStatus, StepKind, StepState, Wait},
};

impl RunRecord {
    /// Why it failed, or why its last attempt did.
    ///
    /// Of one that is sealed, and not opened here, it says with which key.
    pub fn failure(&self) -> Option<Failure> {
        let result = self.result.as_deref()?;
        match sealed::key_of(result) {
            Some(_) if self.status == RunStatus::Completed => None,
            Some(key) => Some(Failure::of(&sealed::error(key))),
            None => failure(result),
        }
    }

    /// What the function returned, as JSON, if it completed.
    pub fn output(&self) -> Option<&RawValue> {
        output(self.result.as_deref()?)
    }
}

impl Entry {
    /// Why the step failed, or why its last attempt did.
    ///
    /// Of one that is sealed, and not opened here, it says with which key.
    pub fn failure(&self) -> Option<Failure> {
        if let Some(key) = sealed::key_of(&self.value) {
            let failed = match self.state {
                StepState::Failed => true,
                StepState::Waiting => self.attempts > 0,
                StepState::Completed => false,
            };
            return failed.then(|| Failure::of(&sealed::error(key)));
        }
        if self.kind == StepKind::Wait && self.state == StepState::Failed {
            // Of the end of a run it has what was told.
            let (child, taken) = (Child::of(self)?, Taken::in_entry(self)?);
            return child
                .ended(taken.event())
                .err()
                .map(|error| Failure::of(&error));
        }
        failure(&self.value)
    }

    /// The recorded result, as JSON.
    pub fn output(&self) -> Option<&RawValue> {
        output(&self.value).filter(|_| self.state != StepState::Waiting)
    }

    /// The last [heartbeat](crate::Context::heartbeat) of the step that is recorded, as JSON.
    pub fn progress(&self) -> Option<Box<RawValue>> {
        let is_step = self.kind == StepKind::Step;
        codec::progress(&self.value).filter(|_| is_step)
    }

    /// The run that a `call!` or a `start!` has started.
    pub fn started_run(&self) -> Option<Arc<str>> {
        #[derive(Deserialize)]
        struct Handle {
            run_id: Arc<str>,
        }

        match (self.kind, &self.wait) {
            (StepKind::Call, Some(Wait::Event { key, .. })) => key.clone(),
            (StepKind::Start, _) => {
                let handle: Handle = serde_json::from_str(self.output()?.get()).ok()?;
                Some(handle.run_id)
            }
            _ => None,
        }
    }

    /// From the start of the first attempt until the result was recorded, including the waits between attempts.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.finished_at?.since(self.started_at))
    }
}

impl Failure {
    /// The error's text and those of its sources on one line, as in [`Error::report`](crate::Error::report).
    ///
    /// ```
    /// let failure = belts::codec::Failure {
    ///     kind: "failed".into(),
    ///     message: "cannot charge".into(),
    ///     sources: vec!["card declined".into()],
    ///     value: None,
    /// };
    /// assert_eq!(failure.report(), "cannot charge: card declined");
    /// ```
    pub fn report(&self) -> String {
        let mut line = self.message.clone();
        for source in &self.sources {
            if !line.ends_with(source.as_str()) {
                line.push_str(": ");
                line.push_str(source);
            }
        }
        plain(&line).into_owned()
    }
}

fn failure(envelope: &[u8]) -> Option<Failure> {
    match codec::raw(envelope).ok()? {
        Decoded::Err(failure) => Some(failure),
        Decoded::Ok(_) => None,
    }
}

fn output(envelope: &[u8]) -> Option<&RawValue> {
    match codec::raw(envelope).ok()? {
        Decoded::Ok(value) => Some(value),
        Decoded::Err(_) => None,
    }
}
