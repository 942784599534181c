// The closure may be called again, so it cannot give away what it has taken.
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

async fn tell(name: String) {
    let _ = name;
}

#[belts::function(id = "order", on = Ordered)]
async fn order(event: Ordered) -> belts::Result<()> {
    let name = event.id.clone();
    step!("reserve", reserve(&event.id), undo = move |stock: Stock| async move {
        tell(name).await;
        release(stock).await
    })
    .await?;
    Ok(())
}

fn main() {}
