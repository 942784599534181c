//! URLs, and what they were given by.

use super::wrong::Wrong;
use crate::environment::{self, Variable};

/// A URL, and the option or variable it comes from.
pub(super) struct Named {
    pub(super) url: String,
    pub(super) by: &'static str,
}

impl Named {
    pub(super) fn new(given: Option<String>, flag: &'static str) -> Option<Self> {
        given.map(|url| Self { url, by: flag })
    }

    pub(super) fn in_environment(variable: &Variable) -> Result<Option<Self>, Wrong> {
        Ok(Self::new(value_of(variable)?, variable.name))
    }
}

pub(super) fn value_of(variable: &Variable) -> Result<Option<String>, Wrong> {
    variable
        .read(&environment::of_process)
        .map_err(Wrong::usage)
}
