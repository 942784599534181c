//! What was done when runs were cancelled, also if some could not be.

use std::{error::Error as StdError, fmt};

use crate::error::Error;

/// How many of the runs that pass a filter were cancelled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelledRuns {
    /// Runs that were cancelled.
    pub cancelled: usize,
    /// Runs that had ended before it was their turn.
    pub ended: usize,
    /// Runs that could not be cancelled; there are some only within [`CancelFailed`].
    pub failed: usize,
    /// Where the next part begins, for [`RunFilter::after`](crate::store::RunFilter::after); `None` if no run is left. After
    /// [`cancel_all`](crate::Runs::cancel_all) some are left only because of the limit.
    pub next: Option<String>,
}

/// What was done although some of the runs that pass a filter could not be cancelled: in the error of
/// [`cancel_all`](crate::Runs::cancel_all) and [`cancel_part`](crate::Runs::cancel_part), where [`Error::find`] finds it.
///
/// ```
/// # use belts::{CancelFailed, Runs, store::RunFilter};
/// # async fn cancel(runs: Runs, mut filter: RunFilter) -> belts::Result<()> {
/// let next = match runs.cancel_part(filter.clone()).await {
///     Ok(part) => part.next,
///     // The runs that failed are left, and the next part begins behind them.
///     Err(error) => match error.find::<CancelFailed>().and_then(|failed| failed.done.next.clone()) {
///         Some(next) => Some(next),
///         None => return Err(error),
///     },
/// };
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct CancelFailed {
    /// What was done. Its `next` is where the part ended, or where it could not go on; without one, ask again as before.
    pub done: CancelledRuns,
    /// The first error.
    first: Error,
}

impl fmt::Display for CancelFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)
    }
}

impl StdError for CancelFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.first.source()
    }
}

/// An error with what was done before it.
pub(super) fn after(done: &CancelledRuns, error: Error) -> Error {
    let were = match done.cancelled {
        1 => "1 run was cancelled".to_owned(),
        runs => format!("{runs} runs were cancelled"),
    };
    let text = match (done.cancelled, done.failed) {
        (0, 0) => return error,
        (0, 1) => "1 run could not be cancelled".to_owned(),
        (0, failed) => format!("{failed} runs could not be cancelled"),
        (_, 0) => format!("{were} before this failed"),
        (_, failed) => format!("{were}, but {failed} could not be"),
    };
    let kind = error.kind();
    let done = done.clone();
    Error::new(kind, text).with_source(CancelFailed { done, first: error })
}
