// Days begin with 1.
use belts::Tick;

#[belts::function(id = "report", cron = "0 0 0 * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
