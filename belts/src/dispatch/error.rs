//! The errors that the contract of a dispatcher demands.

use crate::error::{Error, ErrorKind};

impl Error {
    /// The error of a request that looks like one of a dispatcher's messages, and is not, or cannot be verified.
    ///
    /// ```
    /// let error = belts::Error::signature("the signature does not fit the body");
    /// assert_eq!(error.kind(), belts::ErrorKind::Signature);
    /// assert!(!error.is_retryable());
    /// ```
    pub fn signature(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Signature, message)
    }

    /// The error of a setting that cannot be used, or that a service refuses: another try does not help.
    ///
    /// ```
    /// let error = belts::Error::config("the queue is not there; create it");
    /// assert_eq!(error.kind(), belts::ErrorKind::Config);
    /// ```
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }
}
