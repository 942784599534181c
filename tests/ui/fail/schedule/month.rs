// There is no month 13.
use belts::Tick;

#[belts::function(id = "report", cron = "0 0 1 13 *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
