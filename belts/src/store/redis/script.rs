//! The scripts that Redis runs, and calls of them.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

/// A Lua script with the hash by which Redis knows it.
pub(super) struct Script {
    code: String,
    hash: String,
}

impl Script {
    /// Puts a script together from the parts that it needs.
    fn of(parts: &[&str]) -> Self {
        let code = parts.concat();
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
    pub(super) fn new(script: &'static Script, keys: &str) -> Self {
        // Room for a commit of one entry.
        let mut command = Cmd::with_capacity(16, 512);
        command.arg("EVALSHA").arg(&script.hash).arg("1").arg(keys);
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

macro_rules! scripts {
    ($($name:ident: $($part:literal)*;)*) => {$(
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::of(&[include_str!("lua/common.lua"), $(include_str!(concat!("lua/", $part, ".lua"))),*]));
    )*

        /// Every script.
        pub(super) fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),*].into_iter()
        }
    };
}

scripts! {
    OPEN: "open";
    REGISTER: "wait" "release" "register";
    DEREGISTER: "wait" "release" "deregister";
    RENEW: "wait" "release" "renew";
    GIVE_BACK: "wait" "round" "give_back";
    PUBLISH: "wait" "event" "round" "publish";
    CLAIM: "wait" "release" "round" "claim";
    COMMIT: "wait" "event" "forget" "finish" "commit";
    CANCEL: "event" "finish" "cancel";
    RERUN: "wait" "rerun";
    PURGE: "event" "forget" "purge";
    RUN: "record" "run";
    JOURNAL: "journal";
    LIST: "event" "record" "list";
    SUBSCRIPTIONS: "subscriptions";
}
