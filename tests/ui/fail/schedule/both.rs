// Two ways to tick.
use belts::Tick;

#[belts::function(id = "report", cron = "0 9 * * *", every = "15m")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
