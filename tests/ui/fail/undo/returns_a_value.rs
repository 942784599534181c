// The undo ends with a value that nobody reads.
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

async fn count(stock: Stock) -> u32 {
    stock.0
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    step!("reserve", reserve(&event.id), undo = |stock| count(stock)).await?;
    Ok(())
}

fn main() {}
