//! What a schedule says: when it ticks, and what becomes of ticks that do not simply start a run.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{times::Times, when::When};
use crate::error::{Error, ErrorKind, Result};

/// When a function is started by the clock, and how: see [the guide](crate::guide::schedules).
///
/// Nothing is checked before it is [put](crate::Schedules::put).
///
/// ```
/// use belts::{Missed, Overlap, Schedule};
/// use std::time::Duration;
/// let daily = Schedule::cron("0 9 * * MON-FRI").tz("Europe/Berlin").missed(Missed::Skip);
/// let often = Schedule::every(Duration::from_secs(900)).overlap(Overlap::Queue);
/// assert_ne!(daily, often);
/// assert_eq!(daily.to_string(), "0 9 * * MON-FRI (Europe/Berlin)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", into = "Wire", try_from = "Wire")]
pub struct Schedule {
    pub(crate) when: When,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
    pub(crate) jitter: Duration,
}

/// What becomes of ticks at whose time no worker was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Missed {
    /// The last of them starts a run, which is told how many there were besides: [`Tick::missed`](crate::Tick::missed).
    #[default]
    Latest,
    /// None starts a run; the next tick is told how many there were.
    Skip,
    /// Each starts a run, the oldest first and one after the other; no more than the last 100.
    All,
}

/// What becomes of a tick while the run of the last one goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Overlap {
    /// It starts none, and the schedule keeps the reason.
    #[default]
    Skip,
    /// It starts one when the run of the last one has ended; no more than 100 wait.
    Queue,
    /// It starts one beside it.
    Allow,
    /// It cancels the run of the last one, and starts one.
    Cancel,
}

macro_rules! words {
    ($type:ident: $($variant:ident $word:literal)*) => {
        impl FromStr for $type {
            type Err = Error;

            fn from_str(word: &str) -> Result<Self> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Error::new(ErrorKind::Config, format!("`{word}` is none of {}", [$(concat!("`", $word, "`")),*].join(", ")))),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word,)* })
            }
        }
    };
}
words! { Missed: Latest "latest" Skip "skip" All "all" }
words! { Overlap: Skip "skip" Queue "queue" Allow "allow" Cancel "cancel" }

impl Schedule {
    /// By a cron expression of five fields, or six with seconds in front, in UTC unless [`tz`](Self::tz) says otherwise.
    pub fn cron(expression: impl Into<String>) -> Self {
        let expression = expression.into();
        Self::of(When::Cron {
            expression,
            zone: None,
        })
    }

    /// Each time that so much time has passed, counted from the Unix epoch.
    pub fn every(every: Duration) -> Self {
        Self::of(When::Every(every))
    }

    fn of(when: When) -> Self {
        Self {
            when,
            missed: Missed::default(),
            overlap: Overlap::default(),
            jitter: Duration::ZERO,
        }
    }

    /// Sets the time zone of the cron expression, by its name in the IANA database. [`every`](Self::every) knows none.
    #[must_use]
    pub fn tz(mut self, name: impl Into<String>) -> Self {
        // That it has no place is said when the schedule is put.
        match &mut self.when {
            When::Cron { zone, .. } => *zone = Some(name.into()),
            When::Every(every) => *every = Duration::ZERO,
        }
        self
    }

    /// Sets what becomes of ticks at whose time no worker was there.
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Sets what becomes of a tick while the run of the last one goes on.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Starts each run up to so much later, by how much follows from the schedule and the tick.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// # Errors
    /// The expression, the zone or the length cannot be.
    pub(crate) fn times(&self) -> Result<Times> {
        Times::of(&self.when)
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.when {
            When::Cron { expression, zone } => {
                let zone = zone.as_deref().unwrap_or("UTC");
                write!(f, "{expression} ({zone})")
            }
            When::Every(every) => write!(f, "every {}", Length(*every)),
        }
    }
}

/// A length of time as options say it: `1h30m`.
struct Length(Duration);

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = self.0.as_millis();
        let mut said = false;
        for (unit, millis) in [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1_000),
            ("ms", 1),
        ] {
            if left >= millis {
                write!(f, "{}{unit}", left / millis)?;
                left %= millis;
                said = true;
            }
        }
        if said { Ok(()) } else { f.write_str("0s") }
    }
}

/// How a schedule is written down, in stores and by HTTP.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tz: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_ms: Option<u64>,
    #[serde(default)]
    missed: Missed,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default, skip_serializing_if = "is_zero")]
    jitter_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<Schedule> for Wire {
    fn from(schedule: Schedule) -> Self {
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let (cron, tz, every_ms) = match schedule.when {
            When::Cron { expression, zone } => (Some(expression), zone, None),
            When::Every(every) => (None, None, Some(millis(every))),
        };
        Self {
            cron,
            tz,
            every_ms,
            missed: schedule.missed,
            overlap: schedule.overlap,
            jitter_ms: millis(schedule.jitter),
        }
    }
}

impl TryFrom<Wire> for Schedule {
    type Error = &'static str;

    fn try_from(wire: Wire) -> std::result::Result<Self, &'static str> {
        let schedule = match (wire.cron, wire.every_ms) {
            (Some(expression), None) => Self::of(When::Cron {
                expression,
                zone: wire.tz,
            }),
            (None, Some(_)) if wire.tz.is_some() => return Err("`tz` goes with `cron`"),
            (None, Some(every)) => Self::every(Duration::from_millis(every)),
            _ => return Err("a schedule has one of `cron` and `everyMs`"),
        };
        Ok(schedule
            .missed(wire.missed)
            .overlap(wire.overlap)
            .jitter(Duration::from_millis(wire.jitter_ms)))
    }
}
