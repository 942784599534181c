//! The handles of the metrics, as a worker and its functions hold them.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram};

use super::{Timer, table};

/// The metrics of one function.
#[derive(Debug)]
pub(crate) struct FunctionMetrics {
    pub(crate) runs_started: Counter,
    pub(crate) runs_resumed: Counter,
    pub(crate) runs_completed: Counter,
    pub(crate) runs_failed: Counter,
    runs_running: Gauge,
    pub(crate) runs_due: Gauge,
    pub(crate) steps_executed: Counter,
    pub(crate) steps_failed: Counter,
    pub(crate) steps_replayed: Counter,
    pub(crate) step_duration: Timer,
    ticks: OnceLock<TickMetrics>,
    id: String,
}

impl FunctionMetrics {
    pub(crate) fn new(function_id: &str) -> Self {
        let function = &[function_id];
        Self {
            runs_started: table::RUNS_STARTED.counter(function),
            runs_resumed: table::RUNS_RESUMED.counter(function),
            runs_completed: table::RUNS_COMPLETED.counter(function),
            runs_failed: table::RUNS_FAILED.counter(function),
            runs_running: table::RUNS_RUNNING.gauge(function),
            runs_due: table::RUNS_DUE.gauge(function),
            steps_executed: table::STEPS_EXECUTED.counter(function),
            steps_failed: table::STEPS_FAILED.counter(function),
            steps_replayed: table::STEPS_REPLAYED.counter(function),
            step_duration: Timer::new(table::STEP_DURATION.histogram(function)),
            ticks: OnceLock::new(),
            id: function_id.to_owned(),
        }
    }

    /// Metrics of what is only tried out, which nobody hears of.
    pub(crate) fn silent() -> Self {
        Self {
            runs_started: Counter::noop(),
            runs_resumed: Counter::noop(),
            runs_completed: Counter::noop(),
            runs_failed: Counter::noop(),
            runs_running: Gauge::noop(),
            runs_due: Gauge::noop(),
            steps_executed: Counter::noop(),
            steps_failed: Counter::noop(),
            steps_replayed: Counter::noop(),
            step_duration: Timer::new(Histogram::noop()),
            ticks: OnceLock::new(),
            id: String::new(),
        }
    }

    /// The metrics of its ticks, for functions that have some.
    pub(crate) fn ticks(&self) -> &TickMetrics {
        self.ticks.get_or_init(|| TickMetrics::new(&self.id))
    }

    /// Counts a run as driven until the guard is dropped, even if the task is cut off.
    pub(crate) fn running(&self) -> RunningGuard<'_> {
        self.runs_running.increment(1.0);
        RunningGuard(self)
    }
}

/// What became of the ticks of one function.
#[derive(Debug)]
pub(crate) struct TickMetrics {
    pub(crate) started: Counter,
    pub(crate) missed: Counter,
    pub(crate) skipped: Counter,
    pub(crate) late: Histogram,
}

impl TickMetrics {
    fn new(function_id: &str) -> Self {
        let counter = |outcome| table::TICKS.counter(&[function_id, outcome]);
        Self {
            started: counter("started"),
            missed: counter("missed"),
            skipped: counter("skipped"),
            late: table::TICK_LATE.histogram(&[function_id]),
        }
    }
}

/// A run that is being driven.
#[derive(Debug)]
pub(crate) struct RunningGuard<'a>(&'a FunctionMetrics);

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        self.0.runs_running.decrement(1.0);
    }
}

/// The metrics of a worker that belong to no function.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    pub(crate) published: Counter,
    /// Deliveries that the router received.
    #[cfg(feature = "http")]
    pub(crate) http: Deliveries,
    /// Messages that a dispatcher was polled for.
    pub(crate) messages: Deliveries,
    /// Unauthorized requests.
    #[cfg(feature = "http")]
    pub(crate) refusals: super::Refusals,
    pub(crate) commit_batch_size: Histogram,
    pub(crate) commit_seconds: Timer,
    pub(crate) leases_lost: Counter,
    pub(crate) closed: Counter,
    pub(crate) oldest_due: Gauge,
}

impl WorkerMetrics {
    /// Registers the metrics, and describes them to the recorder.
    pub(crate) fn new() -> Self {
        table::describe();
        Self {
            published: table::PUBLISHED.counter(&[]),
            #[cfg(feature = "http")]
            http: Deliveries::new("http"),
            messages: Deliveries::new("message"),
            #[cfg(feature = "http")]
            refusals: super::Refusals::new(),
            commit_batch_size: table::COMMIT_BATCH_SIZE.histogram(&[]),
            commit_seconds: Timer::new(table::COMMIT_SECONDS.histogram(&[])),
            leases_lost: table::LEASES_LOST.counter(&[]),
            closed: table::SEALED.counter(&[]),
            oldest_due: table::OLDEST_DUE.gauge(&[]),
        }
    }
}

/// The results of deliveries of one kind.
#[derive(Debug)]
pub(crate) struct Deliveries {
    accepted: Counter,
    duplicate: Counter,
    refused: Counter,
}

impl Deliveries {
    fn new(via: &str) -> Self {
        let counter = |outcome| table::DELIVERIES.counter(&[via, outcome]);
        Self {
            accepted: counter("accepted"),
            duplicate: counter("duplicate"),
            refused: counter("refused"),
        }
    }

    /// Counts an accepted delivery; `duplicate` if it existed before.
    pub(crate) fn taken(&self, duplicate: bool) {
        let counter = if duplicate {
            &self.duplicate
        } else {
            &self.accepted
        };
        counter.increment(1);
    }

    pub(crate) fn refused(&self) {
        self.refused.increment(1);
    }
}
