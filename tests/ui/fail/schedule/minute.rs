// There is no minute 60.
use belts::Tick;

#[belts::function(id = "report", cron = "60 * * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
