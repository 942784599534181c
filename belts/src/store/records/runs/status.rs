//! Where a run stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a run stands. The order is that of a run's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Published, not yet claimed.
    Pending,
    /// A worker drives it.
    Running,
    /// It waits for its time.
    Suspended,
    /// It was asked to stop after a step.
    Stopped,
    /// It has failed or was cancelled, and what its steps did is undone before it is over.
    Undoing,
    /// The function returned `Ok`.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Stopped,
        Self::Undoing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Those of runs of which nothing is decided: they are not over, and are not being undone.
    pub const UNFINISHED: [Self; 4] =
        [Self::Pending, Self::Running, Self::Suspended, Self::Stopped];

    /// Whether the run is over.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word for it, as stores and the wire have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::Undoing => "undoing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
