// Functions and events made by `macro_rules!`, with fragments for every part.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

macro_rules! declare {
    ($event:ident, $type:literal, $name:ident, $id:literal, $on:ty, $key:literal, $value:expr) => {
        #[derive(Serialize, Deserialize, Event)]
        #[event(type = $type)]
        struct $event {
            id: String,
        }

        #[belts::function(id = $id, on = $on, retries = $value)]
        async fn $name(event: $event) -> belts::Result<u32> {
            let id = event.id;
            step!("in-the-macro-{id}", id.len()).await?;
            step!($key, $value).await
        }
    };
}

declare!(One, "one", first, "macro.first", One, "key", 1);
declare!(Two, "two", second, "macro.second", crate::Two, "key", 2 + 3);

macro_rules! with_body {
    ($name:ident, $id:expr, $body:block) => {
        #[belts::function(id = $id, on = One)]
        async fn $name(_event: One) -> belts::Result<u32> $body
    };
}

with_body!(third, "macro.third", { step!("key", 1).await });

fn main() {
    assert_eq!(belts::id_of(first), "macro.first");
    assert_eq!(belts::id_of(second), "macro.second");
    assert_eq!(belts::id_of(third), "macro.third");
    assert_eq!(Two::TYPE, "two");
}
