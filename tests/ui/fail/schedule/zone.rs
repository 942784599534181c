// A zone that does not exist.
use belts::Tick;

#[belts::function(id = "report", cron = "0 9 * * *", tz = "Europe/Berlim")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
