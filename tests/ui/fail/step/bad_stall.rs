// A `stall` is a duration, and no key of another macro.
use belts::{Context, Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "process", on = Ordered)]
async fn process(order: Ordered, cx: Context) -> belts::Result<()> {
    step!("import", cx.heartbeat(&order.id), stall = "soon").await?;
    step!("weigh", cx.heartbeat(&order.id), stall = "0s").await?;
    step!("check", cx.heartbeat(&order.id), stall = 30).await?;
    belts::sleep!("pause", "10m", stall = "30s").await
}

fn main() {}
