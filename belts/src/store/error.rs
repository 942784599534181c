//! The errors that the contract of a store demands.

use super::WorkerId;
use crate::error::{Error, ErrorKind};

impl Error {
    /// The error of a session that a store does not know, or no more: the worker registers again.
    ///
    /// ```
    /// use belts::{Error, ErrorKind, store::WorkerId};
    /// assert_eq!(Error::unknown_session(WorkerId(3)).kind(), ErrorKind::Busy);
    /// ```
    pub fn unknown_session(worker: WorkerId) -> Self {
        Self::new(
            ErrorKind::Busy,
            format!("the session {worker} has ended, and the worker must register again"),
        )
    }

    /// The error of [`Store::forget`](crate::store::Store::forget) where a living session has the function.
    ///
    /// ```
    /// assert_eq!(belts::Error::function_in_use("ship-order").kind(), belts::ErrorKind::Conflict);
    /// ```
    pub fn function_in_use(function: &str) -> Self {
        Self::new(
            ErrorKind::Conflict,
            format!(
                "a running worker has the function `{function}`; stop every worker that has it, then forget it"
            ),
        )
    }

    /// The error of [`Store::list`](crate::store::Store::list) where [`RunFilter::after`](crate::store::RunFilter::after) is a
    /// mark that no page gave.
    ///
    /// ```
    /// let wrong = "three".parse::<i64>().unwrap_err();
    /// assert_eq!(belts::Error::wrong_page_mark(wrong).kind(), belts::ErrorKind::Config);
    /// ```
    pub fn wrong_page_mark(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            ErrorKind::Config,
            "`after` is not a mark that an earlier page gave",
        )
        .with_source(source)
    }

    /// The error of a store that has values only as they were written.
    pub(crate) fn cannot_rewrite() -> Self {
        Self::new(
            ErrorKind::Config,
            "this store cannot change how its values are written",
        )
    }

    /// The error that is kept with a run that the store has set aside, since its row or journal cannot be read.
    ///
    /// ```
    /// use belts::{Error, ErrorKind, codec::{Failure, encode_err}};
    /// let error = Error::unreadable("the run cannot be read, since step 3 is of an unknown kind");
    /// assert_eq!(error.kind(), ErrorKind::Mismatch);
    /// let result = encode_err(&Failure::of(&error));
    /// # let _ = result;
    /// ```
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mismatch, message)
    }

    /// The error of something that can never be written, or carried, because of its size: another try does not help.
    ///
    /// ```
    /// let error = belts::Error::too_large("a row holds at most 1 GiB");
    /// assert_eq!(error.kind(), belts::ErrorKind::TooLarge);
    /// assert!(!error.is_retryable());
    /// ```
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    /// The error of a store that keeps no schedules.
    ///
    /// ```
    /// assert_eq!(belts::Error::no_schedules().kind(), belts::ErrorKind::Config);
    /// ```
    pub fn no_schedules() -> Self {
        Self::new(
            ErrorKind::Config,
            "this store keeps no schedules, so nothing can be started by the clock; use another store",
        )
    }
}

/// The error of a store that says that it applies flow options, and lacks one of the methods for them.
pub(super) fn not_passed_on(method: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "the store says that it applies flow options, and has no `{method}`; if it stands in front of another store, pass \
             `{method}` on to it"
        ),
    )
}
