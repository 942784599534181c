//! When it is time again for what a receiver need not do at each call.

use std::time::Duration;

use tokio::time::Instant;

/// The longest wait, so that delayed and abandoned messages are checked as well.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How much longer at most a receiver waits for what is due if it has just handed messages on.
const STAND_BACK: Duration = Duration::from_millis(50);

/// When to repeat what need not be done in each call.
pub(super) struct Rounds {
    /// The time between two checks for abandoned messages.
    pub(super) pause: Duration,
    pub(super) look_at: Option<Instant>,
    /// The time between two checks for consumers that are gone.
    tidy_pause: Duration,
    tidy_at: Option<Instant>,
    /// Until when others are let first at what is due.
    stands_back_until: Option<Instant>,
}

impl Rounds {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            pause: visibility.div_f64(4.0).min(LONGEST_WAIT),
            look_at: None,
            tidy_pause: visibility,
            tidy_at: None,
            stands_back_until: None,
        }
    }

    /// Remembers that this receiver handed on a message that is due again after this delay.
    pub(super) fn handed_on(&mut self, delay: Duration) {
        let until = Instant::now().checked_add(delay.saturating_add(LONGEST_WAIT));
        self.stands_back_until = self.stands_back_until.max(until);
    }

    /// How long to wait for new messages if the first delayed one is due in this time.
    ///
    /// All receivers wake up for it in the same millisecond, and the server always serves the same one of them first. If that
    /// one cannot read the message, no other would ever get it: so whoever handed a message on wakes up a little later.
    pub(super) fn wait(&self, due_in: Option<Duration>) -> Duration {
        let stands_back = self.stands_back_until.is_some_and(|at| Instant::now() < at);
        let later = match due_in {
            Some(_) if stands_back => STAND_BACK.mul_f64(fastrand::f64()),
            _ => Duration::ZERO,
        };
        due_in.map_or(self.pause, |due_in| self.pause.min(due_in) + later)
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
