//! Shared by the tests and examples of belts.

pub mod qstash;
pub mod servers;
