//! The conformance suites: what every backend must pass. Feature `conformance`.

pub mod store;
