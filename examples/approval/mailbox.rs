//! What the functions do outside of belts: a file with a line for each mail and each booking, so that belts is not its own
//! witness.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use crate::expenses::Outcome;

/// Names the file to the worker.
pub(crate) const ENV: &str = "APPROVAL_MAILBOX";

#[derive(Debug, Clone)]
pub(crate) struct Mailbox(Arc<File>);

impl Mailbox {
    pub(crate) fn from_env() -> io::Result<Self> {
        let path = std::env::var_os(ENV).unwrap_or_else(|| "mailbox.log".into());
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// Asks the manager.
    pub(crate) fn ask(&self, expense_id: &str, url: &str) -> io::Result<()> {
        self.append(&format!("asked {expense_id} {url}\n"))
    }

    /// Books what was decided.
    pub(crate) fn book(&self, expense_id: &str, outcome: Outcome) -> io::Result<()> {
        self.append(&format!("booked {expense_id} {outcome:?}\n"))
    }

    /// One write for each line: a killed process leaves no half of one.
    fn append(&self, line: &str) -> io::Result<()> {
        self.0.as_ref().write_all(line.as_bytes())
    }
}

/// The mailbox as it is now.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// The URL for each expense that somebody was asked about.
    pub(crate) asked: HashMap<String, String>,
    /// What was booked for each expense; each outcome once.
    pub(crate) booked: HashMap<String, Vec<String>>,
}

pub(crate) fn read(path: &Path) -> Mail {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut mail = Mail::default();
    for line in text.lines() {
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(what), Some(expense_id), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if what == "asked" {
            mail.asked.insert(expense_id, rest);
        } else {
            let booked = mail.booked.entry(expense_id).or_default();
            if !booked.contains(&rest) {
                booked.push(rest);
            }
        }
    }
    mail
}
