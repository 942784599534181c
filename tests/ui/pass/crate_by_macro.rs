// A macro of the program's own makes functions by `$crate`.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, scope, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    id: String,
}

mod kit {
    pub use belts::*;
}

macro_rules! counts {
    ($name:ident, $id:literal) => {
        #[belts::function(id = $id, on = Ordered, crate = $crate::kit)]
        async fn $name(ordered: Ordered) -> belts::Result<usize> {
            step!("one", ordered.id.len()).await?;
            scope!("two", helper(&ordered.id)).await
        }
    };
}

#[belts::steps]
async fn helper(id: &str) -> belts::Result<usize> {
    step!("length", id.len()).await
}

counts!(count_one, "count-one");
counts!(count_two, "count-two");

fn main() {
    assert_eq!(belts::id_of(count_one), "count-one");
    assert_eq!(belts::id_of(count_two), "count-two");
}
