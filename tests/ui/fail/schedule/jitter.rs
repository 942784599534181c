// A jitter that reaches the next tick.
use belts::Tick;

#[belts::function(id = "report", every = "15m", jitter = "15m")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
