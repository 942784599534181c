// A helper's signature means what it says: borrows, `impl Trait`, paths to methods, recursion.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    items: Vec<String>,
}

use std::{borrow::Cow, fmt};

struct Shop {
    sold: u32,
}

impl fmt::Display for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shop")
    }
}

trait Packs {
    fn packs(&self) -> impl Future<Output = u32> + Send;
}

impl Packs for Shop {
    async fn packs(&self) -> u32 {
        self.sold
    }
}

impl Shop {
    #[belts::steps]
    async fn sell(&mut self) -> belts::Result<&mut u32> {
        let packs = step!("pack-{self}", self.packs()).await?;
        self.sold += packs;
        Ok(&mut self.sold)
    }

    #[belts::steps]
    async fn label<'a>(&self, id: &'a str) -> belts::Result<Cow<'a, str>> {
        step!("label", self.sold).await?;
        Ok(Cow::Borrowed(id))
    }
}

#[belts::steps]
async fn first(items: &[String]) -> belts::Result<&str> {
    step!("look", items.len()).await?;
    Ok(items.first().map_or("", String::as_str))
}

#[belts::steps]
async fn numbers(most: u32) -> impl Iterator<Item = u32> {
    0..step!("most", most).await.unwrap_or(0)
}

#[belts::steps]
async fn walk(depth: u32) -> belts::Result<u32> {
    let here = step!("here", depth).await?;
    if depth == 0 {
        return Ok(here);
    }
    Box::pin(scope!("deeper", walk(depth - 1))).await
}

#[belts::function(id = "sell", on = Ordered)]
async fn sell(ordered: Ordered) -> belts::Result<String> {
    let mut shop = Shop { sold: 1 };
    *scope!("method", shop.sell()).await? += 1;
    *scope!("path", Shop::sell(&mut shop)).await? += 1;
    let label = scope!("label", <Shop>::label(&shop, &ordered.items[0])).await?;
    let first = scope!("first", (first(&ordered.items))).await?;
    let numbers: Vec<u32> = scope!("numbers", numbers(3)).await.collect();
    let walked = scope!("walk", walk(2)).await?;
    let one = async move { step!("one", walked).await };
    let two = async move { step!("two", walked).await };
    Ok(format!("{label}{first}{numbers:?}{}{}", one.await?, two.await?))
}

fn main() {
    assert_eq!(belts::id_of(sell), "sell");
}
