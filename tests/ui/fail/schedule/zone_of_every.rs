// Lengths of time know no zone.
use belts::Tick;

#[belts::function(id = "report", every = "15m", tz = "Europe/Berlin")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
