// The closure takes another type than the step returns.
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

async fn drop_it(stock: String) {
    let _ = stock;
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    step!("reserve", reserve(&event.id), undo = |stock: String| drop_it(stock)).await?;
    Ok(())
}

fn main() {}
