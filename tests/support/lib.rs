//! Shared by the tests and examples of belts.

pub mod clients;
mod install;
pub mod qstash;
pub mod servers;
