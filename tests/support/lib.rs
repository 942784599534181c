//! Shared by the tests of belts.

mod cargo;
pub mod clients;
mod hooked;
mod install;
pub mod log;
mod moment;
pub mod qstash;
pub mod servers;

pub use cargo::cargo;
pub use hooked::{Before, Hooked};
pub use moment::a_moment;
