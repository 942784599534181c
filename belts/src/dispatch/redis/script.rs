//! The scripts of the dispatcher.

use std::sync::LazyLock;

pub(super) use crate::redis::script::{Call, Script};

fn part(name: &str) -> &'static str {
    match name {
        "keys" => include_str!("lua/parts/keys.lua"),
        "now" => include_str!("lua/parts/now.lua"),
        "later" => include_str!("lua/parts/later.lua"),
        "due" => include_str!("lua/parts/due.lua"),
        "held" => include_str!("lua/parts/held.lua"),
        "done" => include_str!("lua/parts/done.lua"),
        _ => unreachable!("the scripts ask for parts that there are"),
    }
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
    SEND: "send";
    TAKE: "take";
    EXTEND: "extend";
    ACK: "ack";
    NACK: "nack";
    TIDY: "tidy";
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
