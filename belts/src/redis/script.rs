//! A script that Redis runs, and calls of it.

use redis::{Cmd, ToRedisArgs};

/// A Lua script with the hash by which Redis knows it.
pub(crate) struct Script {
    code: String,
    hash: String,
}

impl Script {
    /// A script of this code, with the parts that it asks for.
    pub(crate) fn new(code: &str, part: fn(&str) -> &'static str) -> Self {
        let code = with_parts(code, part);
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The command that makes the script known to the server.
    pub(crate) fn load(&self) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&self.code);
        load
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

/// A call of a script with its arguments.
pub(crate) struct Call {
    pub(crate) script: &'static Script,
    pub(crate) command: Cmd,
}

impl Call {
    /// A call of a script that makes its keys up from what they begin with.
    pub(crate) fn new(script: &'static Script, keys: &str) -> Self {
        Self::with_keys(script, &[keys])
    }

    pub(crate) fn with_keys(script: &'static Script, keys: &[&str]) -> Self {
        // Room for a commit of one entry.
        let mut command = Cmd::with_capacity(16, 512);
        command.arg("EVALSHA").arg(&script.hash).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        Self { script, command }
    }

    pub(crate) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// A flag, and the text if there is one; an empty text is not the same as none.
    pub(crate) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.flag(text.is_some()).arg(text.unwrap_or_default())
    }

    pub(crate) fn flag(&mut self, is_set: bool) -> &mut Self {
        self.arg(if is_set { "1" } else { "" })
    }
}

/// Puts the parts into a script that it asks for in lines `include <part>`. They stand where they are needed, since a
/// function costs time whenever a script comes by it.
fn with_parts(code: &str, part: fn(&str) -> &'static str) -> String {
    let mut whole = String::with_capacity(2 * code.len());
    for line in code.lines() {
        if let Some(name) = line.trim_start().strip_prefix("include ") {
            whole.push_str(&with_parts(part(name), part));
        } else {
            whole.push_str(line);
            whole.push('\n');
        }
    }
    whole
}
