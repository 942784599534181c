//! What SQS can do, in numbers.

use std::time::Duration;

/// The most entries of one call.
pub(super) const BATCH: usize = 10;
/// The longest delay that SQS supports.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(900);
/// The longest time that SQS hides a message.
pub(super) const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest time that a message can be hidden from now on: SQS counts from when it was received.
pub(super) const FURTHEST: Duration = LONGEST.saturating_sub(Duration::from_secs(600));

/// Whole seconds for the service, rounded up.
pub(super) fn whole_seconds(time: Duration) -> i32 {
    let more = u64::from(time.subsec_nanos() > 0);
    i32::try_from(time.as_secs() + more).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        let cases = [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)];
        for (millis, seconds) in cases {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
