//! The run that started another one.

use std::sync::Arc;

/// The run that started a run, by `call!` or `start!`.
///
/// ```
/// use belts::store::Parent;
/// let parent = Parent::new("r-1", 1).attached();
/// assert!(parent.attached);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parent {
    /// Its id.
    pub run_id: Arc<str>,
    /// How many runs are above the one that it started: 1 where it was started by no run itself.
    pub depth: u32,
    /// Whether the run that it started is cancelled when it fails or is cancelled.
    pub attached: bool,
}

impl Parent {
    /// A run whose end leaves the one that it started alone.
    pub fn new(run_id: impl Into<Arc<str>>, depth: u32) -> Self {
        Self {
            run_id: run_id.into(),
            depth,
            attached: false,
        }
    }

    /// The run that it started is cancelled when it fails or is cancelled.
    #[must_use]
    pub fn attached(mut self) -> Self {
        self.attached = true;
        self
    }
}
