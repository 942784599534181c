// There is no hour 25.
use belts::Tick;

#[belts::function(id = "report", cron = "0 25 * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
