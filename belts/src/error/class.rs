//! What may be retried, as a link of the chain of errors.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::panic;

/// Any error at all, as functions and steps may return it.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync + 'static>;

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
        panic::chain(error)
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
