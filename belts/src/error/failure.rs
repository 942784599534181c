//! Errors as they are recorded, and as they are read back.

use serde::{Deserialize, Serialize};

use super::{
    Error, ErrorKind,
    class::{Class, Classified},
    links::value_of,
    replayed::Replayed,
    value::{ErrorValue, Valued},
};
use crate::panic;

/// A failure as it is recorded: enough to show it, and to return it the same on every attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong, as [`ErrorKind::as_str`] has it.
    pub kind: String,
    /// The error's own text.
    pub message: String,
    /// The texts of its sources, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The error itself, if it was made by [`Error::from_value`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ErrorValue>,
}

impl Failure {
    /// An error as it is recorded.
    pub fn of(error: &Error) -> Self {
        let message = error.to_string();
        let mut sources: Vec<String> = Vec::new();
        for source in panic::chain(error).skip(1) {
            let text = panic::text(source, false);
            // A wrapper that prints its source's text already said it.
            if sources.last().unwrap_or(&message) != &text {
                sources.push(text);
            }
        }
        Self {
            kind: error.kind().as_str().to_owned(),
            message,
            sources,
            value: value_of(error).cloned(),
        }
    }

    /// The error as the run's caller sees it.
    pub(crate) fn into_error(self) -> Error {
        let kind = ErrorKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == self.kind);
        let Replayed {
            message,
            source,
            value,
        } = self.into_source();
        let text = message.clone();
        let error = Error::new(kind.unwrap_or(ErrorKind::Failed), message);
        match (source, value) {
            (Some(source), None) => error.with_source(source),
            (Some(source), value) => error.with_source(Valued::new(source, value)),
            // Its text is that of the error, which a report says once.
            (None, Some(value)) => error.with_source(Replayed {
                message: text,
                source: None,
                value: Some(value),
            }),
            (None, None) => error,
        }
    }

    /// The same, as one that no wrapper makes worth another try: it would only come back.
    pub(crate) fn into_recorded(self) -> Error {
        let mut error = self.into_error();
        let inner = error.0.source.take().unwrap_or_else(|| {
            let message = error.0.message.clone().unwrap_or_default();
            Box::new(Replayed {
                message,
                source: None,
                value: None,
            })
        });
        error.with_source(Classified {
            class: Class::Recorded,
            inner,
        })
    }

    /// The failure as an error for the end of a chain.
    pub(crate) fn into_source(self) -> Replayed {
        let source = self
            .sources
            .into_iter()
            .rev()
            .fold(None, |source, message| {
                Some(Box::new(Replayed {
                    message,
                    source,
                    value: None,
                }))
            });
        Replayed {
            message: self.message,
            source,
            value: self.value,
        }
    }
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 33] = [
        Self::Failed,
        Self::Terminal,
        Self::RetryAfter,
        Self::StepFailed,
        Self::Panicked,
        Self::TimedOut,
        Self::OutcomeUnknown,
        Self::DuplicateKey,
        Self::NestedStep,
        Self::TooManySteps,
        Self::Mismatch,
        Self::Codec,
        Self::TooLarge,
        Self::InvalidEvent,
        Self::UnknownEvent,
        Self::UnknownFunction,
        Self::UnknownRun,
        Self::UnknownCallback,
        Self::UnknownSchedule,
        Self::CallbackClosed,
        Self::CallbackFailed,
        Self::Child,
        Self::NoWorker,
        Self::Cancelled,
        Self::Conflict,
        Self::Crashed,
        Self::Unwritable,
        Self::Busy,
        Self::Store,
        Self::Dispatcher,
        Self::Config,
        Self::Signature,
        Self::Shutdown,
    ];

    /// The word for it, as journals and HTTP answers have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Terminal => "terminal",
            Self::RetryAfter => "retry-after",
            Self::StepFailed => "step-failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed-out",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::DuplicateKey => "duplicate-key",
            Self::NestedStep => "nested-step",
            Self::TooManySteps => "too-many-steps",
            Self::Mismatch => "mismatch",
            Self::Codec => "codec",
            Self::TooLarge => "too-large",
            Self::InvalidEvent => "invalid-event",
            Self::UnknownEvent => "unknown-event",
            Self::UnknownFunction => "unknown-function",
            Self::UnknownRun => "unknown-run",
            Self::UnknownCallback => "unknown-callback",
            Self::UnknownSchedule => "unknown-schedule",
            Self::CallbackClosed => "callback-closed",
            Self::CallbackFailed => "callback-failed",
            Self::Child => "child",
            Self::NoWorker => "no-worker",
            Self::Cancelled => "cancelled",
            Self::Conflict => "conflict",
            Self::Crashed => "crashed",
            Self::Unwritable => "unwritable",
            Self::Busy => "busy",
            Self::Store => "store",
            Self::Dispatcher => "dispatcher",
            Self::Config => "config",
            Self::Signature => "signature",
            Self::Shutdown => "shutdown",
        }
    }
}
