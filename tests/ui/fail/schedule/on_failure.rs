// A failure handler with a schedule.
use belts::Tick;

#[belts::function(id = "other", every = "1h")]
async fn other(_tick: Tick) -> belts::Result<()> {
    Ok(())
}

#[belts::function(id = "report", cron = "0 9 * * *", on_failure = other)]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
