//! Durations, measured only if somebody records them.

use std::{cell::Cell, time::Instant};

use metrics::{Histogram, IntoF64};

/// A histogram of seconds. Without a recorder no clock is read.
///
/// A worker's own clock counts milliseconds, and tests move it.
#[derive(Debug)]
pub(crate) struct Timer {
    seconds: Histogram,
    is_heard: bool,
}

/// The beginning of something whose length is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartedAt(Option<Instant>);

impl Timer {
    pub(super) fn new(seconds: Histogram) -> Self {
        let is_heard = is_heard(&seconds);
        Self { seconds, is_heard }
    }

    pub(crate) fn begin(&self) -> StartedAt {
        StartedAt(self.is_heard.then(now))
    }

    pub(crate) fn record(&self, begun: StartedAt) {
        if let StartedAt(Some(begun)) = begun {
            self.seconds.record(begun.elapsed().as_secs_f64());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long work really took, and decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

/// Whether the histogram records anything: only then does it ask the value for its number.
fn is_heard(histogram: &Histogram) -> bool {
    struct Probe<'a>(&'a Cell<bool>);

    impl IntoF64 for Probe<'_> {
        fn into_f64(self) -> f64 {
            self.0.set(true);
            0.0
        }
    }

    let asked = Cell::new(false);
    histogram.record_many(Probe(&asked), 0);
    asked.get()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use metrics::HistogramFn;

    use super::*;

    #[derive(Default)]
    struct Recorded(Mutex<Vec<f64>>);

    impl HistogramFn for Recorded {
        fn record(&self, value: f64) {
            self.0.lock().unwrap().push(value);
        }
    }

    #[test]
    fn no_clock_is_read_for_nobody() {
        let timer = Timer::new(Histogram::noop());
        let begun = timer.begin();
        assert!(begun.0.is_none());
        timer.record(begun);
    }

    #[test]
    fn what_is_heard_is_recorded_once() {
        let recorded = Arc::new(Recorded::default());
        let timer = Timer::new(Histogram::from_arc(Arc::clone(&recorded)));
        assert!(
            recorded.0.lock().unwrap().is_empty(),
            "to ask records nothing"
        );
        timer.record(timer.begin());
        assert_eq!(recorded.0.lock().unwrap().len(), 1);
    }
}
