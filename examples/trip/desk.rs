//! What the functions do outside of belts: a file with a line for each reservation and each release, so that belts is not its own
//! witness.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Names the file to the worker.
pub(crate) const ENV: &str = "TRIP_DESK";

/// How long a release takes.
const RELEASE: Duration = Duration::from_millis(200);

#[derive(Debug, Clone)]
pub(crate) struct Desk(PathBuf);

/// What was reserved for a trip. The desk knows it by its number, and does nothing twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) number: String,
}

impl Desk {
    pub(crate) fn from_env() -> Self {
        let path = std::env::var_os(ENV).unwrap_or_else(|| "desk.log".into());
        Self(path.into())
    }

    pub(crate) fn reserve(&self, trip_id: &str, what: &str) -> io::Result<Reservation> {
        let number = format!("{trip_id}/{what}");
        self.once("reserved", &number)?;
        Ok(Reservation { number })
    }

    #[expect(clippy::disallowed_methods, reason = "a desk takes its time")]
    pub(crate) async fn release(self, reservation: Reservation) -> io::Result<()> {
        tokio::time::sleep(RELEASE).await;
        self.once("released", &reservation.number)
    }

    /// What was asked for before is done. One write for each line: a killed process leaves no half of one.
    fn once(&self, what: &str, number: &str) -> io::Result<()> {
        let line = format!("{what} {number}\n");
        let known = std::fs::read_to_string(&self.0).unwrap_or_default();
        if known.lines().any(|known| known == line.trim_end()) {
            return Ok(());
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(line.as_bytes())
    }
}

/// How often each reservation was made and released.
#[derive(Debug, Default)]
pub(crate) struct Book(pub(crate) BTreeMap<String, (usize, usize)>);

impl Book {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut book = Self::default();
        for (what, number) in text.lines().filter_map(|line| line.split_once(' ')) {
            let (reserved, released) = book.0.entry(number.to_owned()).or_default();
            match what {
                "reserved" => *reserved += 1,
                _ => *released += 1,
            }
        }
        book
    }

    /// The reservations of a trip that stand.
    pub(crate) fn standing(&self, trip_id: &str) -> usize {
        let trip = format!("{trip_id}/");
        let of_trip = self
            .0
            .iter()
            .filter(|(number, _)| number.starts_with(&trip));
        of_trip
            .filter(|(_, (reserved, released))| reserved > released)
            .count()
    }

    pub(crate) fn released(&self) -> usize {
        self.0
            .values()
            .filter(|(_, released)| *released > 0)
            .count()
    }

    pub(crate) fn released_twice(&self) -> usize {
        self.0
            .values()
            .filter(|(_, released)| *released > 1)
            .count()
    }
}
