//! One variable, and how it is read.

use std::{env::VarError, fmt};

use crate::error::{Error, ErrorKind, Result};

/// The variable that asks for a check; its row in the table is beside those of the others.
const CHECK: &str = "BELTS_CHECK";

/// A variable that belts reads. Its value is never shown, since it may be a secret.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// What counts where it is not set.
    pub(crate) default: Option<&'static str>,
    #[cfg(test)]
    pub(super) text: &'static str,
}

/// How a variable is looked up; tests do not use the environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> std::result::Result<String, VarError>;

/// Looks a variable up in the environment of the process.
pub(crate) fn of_process(name: &str) -> std::result::Result<String, VarError> {
    std::env::var(name)
}

/// The value of a variable; one that is set to nothing counts as not set.
pub(crate) fn read(lookup: Lookup<'_>, name: &str) -> Result<Option<String>, String> {
    match lookup(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not valid UTF-8")),
    }
}

/// Whether the environment asks for a check in place of a worker.
///
/// # Errors
/// It says neither yes nor no.
pub(crate) fn asks_for_check() -> Result<bool> {
    let config = |text| Error::new(ErrorKind::Config, text);
    let value = read(&of_process, CHECK).map_err(config)?;
    match value.as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(value) => Err(config(format!(
            "{CHECK} is `{value}`, and must be `1` or `0`"
        ))),
    }
}

/// Whether nothing is to be written, since all that this process does is to check. A wrong value is said when a worker is built.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(crate) fn is_check() -> bool {
    asks_for_check().unwrap_or(true)
}

impl Variable {
    pub(crate) fn read(&self, lookup: Lookup<'_>) -> Result<Option<String>, String> {
        read(lookup, self.name)
    }

    /// The value, or the default where there is one.
    pub(crate) fn read_or_default(&self, lookup: Lookup<'_>) -> Result<String, String> {
        let value = self.read(lookup)?;
        Ok(value.unwrap_or_else(|| self.default.unwrap_or_default().to_owned()))
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
