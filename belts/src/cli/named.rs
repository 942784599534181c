//! URLs, and what they were given by.

use std::env;

use super::wrong::Wrong;

/// A URL, and the option or variable it comes from.
pub(super) struct Named {
    pub(super) url: String,
    pub(super) by: &'static str,
}

impl Named {
    pub(super) fn new(given: Option<String>, flag: &'static str) -> Option<Self> {
        given.map(|url| Self { url, by: flag })
    }

    pub(super) fn in_environment(name: &'static str) -> Result<Option<Self>, Wrong> {
        Ok(Self::new(variable(name)?, name))
    }
}

pub(super) fn variable(name: &str) -> Result<Option<String>, Wrong> {
    match env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Wrong::usage(format!("{name} is not valid UTF-8")))
        }
    }
}
