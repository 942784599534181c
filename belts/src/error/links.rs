//! The links of the chain of errors, with those that wrappers hold.

use std::{error::Error as StdError, iter::successors};

use super::{
    Error,
    class::Classified,
    replayed::Replayed,
    value::{ErrorValue, Valued},
};
use crate::panic::{MOST_LINKS, chain};

impl Error {
    /// The first error of type `T` in the chain.
    ///
    /// Behind a failed step, and in the caller of a failed run, there is none of yours, on the first attempt as on every later one:
    /// a failure is recorded as texts. [`from_value`](Self::from_value) and [`value`](Self::value) are for those.
    ///
    /// ```
    /// let error = belts::terminal(std::io::Error::other("gone"));
    /// assert!(error.find::<std::io::Error>().is_some());
    /// ```
    pub fn find<T: StdError + 'static>(&self) -> Option<&T> {
        links(self).find_map(|error| error.downcast_ref::<T>())
    }
}

/// The first value in the chain of an error.
pub(crate) fn value_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a ErrorValue> {
    values(error).next()
}

pub(super) fn values<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a ErrorValue> {
    links(error).filter_map(|link| {
        let valued = link.downcast_ref::<Valued>();
        let replayed = || link.downcast_ref::<Replayed>()?.value();
        valued
            .and_then(|valued| valued.value.as_ref())
            .or_else(replayed)
    })
}

/// As [`chain`], and behind each error those that it prints in its own place.
pub(crate) fn links<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    chain(error)
        .flat_map(|link| successors(Some(link), |link| held(*link)))
        .take(MOST_LINKS)
}

/// The error that one of ours carries and prints in its own place.
fn held<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let classified = || Some(error.downcast_ref::<Classified>()?.inner());
    let valued = || Some(error.downcast_ref::<Valued>()?.inner());
    let own = error.downcast_ref::<Error>();
    own.and_then(Error::held)
        .or_else(classified)
        .or_else(valued)
}
