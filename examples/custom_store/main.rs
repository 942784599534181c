//! A store of your own, here on the embedded key-value database redb. `store/mod.rs` says how to write one.
//!
//! The conformance suite says whether it is a store: `cargo test -p belts-examples-more --example custom_store`.
//! Run it with `cargo run --example custom_store`.

use belts::{Event, sleep, step};
use serde::{Deserialize, Serialize};

mod store;
#[cfg(test)]
mod tests;

use store::FileStore;

/// Somebody ordered tea.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct TeaOrdered {
    cups: u32,
}

#[belts::function(id = "make-tea", on = TeaOrdered)]
async fn make_tea(order: TeaOrdered) -> belts::Result<u32> {
    let millilitres = step!("boil", order.cups * 250).await?;
    sleep!("brew", "300ms").await?;
    step!("pour", millilitres / 250).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("tea.redb");
    let worker = belts::Worker::builder()
        .store(FileStore::open(&path).await?)
        .build()
        .await?;
    let finished = worker.execute(TeaOrdered { cups: 2 }).await?;
    let cups: u32 = finished.output(belts::id_of(make_tea))?;
    println!("made tea for {cups}");
    drop(worker);

    // As after a restart of the process.
    let worker = belts::Worker::builder()
        .store(FileStore::open(&path).await?)
        .build()
        .await?;
    for run in worker.runs().list().await?.runs {
        println!("the file has a run of {}, {}", run.function_id, run.status);
    }
    Ok(())
}
