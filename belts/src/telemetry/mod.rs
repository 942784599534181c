//! What operators see of a worker: metrics and spans, and how a trace goes on from one process to another.
//!
//! Metrics go to the recorder that the program has installed when the worker is built, and nowhere without one. Handles are
//! taken then, once, so that a step looks no name up.

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
pub(crate) use timer::{Begun, Timer};
