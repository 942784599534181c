//! How the drive of a run ended.

use std::sync::Arc;

use crate::clock::Timestamp;

/// How the drive of a run ended, as far as this worker is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It returned `Ok`; with the output as an envelope.
    Completed(Arc<[u8]>),
    /// It failed for good.
    Failed,
    /// The event came that cancels it.
    Cancelled,
    /// It goes on at this time, or once something arrives for it.
    Suspended(Option<Timestamp>),
    /// It reached the step at which it was asked to stop.
    Stopped,
    /// The function's filter did not want the event.
    Skipped,
    /// The lease was lost, or the store failed: nothing more was written.
    Abandoned,
}

impl Ended {
    /// Whether the run goes no further on its own.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Self::Suspended(_) | Self::Abandoned)
    }

    /// The word for it, in spans.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Suspended(_) => "suspended",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
            Self::Abandoned => "abandoned",
        }
    }
}
