// A zone without a schedule.

#[derive(serde::Serialize, serde::Deserialize, belts::Event)]
struct OrderCreated {
    id: String,
}

#[belts::function(id = "report", on = OrderCreated, tz = "Europe/Berlin")]
async fn report(event: OrderCreated) -> belts::Result<()> {
    Ok(())
}

fn main() {}
