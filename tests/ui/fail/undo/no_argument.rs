// The closure takes no result.
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

async fn release(stock: Stock) -> belts::Result<()> {
    let _ = stock;
    Ok(())
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    step!("reserve", reserve(&event.id), undo = || release(Stock(1))).await?;
    Ok(())
}

fn main() {}
