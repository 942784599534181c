//! The output of the program, for a person at a terminal or for another program.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde::Serialize;

use super::wrong::Wrong;
use crate::{dispatch::wire, inspect::shape::Time, plain, store::RunStatus};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    /// One JSON object per line.
    pub(super) json: bool,
    /// The width of a line in characters; `None` if the output is not a terminal.
    pub(super) width: Option<usize>,
    colours: bool,
}

impl Out {
    pub(super) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into());
        Self {
            json,
            width: terminal.then_some(width),
            // https://no-color.org
            colours: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// The same for standard error, which may be no terminal.
    pub(super) fn aside(self) -> Self {
        Self {
            width: None,
            colours: false,
            ..self
        }
    }

    /// Colours a line or a cell by the status of a run or step.
    pub(super) fn painted(self, text: &str, word: &str) -> String {
        let colour = match word {
            _ if !self.colours => return text.to_owned(),
            "failed" => "31",
            "completed" => "32",
            "running" | "waiting" | "suspended" => "33",
            _ => return text.to_owned(),
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

/// Prints a line of JSON.
pub(super) fn object(body: &impl Serialize) -> Result<(), Wrong> {
    let line = plain::json_line(wire::json(body));
    let mut line = String::from_utf8_lossy(&line).into_owned();
    line.push('\n');
    write(&line)
}

/// Prints a text. The reader may have gone, as with `head`.
pub(super) fn write(text: &str) -> Result<(), Wrong> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Wrong::Unread,
        _ => Wrong::failed("cannot print", error),
    })
}

/// Prints a message on standard error. It may quote others.
pub(super) fn tell(text: &str) {
    // The reader may have gone.
    let _ = writeln!(io::stderr(), "{}", plain::Clean(text));
}

/// Text of others on one line: nothing in it can control the terminal.
pub(super) fn plain(text: &str) -> String {
    plain::plain(text).into_owned()
}

/// A time to the second.
pub(super) fn time(time: Time) -> String {
    let text = time.0.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

/// A duration, to about two digits.
pub(super) fn took(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
        _ => format!(
            "{} h {} min",
            millis / 3_600_000,
            millis % 3_600_000 / 60_000
        ),
    }
}

pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The message about a run that was not changed.
pub(super) fn unchanged(id: &str, status: RunStatus, wanted: &str) {
    tell(&format!("the run {id} is {status}, and cannot be {wanted}"));
}

impl Wrong {
    /// Prints it on standard error; the status is 1 for failures and 2 for wrong arguments, as in clap.
    pub(super) fn tell(self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                tell(&format!("error: {message}"));
                ExitCode::from(2)
            }
            Self::Failed(message) => {
                tell(&format!("error: {message}"));
                ExitCode::FAILURE
            }
            Self::Said => ExitCode::FAILURE,
            Self::Unread => ExitCode::SUCCESS,
        }
    }
}
