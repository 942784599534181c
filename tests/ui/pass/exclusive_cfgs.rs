// The same key in two builds; a capture of any name; a macro of the body's own.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

#[belts::function(id = "built", on = Ordered)]
async fn built(ordered: Ordered) -> belts::Result<usize> {
    #![allow(clippy::let_and_return)]
    #[cfg(debug_assertions)]
    let length = step!("length", ordered.id.len()).await?;
    #[cfg(not(debug_assertions))]
    let length = step!("length", ordered.id.len() + 1).await?;
    macro_rules! scope {
        ($name:literal) => {
            println!($name)
        };
    }
    scope!("profile");
    let r#type = "parcel";
    step!("weigh-{type}", length).await
}

fn main() {
    assert_eq!(belts::id_of(built), "built");
}
