// A cron expression has five or six fields.
use belts::Tick;

#[belts::function(id = "report", cron = "0 9 * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
