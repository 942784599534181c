//! The functions that the clock starts.

use belts::{Tick, step};
use serde::{Deserialize, Serialize};

/// What a report is about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) scheduled_at: i64,
    pub(crate) missed: u32,
}

fn report(tick: &Tick) -> Report {
    Report {
        scheduled_at: tick.scheduled_at().as_millis(),
        missed: tick.missed(),
    }
}

/// Each hour of the morning.
#[belts::function(id = "berlin", cron = "0 9-13 * * *", tz = "Europe/Berlin")]
pub(crate) async fn berlin(tick: Tick) -> belts::Result<Report> {
    step!("write", report(&tick)).await
}

#[belts::function(id = "lord-howe", cron = "0 8 * * *", tz = "Australia/Lord_Howe")]
pub(crate) async fn lord_howe(tick: Tick) -> belts::Result<Report> {
    step!("write", report(&tick)).await
}

/// The first version of the program.
pub(crate) mod first {
    use super::{Report, Tick, report, step};

    #[belts::function(id = "new-york", cron = "0 17 * * *", tz = "America/New_York")]
    pub(crate) async fn new_york(tick: Tick) -> belts::Result<Report> {
        step!("write", report(&tick)).await
    }
}

/// The second one, which reports an hour later.
pub(crate) mod second {
    use super::{Report, Tick, report, step};

    #[belts::function(id = "new-york", cron = "0 18 * * *", tz = "America/New_York")]
    pub(crate) async fn new_york(tick: Tick) -> belts::Result<Report> {
        step!("write", report(&tick)).await
    }
}
