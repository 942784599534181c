//! What operators see of a worker: metrics and spans, and traces across processes.
//!
//! Metrics go to the recorder that is installed when the worker is built, and nowhere without one. They are
//! registered once, at that time, so that a step looks up no names.

mod metrics;
mod propagate;
#[cfg(feature = "http")]
mod refused;
pub(crate) mod span;
mod table;
mod timer;

pub(crate) use metrics::{FunctionMetrics, WorkerMetrics};
pub use propagate::Propagator;
pub(crate) use propagate::traceparent;
#[cfg(feature = "http")]
pub(crate) use refused::{Door, Refusals};
pub(crate) use timer::{StartedAt, Timer};
