// No event cancels the run of a tick.
use belts::Tick;

#[derive(serde::Serialize, serde::Deserialize, belts::Event)]
struct OrderCreated {
    id: String,
}

#[belts::function(id = "report", cron = "0 9 * * *", cancel_on = OrderCreated)]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
