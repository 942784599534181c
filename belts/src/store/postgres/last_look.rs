//! When the processes of others were last looked for.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often the processes of others are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When the processes of others were last looked for.
#[derive(Debug, Default)]
pub(super) struct LastLook(Mutex<Option<Instant>>);

impl LastLook {
    /// Whether it is time to look again.
    pub(super) fn is_over(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = last.is_none_or(|last| last.elapsed() >= LOOK_EVERY);
        if over {
            *last = Some(Instant::now());
        }
        over
    }
}
