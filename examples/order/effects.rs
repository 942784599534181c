//! The effects log: what the steps did, written by themselves, so that belts is not its own witness.
//!
//! A line is `<pid> <what> <order> <step>`, where `done` says that a step's expression did its work, `returned` that the
//! step came back to its function (so its result was recorded), and `outcome` that an order is through.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

/// Names the file to the worker.
pub(crate) const ENV: &str = "ORDER_EFFECTS_LOG";

/// One line of the log.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) pid: u32,
    pub(crate) what: String,
    pub(crate) order: String,
    pub(crate) step: String,
}

pub(crate) fn done(order: &str, step: &str) {
    append("done", order, step);
}

pub(crate) fn returned(order: &str, step: &str) {
    append("returned", order, step);
}

pub(crate) fn outcome(order: &str, outcome: &str) {
    append("outcome", order, outcome);
}

/// Counts the attempts at an order's warehouse in this process, from 1.
pub(crate) fn count_failure(order: &str) -> u32 {
    static COUNTS: OnceLock<Mutex<HashMap<String, u32>>> = OnceLock::new();
    let mut counts = COUNTS
        .get_or_init(Mutex::default)
        .lock()
        .expect("no holder of this lock panics");
    let count = counts.entry(order.to_owned()).or_default();
    *count += 1;
    *count
}

fn append(what: &str, order: &str, step: &str) {
    static LOG: OnceLock<Option<File>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let path = std::env::var_os(ENV).map(PathBuf::from)?;
        OpenOptions::new().create(true).append(true).open(path).ok()
    });
    // One write for each line: appends of several threads do not mix, and a killed process leaves no half line.
    if let Some(mut log) = log.as_ref() {
        let line = format!("{} {what} {order} {step}\n", std::process::id());
        log.write_all(line.as_bytes())
            .expect("the effects log can be written");
    }
}

/// Reads what is there so far.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    Some(Line {
        pid: words.next()?.parse().ok()?,
        what: words.next()?.to_owned(),
        order: words.next()?.to_owned(),
        step: words.next()?.to_owned(),
    })
}
