//! What several suites of tests share.

mod cargo;
mod hooked;
pub mod install;
pub mod log;
pub mod servers;
mod wait;

pub use cargo::cargo;
pub use hooked::{Before, Hooked};
pub use wait::{a_moment, within, within_time};
