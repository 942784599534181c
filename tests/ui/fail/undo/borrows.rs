// The closure borrows the event, which is gone when the step is undone.
use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Serialize, Deserialize)]
struct Stock(u32);

async fn reserve(id: &str) -> belts::Result<Stock> {
    Ok(Stock(id.len() as u32))
}

fn release(event: &Ordered, stock: Stock) -> impl Future<Output = ()> + Send + use<> {
    let _ = (event, stock);
    async {}
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    step!("reserve", reserve(&event.id), undo = |stock| release(&event, stock)).await?;
    Ok(())
}

fn main() {}
