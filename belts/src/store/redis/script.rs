//! The scripts that Redis runs, and calls of them.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

/// A Lua script with the hash by which Redis knows it.
pub(super) struct Script {
    code: String,
    hash: String,
}

impl Script {
    fn new(code: &str) -> Self {
        let code = with_parts(code);
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The command that makes the script known to the server.
    pub(super) fn load(&self) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&self.code);
        load
    }
}

/// A call of a script with its arguments.
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) command: Cmd,
}

impl Call {
    /// A call of a script that makes its keys up from what they begin with.
    pub(super) fn new(script: &'static Script, keys: &str) -> Self {
        Self::with_keys(script, &[keys])
    }

    pub(super) fn with_keys(script: &'static Script, keys: &[&str]) -> Self {
        // Room for a commit of one entry.
        let mut command = Cmd::with_capacity(16, 512);
        command.arg("EVALSHA").arg(&script.hash).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        Self { script, command }
    }

    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// A flag, and the text if there is one; an empty text is not the same as none.
    pub(super) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.flag(text.is_some()).arg(text.unwrap_or_default())
    }

    pub(super) fn flag(&mut self, is_set: bool) -> &mut Self {
        self.arg(if is_set { "1" } else { "" })
    }
}

/// Puts the parts into a script that it asks for in lines `include <part>`. They stand where they are needed, since a
/// function costs time whenever a script comes by it.
fn with_parts(code: &str) -> String {
    let mut whole = String::with_capacity(2 * code.len());
    for line in code.lines() {
        if let Some(name) = line.trim_start().strip_prefix("include ") {
            whole.push_str(&with_parts(part(name)));
        } else {
            whole.push_str(line);
            whole.push('\n');
        }
    }
    whole
}

macro_rules! parts {
    ($($part:literal)*) => {
        fn part(name: &str) -> &'static str {
            match name {
                $($part => include_str!(concat!("lua/parts/", $part, ".lua")),)*
                _ => unreachable!("the scripts ask for parts that there are"),
            }
        }
    };
}

parts! { "common" "event" "expire" "find" "forget" "record" "release" "session" "wait" "write" }

macro_rules! scripts {
    ($($name:ident: $file:literal;)*) => {
        $(
            pub(super) static $name: LazyLock<Script> =
                LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file, ".lua"))));
        )*

        /// Every script.
        pub(super) fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),*].into_iter()
        }
    };
}

scripts! {
    OPEN: "open";
    REGISTER: "register";
    DEREGISTER: "deregister";
    RENEW: "renew";
    GIVE_BACK: "give_back";
    PUBLISH: "publish";
    CLAIM: "claim";
    STEP: "step";
    FINISH: "finish";
    COMMIT: "commit";
    CANCEL: "cancel";
    RERUN: "rerun";
    PURGE: "purge";
    RUN: "run";
    JOURNAL: "journal";
    LIST: "list";
    SUBSCRIPTIONS: "subscriptions";
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_script_has_the_parts_that_it_asks_for() {
        for script in all() {
            assert!(!script.code.contains("include "), "{}", script.code);
        }
    }
}
