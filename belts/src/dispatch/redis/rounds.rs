//! When it is time again for what a receiver need not do at each call.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait, so that delayed and abandoned messages are checked as well.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// When to repeat what need not be done in each call.
pub(super) struct Rounds {
    /// The time between two checks for abandoned messages.
    pub(super) pause: Duration,
    pub(super) look_at: Option<Instant>,
    /// The time between two checks for consumers that are gone.
    tidy_pause: Duration,
    tidy_at: Option<Instant>,
}

impl Rounds {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            pause: visibility.div_f64(4.0).min(LONGEST_WAIT),
            look_at: None,
            tidy_pause: visibility,
            tidy_at: None,
        }
    }

    pub(super) fn looks(&mut self) -> bool {
        is_time(&mut self.look_at, self.pause)
    }

    pub(super) fn tidies(&mut self) -> bool {
        is_time(&mut self.tidy_at, self.tidy_pause)
    }
}

/// Whether it is time, and if so, sets the next time.
fn is_time(at: &mut Option<Instant>, pause: Duration) -> bool {
    let now = Instant::now();
    let is_time = at.is_none_or(|at| now >= at);
    if is_time {
        // A time that is too far away never comes.
        *at = Some(now.checked_add(pause).unwrap_or(now + LONGEST_WAIT));
    }
    is_time
}
