// A day of the week has three letters.
use belts::Tick;

#[belts::function(id = "report", cron = "0 9 * * MONDAY")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
