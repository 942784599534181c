//! What operators see of a worker: metrics and spans, and how a trace goes on from one process to another.
//!
//! Metrics go to the recorder that the program has installed when the worker is built, and nowhere without one. Handles are
//! taken then, once, so that a step looks no name up.

mod metrics;
mod propagate;
pub(crate) mod span;
mod table;

pub(crate) use metrics::{FunctionMetrics, WorkerMetrics};
pub use propagate::Propagator;
pub(crate) use propagate::traceparent;

use std::time::Instant;

/// The beginning of something whose length is measured. A worker's clock counts milliseconds, and tests move it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long work really took, and decides nothing"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
