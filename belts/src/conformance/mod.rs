//! The conformance suites: what every backend must pass. Feature `conformance`.

#[macro_use]
mod cases;
#[cfg(test)]
mod contracts;
#[cfg(feature = "http")]
pub mod dispatch;
pub mod store;
