// `#[instrument]` around functions and helpers, with and without `skip`.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Context, Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "traced-one", on = Ordered)]
#[tracing::instrument]
async fn traced_one(ordered: Ordered) -> belts::Result<usize> {
    scope!("helper", helper(&ordered.id)).await
}

#[belts::function(id = "traced-two", on = Ordered)]
#[tracing::instrument(skip(cx), fields(run = %cx.run_id()), err)]
async fn traced_two(ordered: Ordered, cx: Context) -> belts::Result<usize> {
    let shop = Shop;
    scope!("method", shop.helper(&ordered.id)).await
}

#[belts::steps]
#[tracing::instrument(ret)]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await
}

#[derive(Debug)]
struct Shop;

impl Shop {
    #[belts::steps]
    #[tracing::instrument(skip_all)]
    async fn helper(&self, id: &str) -> belts::Result<usize> {
        step!("length", id.len()).await
    }
}

fn main() {
    assert_eq!(belts::id_of(traced_one), "traced-one");
    assert_eq!(belts::id_of(traced_two), "traced-two");
}
