// Events and a schedule at once.
use belts::Tick;

#[derive(serde::Serialize, serde::Deserialize, belts::Event)]
struct OrderCreated {
    id: String,
}

#[belts::function(id = "report", on = OrderCreated, cron = "0 9 * * *")]
async fn report(tick: Tick) -> belts::Result<()> {
    Ok(())
}

fn main() {}
