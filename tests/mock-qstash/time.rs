//! The times that the protocol writes as text, and the mock's own time.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Now, for waiting. The mock stands for a service outside, so its time is real and none of the worker's.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970 by the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the service has a clock of its own, and the mock is the service"
)]
pub(crate) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, millis)
}

/// A duration as the service's JSON has it.
pub(crate) fn millis(duration: impl Into<Duration>) -> u64 {
    u64::try_from(duration.into().as_millis()).unwrap_or(u64::MAX)
}

/// `90s`, `1d10h30m`: how long to delay, to wait for an answer, or to count for a rate.
pub(crate) fn span(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 4] = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
    sum(text, &UNITS)
}

/// `6m5s`, `1.5h`, `250ms`: what Go prints and an answer may ask for.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
    // A unit stands before those that it begins with.
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3_600.0),
    ];
    sum(text, &UNITS)
}

fn sum(text: &str, units: &[(&str, f64)]) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let (unit, size) = units.iter().find(|(u, _)| rest[digits..].starts_with(u))?;
        seconds += number * size;
        rest = &rest[digits + unit.len()..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up_their_parts() {
        assert_eq!(span("90s"), Some(Duration::from_secs(90)));
        assert_eq!(span("1d10h30m"), Some(Duration::from_secs(124_200)));
        for wrong in ["", "90", "s", "-1s", "1w", "1 h", "1ms"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn go_durations_have_small_units_and_fractions() {
        assert_eq!(go_duration("6m5s"), Some(Duration::from_secs(365)));
        assert_eq!(go_duration("1.5h"), Some(Duration::from_secs(5_400)));
        assert_eq!(go_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(go_duration("3µs"), Some(Duration::from_micros(3)));
        assert_eq!(go_duration("1d"), None);
    }
}
