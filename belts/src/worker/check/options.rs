//! What a check is to do.

use std::{sync::Arc, time::Duration};

/// The most runs of each function, unless something else is said.
pub(super) const MOST: usize = 1_000;

/// The longest that the replay of one run may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What is said on each run that was checked.
pub(super) type Progress = Arc<dyn Fn(usize) + Send + Sync>;

/// What a check is to do.
pub(super) struct Options {
    pub(super) most: usize,
    pub(super) time_limit: Duration,
    pub(super) elsewhere: Vec<String>,
    pub(super) progress: Option<Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            most: MOST,
            time_limit: TIME_LIMIT,
            elsewhere: Vec::new(),
            progress: None,
        }
    }
}

impl Options {
    /// Whether a function is said to be another program's.
    pub(super) fn is_elsewhere(&self, function_id: &str) -> bool {
        self.elsewhere
            .iter()
            .any(|name| match name.strip_suffix('*') {
                Some(beginning) => function_id.starts_with(beginning),
                None => name == function_id,
            })
    }
}
