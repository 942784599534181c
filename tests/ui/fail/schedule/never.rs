// There is no 30 February.
use belts::Tick;

#[belts::function(id = "report", cron = "0 0 30 2 *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
