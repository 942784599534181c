// The closure takes another type than the child returns.
use belts::{Event, call, step};
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
async fn order(event: Ordered) -> belts::Result<u32> {
    step!("count", event.id.len() as u32).await
}

#[belts::function(id = "above", on = Ordered)]
async fn above(event: Ordered) -> belts::Result<()> {
    call!("order", order(event), undo = |stock: Stock| release(stock)).await?;
    Ok(())
}

fn main() {}
