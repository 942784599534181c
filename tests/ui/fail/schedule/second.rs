// With six fields the first are seconds.
use belts::Tick;

#[belts::function(id = "report", cron = "90 0 9 * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
