//! One variable, and how it is read.

use std::{env::VarError, fmt};

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
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// Looks a variable up in the environment of the process.
pub(crate) fn of_process(name: &str) -> Result<String, VarError> {
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
