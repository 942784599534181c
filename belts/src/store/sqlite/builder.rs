//! The settings with which a database is opened.

use std::path::{Path, PathBuf};

/// How sure a commit is before a step returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// What was committed survives the loss of power: each commit waits for the disk. Leases alone do not wait: whoever had them
    /// lost the power as well, and their runs are due again.
    #[default]
    Full,
    /// What was committed survives the end of the process, but the last commits may be lost with the power.
    /// The database stays whole; steps whose results were lost run again.
    Normal,
}

impl Synchronous {
    /// As SQLite calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// Settings of a [`Sqlite`](crate::store::Sqlite) store; see [`Sqlite::builder`](crate::store::Sqlite::builder).
#[derive(Debug, Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct SqliteBuilder {
    pub(super) path: PathBuf,
    pub(super) synchronous: Synchronous,
}

impl SqliteBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            synchronous: Synchronous::default(),
        }
    }

    /// How sure a commit is before a step returns; [`Synchronous::Full`] where not said.
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }
}
