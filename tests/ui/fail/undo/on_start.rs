// A run that was started and is not awaited has no output to undo.
use belts::{Event, start, step};
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

async fn release(stock: Stock) -> belts::Result<()> {
    let _ = stock;
    Ok(())
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<Stock> {
    step!("reserve", reserve(&event.id)).await
}

#[belts::function(id = "above", on = Ordered)]
async fn above(event: Ordered) -> belts::Result<()> {
    start!("order", order(event), undo = |stock| release(stock)).await?;
    Ok(())
}

fn main() {}
