//! Shared by the tests and examples of belts.

mod install;
pub mod qstash;
pub mod servers;
