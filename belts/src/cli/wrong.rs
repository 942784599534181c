//! Why a command did not do what it was asked.

use std::error::Error as StdError;

use crate::error::{Error, ErrorKind};

/// Why there is no success.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The arguments are wrong.
    Usage(String),
    /// It failed.
    Failed(String),
    /// It failed for some of the runs, which has been reported.
    Said,
    /// The reader of the output has gone.
    Unread,
}

impl Wrong {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(super) fn failed(message: &str, error: impl StdError) -> Self {
        Self::Failed(format!("{message}: {error}"))
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Config => Self::Usage(error.report()),
            _ => Self::Failed(error.report()),
        }
    }
}
