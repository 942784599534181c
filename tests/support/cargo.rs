//! Cargo, called by a test.

use std::{env, process::Command};

/// Cargo in the folder of the workspace, as a person calls it.
///
/// What cargo tells a test about its package it must not find again: build scripts that look at such variables would run anew,
/// and all that depends on them would be built once more, at this call and at the next one of a person.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told == "OUT_DIR"
            || told.starts_with("CARGO_PKG_")
            || told.starts_with("CARGO_MANIFEST_")
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}
