//! Shared by the tests and examples of belts.

pub mod clients;
mod hooked;
mod install;
pub mod log;
mod moment;
pub mod qstash;
pub mod servers;

pub use hooked::{Before, Hooked};
pub use moment::a_moment;
