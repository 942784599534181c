//! How user code says what may be retried: [`terminal`], [`retry_after`] and [`Terminal`].

use std::time::Duration;

use super::{
    Error, ErrorKind, Result,
    class::{BoxError, Class, Classified},
};

/// An error that no retry can help: the step's failure is recorded, or the run fails.
///
/// ```
/// async fn charge(cents: u64) -> belts::Result<String> {
///     if cents == 0 {
///         return Err(belts::terminal("nothing to charge"));
///     }
///     Ok("receipt-1".to_owned())
/// }
/// # tokio_test(async { assert!(!charge(0).await.unwrap_err().is_retryable()); });
/// # fn tokio_test(f: impl Future<Output = ()>) { tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f) }
/// ```
pub fn terminal(error: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::Terminal, "terminal error").with_source(Classified {
        class: Class::Terminal,
        inner: error.into(),
    })
}

/// An error to be retried, but not before `delay` has passed.
///
/// ```
/// use std::time::Duration;
/// let busy = belts::retry_after(Duration::from_secs(30), "rate limited");
/// assert_eq!(busy.retry_after(), Some(Duration::from_secs(30)));
/// ```
pub fn retry_after(delay: Duration, error: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::RetryAfter, "retry later").with_source(Classified {
        class: Class::RetryAfter(delay),
        inner: error.into(),
    })
}

/// Turns the error of any `Result` into a terminal one.
///
/// ```
/// use belts::Terminal as _;
/// let parsed = "x".parse::<u32>().terminal();
/// assert!(!parsed.unwrap_err().is_retryable());
/// ```
pub trait Terminal<T> {
    /// The same value, or the error as one that is not retried; see [`terminal()`].
    ///
    /// # Errors
    /// The error that was there.
    fn terminal(self) -> Result<T>;
}

impl<T, E: Into<BoxError>> Terminal<T> for std::result::Result<T, E> {
    fn terminal(self) -> Result<T> {
        self.map_err(terminal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Shop {
        #[error(transparent)]
        Belts(#[from] Error),
    }

    #[test]
    fn the_class_survives_anyhow_and_transparent_wrappers() {
        let wrapped = anyhow::Error::from(terminal("no")).context("while charging");
        assert_eq!(Error::from_any(wrapped).class(), Some(Class::Terminal));
        let delay = Duration::from_secs(9);
        let wrapped = Shop::from(retry_after(delay, "later"));
        assert_eq!(Error::from_any(wrapped).retry_after(), Some(delay));
    }
}
