//! How user code says what may be retried: [`terminal`], [`retry_after`] and [`Terminal`].

use std::{error::Error as StdError, fmt, time::Duration};

use crate::{
    error::{BoxError, Error, ErrorKind, Result},
    guard,
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

/// What an error says about retries, wherever in a chain it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Terminal,
    RetryAfter(Duration),
    /// The recorded failure of a step: to try the run again would only replay it.
    Recorded,
}

impl Class {
    /// The class of the first classified error in the chain.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        guard::chain(error)
            .find_map(|error| error.downcast_ref::<Classified>())
            .map(|classified| classified.class)
    }
}

/// Carries a [`Class`] as a link of the error chain, because wrappers such as anyhow's hide the type of what they hold.
pub(crate) struct Classified {
    pub(crate) class: Class,
    pub(crate) inner: BoxError,
}

impl Classified {
    pub(crate) fn inner(&self) -> &(dyn StdError + 'static) {
        self.inner.as_ref()
    }
}

impl fmt::Debug for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl fmt::Display for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

impl StdError for Classified {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
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
