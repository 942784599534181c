//! A schedule as the attribute of a function has it.

use std::time::Duration;

use super::spec::{Missed, Overlap, Schedule};

/// A schedule, known at compile time.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleDef {
    /// When it ticks.
    pub when: WhenDef,
    /// What becomes of ticks at whose time nobody was there.
    pub missed: Missed,
    /// What becomes of a tick while the run of the last one goes on.
    pub overlap: Overlap,
    /// How much later its runs may start.
    pub jitter: Duration,
}

/// When it ticks.
#[derive(Debug, Clone, Copy)]
pub enum WhenDef {
    /// By a cron expression, and the name of a zone.
    Cron(&'static str, Option<&'static str>),
    /// By a length of time.
    Every(Duration),
}

impl ScheduleDef {
    pub(crate) fn schedule(&self) -> Schedule {
        let schedule = match self.when {
            WhenDef::Cron(expression, None) => Schedule::cron(expression),
            WhenDef::Cron(expression, Some(zone)) => Schedule::cron(expression).tz(zone),
            WhenDef::Every(every) => Schedule::every(every),
        };
        schedule
            .missed(self.missed)
            .overlap(self.overlap)
            .jitter(self.jitter)
    }
}
