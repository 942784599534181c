// A word that is none of them.
use belts::Tick;

#[belts::function(id = "report", every = "15m", overlap = "wait")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
