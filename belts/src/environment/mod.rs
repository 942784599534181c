//! The variables of the environment: how one is read, and which ones there are.

mod table;
mod unknown;
mod variable;

pub(crate) use table::*;
pub(crate) use unknown::warn_of_unknown;
#[cfg(feature = "cli")]
pub(crate) use variable::Variable;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(crate) use variable::is_check;
#[cfg(feature = "qstash")]
pub(crate) use variable::read;
pub(crate) use variable::{Lookup, asks_for_check, of_process};
