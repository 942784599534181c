// A length without a unit.
use belts::Tick;

#[belts::function(id = "report", every = "15")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
