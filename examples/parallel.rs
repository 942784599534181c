//! Concurrent steps, with the usual tools for futures: keys are names, so the order does not matter.
//! Run it with `cargo run -p belts-examples --example parallel`.

use std::time::Duration;

use belts::{Clock as _, Event, SystemClock, scope, step, store::Memory};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

/// An order has been paid.
#[derive(Debug, Serialize, Deserialize, Event)]
pub struct OrderPaid {
    order_id: String,
    parcels: Vec<String>,
}

#[belts::function(id = "fulfil", on = OrderPaid)]
async fn fulfil(order: OrderPaid) -> belts::Result<Vec<String>> {
    // A few, each with its own name.
    let (invoice, insured) = tokio::try_join!(
        step!("invoice", call("invoice", &order.order_id)),
        step!("insure", call("insure", &order.order_id))
    )?;

    // Many: the key has a capture, and `move` works as before a closure.
    let weights = try_join_all(
        order
            .parcels
            .iter()
            .map(|parcel| step!("weigh-{parcel}", move weigh(parcel))),
    )
    .await?;

    // Helpers with steps of their own; `scope!` nests the helper's keys under its own.
    let labels = try_join_all(
        order
            .parcels
            .iter()
            .zip(weights)
            .map(|(parcel, grams)| scope!("parcel-{parcel}", move ship(parcel, grams))),
    );
    let mut done = vec![invoice, insured];
    done.extend(labels.await?);
    Ok(done)
}

/// A helper: its steps are recorded as `parcel-books/label`, `parcel-books/post` and so on.
#[belts::steps]
async fn ship(parcel: &str, grams: usize) -> belts::Result<String> {
    let label = step!("label", call("label", parcel)).await?;
    step!("post", call("post", &format!("{label} of {grams} g"))).await
}

async fn weigh(parcel: &str) -> std::io::Result<usize> {
    call("weigh", parcel).await?;
    Ok(parcel.len() * 100)
}

/// Stands for a service that takes a while.
async fn call(service: &str, what: &str) -> std::io::Result<String> {
    SystemClock
        .sleep_until(SystemClock.now().after(Duration::from_millis(200)))
        .await;
    Ok(format!("{service}({what})"))
}

#[tokio::main]
async fn main() -> belts::Result<()> {
    let worker = belts::Worker::builder()
        .store(Memory::new())
        .build()
        .await?;
    let parcels = ["books", "lamp", "chair"].map(str::to_owned).to_vec();
    let start = SystemClock.now();
    let executed = worker
        .execute(OrderPaid {
            order_id: "o-17".into(),
            parcels,
        })
        .await?;
    let took = SystemClock.now().since(start);

    for entry in worker.store().journal(&executed.runs[0].run_id).await? {
        println!("recorded {}", entry.path);
    }
    for line in executed.output::<Vec<String>>("fulfil")? {
        println!("{line}");
    }
    // Eleven calls of 200 ms, in four rounds.
    println!("took {} ms", took.as_millis());
    Ok(())
}
