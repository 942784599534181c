// A step without an end.
use belts::Tick;

#[belts::function(id = "report", cron = "5/15 * * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
