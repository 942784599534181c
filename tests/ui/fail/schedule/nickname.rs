// A nickname that does not exist.
use belts::Tick;

#[belts::function(id = "report", cron = "@dayly")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
