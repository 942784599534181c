// Ticks are counted in milliseconds.
use belts::Tick;

#[belts::function(id = "report", every = "250us")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
