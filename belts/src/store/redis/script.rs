//! The scripts of the store.

use std::sync::LazyLock;

pub(super) use crate::redis::script::{Call, Script};

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

parts! {
    "adopt" "apart" "attempts" "awaits" "bring" "cancel" "common" "earlier" "ended" "event" "expire" "family" "find" "flow" "forget" "freed" "head" "hear" "in_lines"
    "lane" "limit" "limited" "lines" "living" "look" "looking" "parent" "payload" "placed" "record" "release" "resolve" "session" "settle" "show" "single" "stand" "start"
    "tag" "times" "told" "undo" "unfinished" "wait" "waits" "write"
}

macro_rules! scripts {
    ($($name:ident: $file:literal;)*) => {
        $(
            pub(super) static $name: LazyLock<Script> =
                LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file, ".lua")), part));
        )*

        /// Every script.
        pub(super) fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),*].into_iter()
        }
    };
}

scripts! {
    OPEN: "open";
    FORMAT: "format";
    REGISTER: "register";
    DEREGISTER: "deregister";
    RENEW: "renew";
    REVOKED: "revoked";
    ARRIVED: "arrived";
    GIVE_BACK: "give_back";
    PUBLISH: "publish";
    CLAIM: "claim";
    SET_ASIDE: "set_aside";
    STEP: "step";
    FINISH: "finish";
    COMMIT: "commit";
    CANCEL: "cancel";
    OVER: "over";
    EXPIRE: "expire";
    RERUN: "rerun";
    NOTE: "note";
    FUNCTIONS: "functions";
    PAUSE: "pause";
    RESUME: "resume";
    FORGET: "forget";
    DUE_SCHEDULES: "due_schedules";
    CHANGE_SCHEDULES: "change_schedules";
    SCHEDULES: "schedules";
    SCHEDULE: "schedule";
    PURGE: "purge";
    RUN: "run";
    JOURNAL: "journal";
    BACKLOG: "backlog";
    LIST: "list";
    ENDED: "ended";
    SUBSCRIPTIONS: "subscriptions";
    AWAITED: "awaited";
    EVENTS: "events";
    SUBSTITUTE: "substitute";
    ROUTE: "route";
    BATCH: "batch";
    IN_LINE: "in_line";
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_script_has_the_parts_that_it_asks_for() {
        for script in all() {
            assert!(!script.code().contains("include "), "{}", script.code());
        }
    }
}
