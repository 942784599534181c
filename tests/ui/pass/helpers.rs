// Helpers with steps of their own: generic, borrowing, methods, nested scopes.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    parcels: Vec<u32>,
}

struct Shop {
    name: String,
}

impl Shop {
    #[belts::steps]
    async fn pack(&self, n: u32) -> belts::Result<String> {
        step!("label", format!("{}-{n}", self.name)).await
    }
}

#[belts::steps]
async fn ship<T: Serialize + Sync>(label: &str, what: &T) -> anyhow::Result<usize> {
    let length = step!("weigh", serde_json::to_string(what).map(|text| text.len() + label.len())).await?;
    scope!("inner", count(length)).await;
    Ok(length)
}

/// Returns no `Result`.
#[belts::steps]
async fn count(length: usize) -> usize {
    step!("count", length).await.unwrap_or(0)
}

#[belts::function(id = "helpers", on = Ordered)]
async fn helpers(ordered: Ordered) -> anyhow::Result<usize> {
    let shop = Shop { name: "shop".to_owned() };
    let mut sum = 0;
    for n in &ordered.parcels {
        let label = scope!("pack-{n}", shop.pack(*n)).await?;
        sum += scope!("ship-{n}", ship(&label, n)).await?;
    }
    let all: Vec<_> = ordered.parcels.iter().map(|n| scope!("more-{n}", move count(*n as usize))).collect();
    for one in all {
        sum += one.await;
    }
    Ok(sum)
}

fn main() {}
