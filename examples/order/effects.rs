//! The effects log: written by the steps themselves, so that belts is not its own witness.
//!
//! A line is `<pid> <what> <order> <step>`, where `done` says that a step's expression did its work, `returned` that the
//! step came back to its function (so its result was recorded), and `outcome` that an order is through.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex},
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

/// How a worker's steps log their effects: application state, cloned for each attempt.
#[derive(Debug, Clone)]
pub(crate) struct Effects {
    log: Option<Arc<File>>,
    failures: Arc<Mutex<HashMap<String, u32>>>,
}

impl Effects {
    /// Uses the file that the environment names; without one, nothing is written.
    pub(crate) fn from_env() -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let log = std::env::var_os(ENV).map(open).transpose()?;
        Ok(Self {
            log: log.map(Arc::new),
            failures: Arc::default(),
        })
    }

    pub(crate) fn done(&self, order: &str, step: &str) {
        self.append("done", order, step);
    }

    pub(crate) fn returned(&self, order: &str, step: &str) {
        self.append("returned", order, step);
    }

    pub(crate) fn outcome(&self, order: &str, outcome: &str) {
        self.append("outcome", order, outcome);
    }

    /// Counts the attempts at an order's warehouse in this process, from 1.
    pub(crate) fn count_failure(&self, order: &str) -> u32 {
        let mut failures = self.failures.lock().expect("no holder of this lock panics");
        let count = failures.entry(order.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn append(&self, what: &str, order: &str, step: &str) {
        // One write for each line: appends of several threads do not mix, and a killed process leaves no half line.
        if let Some(mut log) = self.log.as_deref() {
            let line = format!("{} {what} {order} {step}\n", std::process::id());
            log.write_all(line.as_bytes())
                .expect("the effects log can be written");
        }
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
