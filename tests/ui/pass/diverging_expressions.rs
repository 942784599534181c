// What is still to be written compiles, with and without a type.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

struct Receipt;

async fn charge(_: &str) -> belts::Result<u32> {
    todo!()
}

#[belts::function(id = "unwritten", on = Ordered)]
async fn unwritten(ordered: Ordered) -> belts::Result<u32> {
    step!("a", todo!()).await?;
    step!("b", unimplemented!("not before {}", ordered.id), retries = 0).await?;
    let text: String = step!("c", core::panic!("no")).await?;
    let Receipt = step!("d", std::todo!()).await?;
    step!("e", charge(&text)).await?;
    step!("f", unreachable!()).await
}

fn main() {
    assert_eq!(belts::id_of(unwritten), "unwritten");
}
