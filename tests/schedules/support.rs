//! Moments, and what runs were told.

use std::time::Duration;

use belts::{
    Function, Timestamp,
    testing::{Harness, ManualClock},
};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment of RFC 3339.
pub(crate) fn at(text: &str) -> Timestamp {
    serde_json::from_value::<i64>(serde_json::json!(millis(text)))
        .map(Timestamp::from_millis)
        .unwrap()
}

/// `2025-01-01T00:00:00Z` in milliseconds, by days since the epoch.
fn millis(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    // Howard Hinnant's days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000
}

pub(crate) fn clock(text: &str) -> ManualClock {
    ManualClock::new(at(text))
}

/// The outputs of the runs of a function, in the order of their ticks.
pub(crate) async fn outputs<M, F: Function<M, Output = String>>(
    harness: &Harness,
    function: F,
) -> Vec<String> {
    let runs = harness.runs_of(function).await.unwrap();
    let mut outputs: Vec<String> = runs.iter().map(|run| run.output().unwrap()).collect();
    outputs.sort_unstable();
    outputs
}
