// A closure that is called at most once is no loop.
#![forbid(unsafe_code)]
#![deny(warnings)]

use belts::{Event, step};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Ordered {
    gift: Option<String>,
    parcels: usize,
}

#[belts::function(id = "wrap", on = Ordered)]
async fn wrap(ordered: Ordered) -> belts::Result<usize> {
    let gift = ordered.gift.as_ref().filter(|gift| !gift.is_empty());
    let none: Option<&String> = ordered.gift.as_ref();
    let wrapped = Some(3).map(|n| step!("some", move n));
    let label = ordered.gift.as_deref().map(|gift| step!("label", gift.len()));
    let size = ordered.gift.iter().next().map(|gift| step!("size", gift.len()));
    let told = none.map(|gift| step!("told", gift.len()));
    let large = (ordered.parcels > 1).then(|| step!("large", ordered.parcels));
    let mut sum = gift.map_or(0, String::len);
    for step in [wrapped] {
        sum += match step {
            Some(step) => step.await?,
            None => 0,
        };
    }
    let (Some(label), Some(size), Some(told), Some(large)) = (label, size, told, large) else {
        return Ok(sum);
    };
    Ok(sum + label.await? + size.await? + told.await? + large.await?)
}

fn main() {
    assert_eq!(belts::id_of(wrap), "wrap");
}
