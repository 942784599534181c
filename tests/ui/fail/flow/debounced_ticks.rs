// The clock makes one tick after the other.

#[belts::function(id = "report", every = "15m", debounce(period = "5s"))]
async fn report(tick: belts::Tick) -> belts::Result<()> {
    drop(tick);
    Ok(())
}

fn main() {}
