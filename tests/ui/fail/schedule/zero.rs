// A schedule that ticks all the time.
use belts::Tick;

#[belts::function(id = "report", every = "0s")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
