//! Who calls the program, according to the system: nobody checks it.

use std::{env, fs};

use crate::plain::plain;

/// The given name, or else the system user and host.
pub(super) fn actor(given: Option<&str>) -> String {
    if let Some(name) = given.map(str::trim).filter(|name| !name.is_empty()) {
        return plain(name).into_owned();
    }
    let user = variable(&["USER", "LOGNAME", "USERNAME"]);
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    match host() {
        Some(host) => plain(&format!("{user}@{host}")).into_owned(),
        None => plain(&user).into_owned(),
    }
}

fn host() -> Option<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let read = kernel.or_else(|| fs::read_to_string("/etc/hostname").ok());
    read.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| variable(&["HOSTNAME", "COMPUTERNAME"]))
}

/// The first of these variables that is not empty.
fn variable(names: &[&str]) -> Option<String> {
    let read = |name| {
        env::var(name)
            .ok()
            .filter(|text: &String| !text.trim().is_empty())
    };
    names.iter().find_map(read)
}
