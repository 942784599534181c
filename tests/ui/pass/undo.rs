// What undoes a step or a call: a closure, the path of a function, or a block that ends with a closure.

use belts::{Event, call, scope, step};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stock(u32);

async fn reserve(id: &str) -> Result<Stock, std::io::Error> {
    Ok(Stock(id.len() as u32))
}

async fn release(stock: Stock) -> Result<u32, std::io::Error> {
    Ok(stock.0)
}

async fn forget(stock: Stock) {
    drop(stock);
}

#[belts::steps]
async fn helper(id: &str) -> belts::Result<()> {
    step!("helped-{id}", reserve(id), retries = 2, undo = release).await?;
    Ok(())
}

#[belts::function(id = "order", on = Ordered)]
async fn order(order: Ordered) -> belts::Result<Stock> {
    let id = order.id.clone();
    step!("path", reserve(&order.id), undo = release).await?;
    step!("closure", reserve(&order.id), undo = |stock| forget(stock)).await?;
    step!("typed", reserve(&order.id), undo = |stock: Stock| async move { drop(stock.0) }).await?;
    step!("now", 5_u32, undo = |_: u32| async {
        // As in a step, everything is allowed.
        drop(SystemTime::now());
        Ok::<_, String>(())
    })
    .await?;
    let kept = id.clone();
    let both = tokio::join!(
        step!("moved", move reserve(&kept), undo = forget),
        step!("taken", reserve(&id), undo = {
            let id = id.clone();
            move |stock: Stock| {
                let id = id.clone();
                async move {
                    drop((id, stock));
                }
            }
        }),
    );
    for n in 0..2 {
        step!("loop-{n}", reserve(&id), undo = async |stock: Stock| drop(stock)).await?;
    }
    scope!("helper", helper(&id)).await?;
    both.0
}

#[belts::function(id = "above", on = Ordered)]
async fn above(event: Ordered) -> belts::Result<()> {
    call!("order", order(event), timeout = "1h", undo = |stock| forget(stock)).await?;
    Ok(())
}

fn main() {}
