//! Orders go through a Redis stream: one worker publishes and has no store, another receives and runs them on SQLite.
//!
//! In production the two are separate programs, and there may be many of each.
//! Run it with `cargo run --example redis_queue`, or with `-- redis://:password@host:6379` for a server elsewhere.

use std::sync::Arc;

use belts::{Event, State, Worker, dispatch::Redis, step, store::Sqlite};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// Somebody ordered something.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct TeaOrdered {
    number: u32,
    tea: String,
}

/// Has one permit for each finished order.
type Done = Arc<Semaphore>;

#[belts::function(id = "ship-tea", on = TeaOrdered)]
async fn ship(order: TeaOrdered, State(done): State<Done>) -> belts::Result<String> {
    let TeaOrdered { number, tea } = order;
    let parcel = step!("pack", format!("parcel {number} with {tea}")).await?;
    step!("send", println!("  shipped {parcel}")).await?;
    done.add_permits(1);
    Ok(parcel)
}

/// The dispatcher of both: their settings must agree.
async fn orders(url: &str) -> belts::Result<Redis> {
    Redis::builder(url).stream("tea-orders").open().await
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let url = std::env::args().nth(1);
    let url = url.unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());

    // What it publishes is on the server when the call returns, whether or not anybody is receiving yet.
    let shop = Worker::builder().publish_only();
    let shop = shop.dispatcher(orders(&url).await?).build().await?;
    for (number, tea) in (1..).zip(["assam", "keemun", "sencha"]) {
        let tea = tea.to_owned();
        println!("ordered {tea}");
        publish_tea_ordered(TeaOrdered { number, tea })
            .via(&shop)
            .await?;
    }

    // What it receives is in its store before it is acknowledged.
    let store = Sqlite::open(std::env::temp_dir().join("belts-redis-queue.db")).await?;
    let dispatcher = orders(&url).await?;
    println!("receiving from: {dispatcher:?}");
    let done = Done::new(Semaphore::new(0));
    let warehouse = Worker::builder().store(store).dispatcher(dispatcher);
    let warehouse = warehouse.state(Done::clone(&done)).build().await?;
    let running = tokio::spawn({
        let warehouse = warehouse.clone();
        async move { warehouse.run().await }
    });
    let shipped = done.acquire_many(3).await;
    drop(shipped.expect("nobody closes it"));
    warehouse.shutdown();
    running.await.expect("the loop does not panic")
}
