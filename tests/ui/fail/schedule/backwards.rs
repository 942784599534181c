// A range runs forwards.
use belts::Tick;

#[belts::function(id = "report", cron = "0 22-2 * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
