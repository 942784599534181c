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
    /// How many runs are above the started run: 1 if no run started this parent.
    pub depth: u32,
    /// Whether the started run is cancelled when this parent fails or is cancelled.
    pub attached: bool,
}

impl Parent {
    /// A parent that the started run is not attached to: the run goes on whatever becomes of the parent.
    pub fn new(run_id: impl Into<Arc<str>>, depth: u32) -> Self {
        Self {
            run_id: run_id.into(),
            depth,
            attached: false,
        }
    }

    /// Attaches the started run to this parent.
    #[must_use]
    pub fn attached(mut self) -> Self {
        self.attached = true;
        self
    }
}
