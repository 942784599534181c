// A function with a schedule takes a tick.

#[belts::function(id = "report", every = "15m")]
async fn report() -> belts::Result<()> {
    Ok(())
}

fn main() {}
