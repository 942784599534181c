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
    /// Steps that are gone on purpose, each behind its function.
    pub(super) accepted: Vec<String>,
    /// Whether it is one of the whole program, which may have workers with other functions.
    pub(super) whole_program: bool,
    pub(super) progress: Option<Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            most: MOST,
            time_limit: TIME_LIMIT,
            elsewhere: Vec::new(),
            accepted: Vec::new(),
            whole_program: false,
            progress: None,
        }
    }
}

impl Options {
    /// Whether this step of a function is said to be gone on purpose.
    pub(super) fn is_accepted(&self, function_id: &str, path: &str) -> bool {
        let mut accepted = self.accepted.iter();
        accepted.any(|step| {
            let rest = step.strip_prefix(function_id);
            rest.and_then(|rest| rest.strip_prefix('/')) == Some(path)
        })
    }

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
