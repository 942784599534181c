//! What the program prints, and for whom: a person at a terminal, or another program.

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
    /// One JSON object in each line.
    pub(super) json: bool,
    /// How many characters a line has; `None` where no terminal reads it.
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

    /// Paints a line or a cell by how a run or step stands.
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

/// Prints a text. Whoever reads it may have gone, as `head` does.
pub(super) fn write(text: &str) -> Result<(), Wrong> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Wrong::Unread,
        _ => Wrong::failed("cannot print", error),
    })
}

/// Says something beside what is printed, on standard error. It may quote others.
pub(super) fn tell(text: &str) {
    // Whoever reads it may have gone.
    let _ = writeln!(io::stderr(), "{}", plain::Clean(text));
}

/// A text of others in one line: nothing in it may steer the terminal.
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

/// How long something took, to two places or so.
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

/// What to say of a run that was not changed.
pub(super) fn unchanged(id: &str, status: RunStatus, wanted: &str) {
    tell(&format!("the run {id} is {status}, and cannot be {wanted}"));
}

impl Wrong {
    /// Says it on standard error; 1 is for what failed, 2 for wrong arguments, as clap has it.
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
